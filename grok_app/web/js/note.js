// A line that tells what has just been done, with a button that undoes it.

import { button } from "./dom.js";

/**
 * @param {HTMLElement} place where the line stands
 * @param {number} milliseconds after which it goes
 */
export function createNote(place, milliseconds) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let fading;

  function clear() {
    clearTimeout(fading);
    place.replaceChildren();
  }

  return {
    clear,
    /**
     * @param {string} text
     * @param {{ text: string, act: () => unknown }} [undo] the button behind the text
     */
    show(text, undo) {
      clear();
      place.append(text);
      if (undo) place.append(" ", button("undo", undo.text, undo.act));
      fading = setTimeout(clear, milliseconds);
    },
  };
}
