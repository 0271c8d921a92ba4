// The page's languages.

/**
 * The texts in the browser's language: English where there is no table for it.
 *
 * @template T
 * @param {{ en: T, de: NoInfer<T> }} tables the same names in both, which the type check holds
 * @returns {T}
 */
export function words(tables) {
  return navigator.language.startsWith("de") ? tables.de : tables.en;
}
