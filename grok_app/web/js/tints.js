// The layer beneath the notebook's text: the same letters at the same places, tinted by how likely the
// model found each token.

import { make } from "./dom.js";
import { EMPTY, goesOn } from "./text_page.js";

/** @typedef {import("./types.d.ts").TextPage} TextPage */

const NO_TINT = 1e-3; // at this probability and below the tint is at its strongest

/** @param {HTMLElement} layer */
export function createTints(layer) {
  /** @type {TextPage} */
  let drawn = EMPTY;
  return {
    /**
     * Draws a page; where it goes on from the one that is drawn, only what is new.
     *
     * @param {TextPage} page
     */
    draw(page) {
      if (goesOn(page, drawn)) {
        layer.lastChild?.remove();
      } else {
        drawn = EMPTY;
        layer.replaceChildren();
      }
      let end = drawn.text.length;
      for (let i = drawn.tokens.length; i < page.tokens.length; i++) {
        const token = page.tokens[i];
        if (token.at > end) layer.append(page.text.slice(end, token.at));
        if (token.end > token.at) layer.append(tinted(page.text.slice(token.at, token.end), token.p, i));
        end = token.end;
      }
      layer.append(page.text.slice(end));
      layer.append("\u200b"); // so that a last empty line has its height
      drawn = page;
    },
    /** @param {number} i @returns {HTMLElement | null} where token `i` stands */
    wordOf(i) {
      return layer.querySelector(`[data-token="${i}"]`);
    },
    /** @param {number} x @param {number} y @returns {number} the index of the token there, or -1 */
    tokenAt(x, y) {
      const word = document.elementsFromPoint(x, y).find(part => part.parentElement === layer);
      return word instanceof HTMLElement ? Number(word.dataset.token) : -1;
    },
  };
}

/** @param {string} text @param {number} p @param {number} i */
function tinted(text, p, i) {
  const word = make("span", text);
  const tint = Math.min(1, Math.log(Math.max(p, 1e-9)) / Math.log(NO_TINT));
  word.dataset.token = String(i);
  word.style.setProperty("--tint", tint.toFixed(3));
  return word;
}
