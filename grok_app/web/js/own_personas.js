// The visitor's own personas, kept in localStorage: {slug: the TOML of its file}. See shelf.js.

export const KEY = "grok-1-personas";

/**
 * All of them.
 *
 * @returns {Record<string, string>}
 * @throws where the browser has no store, or something else stands there
 */
export function ownPersonas() {
  return JSON.parse(localStorage.getItem(KEY) || "{}");
}

/**
 * What its file calls a persona of the visitor's own; null where there is none of that slug.
 *
 * @param {string} slug
 * @returns {string | null}
 */
export function ownName(slug) {
  try {
    return JSON.parse(ownPersonas()[slug].match(/^name = (".*")$/m)?.[1] ?? "null");
  } catch {
    return null;
  }
}
