// The lines of the list of conversations: a title that opens one, and buttons for the title and the
// deletion.

import { texts } from "./conversation_texts.js";
import { button } from "./dom.js";

/** @typedef {import("./types.d.ts").Summary} Summary */
/**
 * @typedef {object} Acts
 * @property {(id: string) => void} open
 * @property {(id: string) => void} remove
 * @property {(id: string, title: string) => void} rename
 * @property {() => void} unchanged a title was left as it was
 */

/**
 * @param {HTMLElement} list
 * @param {HTMLElement} beside has the focus once no line is left for it
 * @param {Acts} acts
 */
export function createList(list, beside, acts) {
  return {
    /** Whether a title is being written; showing the list anew would end that. */
    get writing() {
      return list.querySelector("input") !== null;
    },
    /**
     * @param {Summary[]} summaries
     * @param {string | undefined} current the id of the open conversation
     */
    show(summaries, current) {
      const focus = focusIn(list, beside);
      list.replaceChildren(...summaries.map(summary => line(summary, summary.id === current, acts)));
      focus();
    },
  };
}

/**
 * Whoever has the focus in the list has it again in the new one: a function that gives it back.
 *
 * @param {HTMLElement} list
 * @param {HTMLElement} beside
 */
function focusIn(list, beside) {
  const focused = document.activeElement;
  const before = focused?.closest("li");
  if (!focused || !before || !list.contains(focused)) return () => {};
  const place = [...list.children].indexOf(before);
  return () => {
    const lines = /** @type {HTMLElement[]} */ ([...list.children]);
    const same = lines.find(({ dataset }) => dataset.id === before.dataset.id);
    const next = same ?? lines[Math.min(place, lines.length - 1)];
    const button = next?.querySelector(`.${focused.className}`);
    (button instanceof HTMLElement ? button : beside).focus();
  };
}

/**
 * @param {Summary} summary
 * @param {boolean} current
 * @param {Acts} acts
 */
function line({ id, title, updated }, current, acts) {
  const made = document.createElement("li");
  made.dataset.id = id;
  const opener = button("open", title, () => acts.open(id));
  opener.title = new Date(updated).toLocaleString();
  if (current) opener.setAttribute("aria-current", "true");
  const write = () => writeTitle(made, title, text => (text ? acts.rename(id, text) : acts.unchanged()));
  made.append(
    opener,
    button("rename", "\u270e", write, `${texts.rename}: ${title}`),
    button("remove", "\u2715", () => acts.remove(id), `${texts.remove}: ${title}`),
  );
  return made;
}

/**
 * Lets a title be written in its line: Enter, or leaving it, ends that; Escape leaves it as it was.
 *
 * @param {HTMLElement} line
 * @param {string} title
 * @param {(title: string) => void} written is given the new title, or "" for none
 */
function writeTitle(line, title, written) {
  const box = document.createElement("input");
  box.value = title;
  box.maxLength = 200;
  box.setAttribute("aria-label", texts.renaming);
  const buttons = [...line.children];
  let over = false; // for a box that is taken away is left as well
  /** @param {boolean} kept @param {boolean} pressed */
  const end = (kept, pressed) => {
    if (over) return;
    over = true;
    const text = box.value.trim();
    line.replaceChildren(...buttons);
    const renamer = line.querySelector(".rename");
    if (pressed && renamer instanceof HTMLElement) renamer.focus();
    written(kept && text !== title ? text : "");
  };
  box.onblur = () => end(true, false);
  box.onkeydown = event => {
    if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault(); // or Enter would press the button that has the focus next
    end(event.key === "Enter", true);
  };
  line.replaceChildren(box);
  box.select();
}
