// What else could have stood at a word of the notebook: a list beside it, from which one chooses.

import { make } from "./dom.js";
import { together } from "./text_page.js";
import { words } from "./words.js";

/** @typedef {import("./types.d.ts").TextPage} TextPage */
/** @typedef {import("./types.d.ts").Choice} Choice */

const texts = words({
  en: {
    instead: "What might have stood here", end: "the end of the text",
    chosen: (/** @type {string} */ name, /** @type {string} */ share) => `${name}, ${share} likely`,
  },
  de: {
    instead: "Was hier stehen könnte", end: "das Ende des Textes",
    chosen: (name, share) => `${name}, zu ${share} wahrscheinlich`,
  },
});

const LINGER_MS = 250; // to move the pointer from a word to its choices
const percent = new Intl.NumberFormat(navigator.language, { style: "percent", maximumSignificantDigits: 2 });

/**
 * @param {HTMLElement} box
 * @param {{ page: () => TextPage, wordOf: (i: number) => HTMLElement | null,
 *   choose: (i: number, choice: Choice) => void, left: () => void }} notebook what is seen, where token
 *   `i` stands, what a choice does, and what happens when the box is left with Escape
 */
export function createChoices(box, { page, wordOf, choose, left }) {
  let shown = -1; // the token whose choices are seen
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let leaving;

  /** @param {number} i */
  function show(i) {
    clearTimeout(leaving);
    const word = wordOf(i);
    if (shown === i || !word) return;
    shown = i;
    box.replaceChildren(...together(page(), i).flatMap(offer));
    box.hidden = false;
    place(box, word);
  }

  function hide() {
    clearTimeout(leaving);
    shown = -1;
    box.hidden = true;
  }

  /** Hides it in a moment, unless the pointer comes to it. */
  function linger() {
    clearTimeout(leaving);
    if (!box.contains(document.activeElement)) leaving = setTimeout(hide, LINGER_MS);
  }

  /** @param {number} i */
  function offer(i) {
    const { text, tokens } = page();
    const { at, end, id, p, top } = tokens[i];
    const name = top.find(choice => choice[0] === id)?.[2] ?? text.slice(at, end);
    const heading = make("p", texts.chosen(visible(name), percent.format(p)));
    return [heading, ...top.map(choice => {
      const button = choiceButton(choice);
      if (choice[0] === id) button.setAttribute("aria-current", "true");
      button.onclick = () => choose(i, choice);
      return button;
    })];
  }

  /** @returns {HTMLButtonElement[]} */
  function buttons() {
    return [...box.querySelectorAll(/** @type {"button"} */ ("button:enabled"))];
  }

  box.setAttribute("aria-label", texts.instead);
  box.onmouseenter = () => clearTimeout(leaving);
  box.onmouseleave = linger;
  box.onkeydown = event => {
    const all = buttons();
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) {
      const from = all.findIndex(button => button === document.activeElement);
      all[(from + by + all.length) % all.length].focus();
    } else if (event.key === "Escape") {
      hide();
      left();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return { show, hide, linger, focus: () => buttons()[0]?.focus() };
}

/** @param {Choice} choice */
function choiceButton([, text, name, p]) {
  const button = make("button");
  button.type = "button";
  button.disabled = text === null;
  button.style.setProperty("--share", String(p));
  const label = make("span", text === null ? texts.end : visible(name));
  button.append(label, " ", make("span", percent.format(p)));
  return button;
}

/** Beside a word, within the window. @param {HTMLElement} box @param {HTMLElement} word */
function place(box, word) {
  const rectangles = word.getClientRects();
  const { bottom, top, left } = rectangles[rectangles.length - 1];
  const below = bottom + box.offsetHeight < innerHeight;
  box.style.left = `${Math.max(4, Math.min(left, innerWidth - box.offsetWidth - 4))}px`;
  box.style.top = `${Math.max(0, below ? bottom : top - box.offsetHeight)}px`;
}

/** White space as signs. @param {string} text */
function visible(text) {
  return text.replaceAll(" ", "\u00b7").replaceAll("\n", "\u21b5").replaceAll("\t", "\u21e5");
}
