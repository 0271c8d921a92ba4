// The notebook's text and its tokens: what becomes of them when either goes on. Pure.

/** @typedef {import("./types.d.ts").TextPage} TextPage */
/** @typedef {import("./types.d.ts").Token} Token */
/** @typedef {import("./types.d.ts").NewToken} NewToken */
/** @typedef {import("./types.d.ts").Choice} Choice */

/** @type {Readonly<TextPage>} */
export const EMPTY = { text: "", tokens: [] };

/**
 * The page after a token of the model.
 *
 * @param {TextPage} page
 * @param {NewToken} token
 * @returns {TextPage}
 */
export function added(page, { id, text, p, top }) {
  const more = text.replaceAll("\r", ""); // a textarea has none
  const at = page.text.length;
  const token = { at, end: at + more.length, id, p, top };
  return { text: page.text + more, tokens: [...page.tokens, token] };
}

/**
 * The page with another text: tokens that end before the first difference are still the model's.
 *
 * @param {TextPage} page
 * @param {string} text
 * @returns {TextPage}
 */
export function edited(page, text) {
  let same = 0;
  while (same < text.length && text[same] === page.text[same]) same++;
  const tokens = page.tokens.filter(token => token.end <= same);
  if (tokens.length < page.tokens.length) { // what may be the first bytes of a character that is gone
    while (tokens.length && isEmpty(tokens[tokens.length - 1])) tokens.pop();
  }
  return { text, tokens };
}

/** @param {Token} token */
function isEmpty({ at, end }) {
  return at === end;
}

/**
 * The page with another choice in the place of token `i`; what followed is cut.
 *
 * @param {TextPage} page
 * @param {number} i
 * @param {NewToken} choice
 */
export function chosen(page, i, choice) {
  const kept = { text: page.text.slice(0, page.tokens[i].at), tokens: page.tokens.slice(0, i) };
  return added(kept, choice);
}

/**
 * What the server is asked to continue. The tokens that the text ends with are given as such: encoded
 * anew, they could be others.
 *
 * @param {TextPage} page
 * @returns {{ text: string, ids: number[] }} the text before these tokens, and their ids
 */
export function question({ text, tokens }) {
  let end = text.length;
  let first = tokens.length;
  while (first && tokens[first - 1].end === end) end = tokens[--first].at;
  return { text: text.slice(0, end), ids: tokens.slice(first).map(token => token.id) };
}

/**
 * The indexes of the tokens that make the character, or the characters, of token `i`.
 *
 * @param {TextPage} page
 * @param {number} i
 */
export function together({ tokens }, i) {
  let first = i;
  while (first && isEmpty(tokens[first - 1]) && tokens[first - 1].at === tokens[i].at) first--;
  return Array.from({ length: i + 1 - first }, (_, offset) => first + offset);
}

/**
 * Whether a page begins with all of another: its text, its very tokens, and no other within it.
 *
 * @param {TextPage} page
 * @param {TextPage} begun
 */
export function goesOn({ text, tokens }, begun) {
  const next = tokens[begun.tokens.length];
  return text.startsWith(begun.text) &&
    begun.tokens.every((token, i) => token === tokens[i]) &&
    !(next && next.at < begun.text.length);
}

/**
 * A value that the browser has kept, as a page; null where it is none.
 *
 * @param {any} value
 * @returns {TextPage | null}
 */
export function check(value) {
  if (typeof value?.text !== "string" || !Array.isArray(value.tokens)) return null;
  /** @param {any} token */
  const fits = token => token?.end <= value.text.length && Array.isArray(token.top);
  return value.tokens.every(fits) ? value : null;
}
