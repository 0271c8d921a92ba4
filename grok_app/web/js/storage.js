// The small stores of the browser: localStorage, and sessionStorage for this tab alone.

import { words } from "./words.js";

const texts = words({ en: { full: "its storage is full" }, de: { full: "sein Speicher ist voll" } });

/**
 * What went wrong, in a word or a sentence without its point.
 *
 * @param {unknown} error
 */
export function reason(error) {
  if (!(error instanceof Error)) return String(error);
  return error.name === "QuotaExceededError" ? texts.full : error.message;
}

/**
 * Writes a text into stores of the browser.
 *
 * @param {string} key
 * @param {string} text
 * @param {("localStorage" | "sessionStorage")[]} stores
 * @returns {string} why that failed; "" where it did not
 */
export function write(key, text, ...stores) {
  try {
    for (const store of stores) globalThis[store].setItem(key, text); // to name one may throw too
    return "";
  } catch (error) {
    return reason(error);
  }
}
