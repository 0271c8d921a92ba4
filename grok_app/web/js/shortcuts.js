// Keyboard shortcuts, and the dialog that lists them.

import { finder, make } from "./dom.js";
import { words } from "./words.js";

const texts = words({
  en: {
    title: "Keyboard shortcuts", close: "Close", message: "write a message", stop: "stop the reply, leave an edit",
    fresh: "new chat", again: "another version of the last reply", more: "let the reply go on",
    older: "older version", newer: "newer version", list: "conversations", settings: "settings", help: "this list", send: "send the message", halt: "stop the reply",
    go: "in the notebook: continue", undo: "in the notebook: undo, also what was continued",
  },
  de: {
    title: "Tastenkürzel", close: "Schließen", message: "eine Nachricht schreiben", stop: "Antwort anhalten, Bearbeiten verlassen",
    fresh: "neues Gespräch", again: "andere Fassung der letzten Antwort", more: "Antwort fortsetzen",
    older: "ältere Fassung", newer: "neuere Fassung", list: "Gespräche", settings: "Einstellungen", help: "diese Liste", send: "Nachricht senden", halt: "Antwort anhalten",
    go: "im Notizbuch: weiter", undo: "im Notizbuch: rückgängig, auch die Fortsetzung",
  },
});

/**
 * @typedef {object} Shortcut
 * @property {string} key
 * @property {boolean} alt whether it is pressed with Alt
 * @property {string} text what it does, for the list
 * @property {() => void} act
 */

/** @param {import("./types.d.ts").Given} given */
export default function shortcuts({ element }) {
  const find = finder(element);
  const dialog = find("dialog", HTMLDialogElement);
  const opener = find(".opener");
  const all = shortcutsOf(dialog);

  document.addEventListener("keydown", event => {
    if (!dialog.open) obey(event, all);
  });
  new MutationObserver(nameParts).observe(document.body, { childList: true, subtree: true });

  opener.textContent = texts.title;
  opener.onclick = () => dialog.showModal();
  dialog.setAttribute("aria-label", texts.title);
  find("dialog h2").textContent = texts.title;
  find("dialog button").textContent = texts.close;
  find("dialog dl").replaceChildren(...described(all));
}

/** @param {HTMLDialogElement} dialog @returns {Shortcut[]} */
function shortcutsOf(dialog) {
  const message = () => document.querySelector(/** @type {"textarea"} */ ("#message textarea"))?.focus();
  return [
    { key: "/", alt: false, text: texts.message, act: message },
    { key: "Escape", alt: false, text: texts.stop, act: stop },
    { key: "n", alt: true, text: texts.fresh, act: () => press("#new") },
    { key: "r", alt: true, text: texts.again, act: retry },
    { key: "c", alt: true, text: texts.more, act: () => press("#more") },
    { key: ",", alt: true, text: texts.older, act: () => press("#older") },
    { key: ".", alt: true, text: texts.newer, act: () => press("#newer") },
    { key: "l", alt: true, text: texts.list, act: () => press("#talks .toggle-button") },
    { key: "s", alt: true, text: texts.settings, act: () => press("#settings .toggle-button") },
    { key: "?", alt: false, text: texts.help, act: () => dialog.showModal() },
  ];
}

/** @param {string} selector */
function press(selector) {
  document.querySelector(/** @type {"button"} */ (selector))?.click();
}

// Gradio gives the buttons of a message no names of their own but translated ones: copy, retry,
// undo, edit below the last reply; submit, cancel below a message that is being edited.
function retry() {
  const last = [...document.querySelectorAll("#chat [data-testid=bot], #chat [data-testid=user]")].pop();
  if (last?.getAttribute("data-testid") === "user") return press("#more"); // there is no reply yet
  const below = [...document.querySelectorAll("#chat .message-buttons")].pop();
  below?.querySelectorAll("button")[1]?.click();
}

function stop() {
  const edited = document.querySelector("#chat textarea")?.closest(".message-row");
  /** @type {NodeListOf<HTMLButtonElement> | undefined} */
  const buttons = edited?.parentElement?.querySelectorAll(".message-buttons button");
  const running = document.querySelector(/** @type {"button"} */ ("#message .stop-button"));
  if (buttons?.[1]) buttons[1].click();
  else if (running?.offsetParent) running.click(); // not the one of a tab that is hidden
}

/** Does what a key is for. @param {KeyboardEvent} event @param {Shortcut[]} all */
function obey(event, all) {
  const target = event.target;
  if (!(target instanceof Element) || event.ctrlKey || event.metaKey || event.isComposing) return;
  const pressed = event.code.replace(/^Key/, "").toLowerCase();
  const key = event.altKey ? { comma: ",", period: "." }[pressed] ?? pressed : event.key;
  const found = all.find(shortcut => shortcut.key === key && shortcut.alt === event.altKey);
  const character = event.key === "Dead" || (event.key.length === 1 && event.key.toLowerCase() !== key);
  const writing = target.closest("input, textarea, select, [contenteditable=true]") !== null;
  if (event.altKey && character && writing) return; // Alt types it on some keyboards
  const elsewhere = event.key !== "Escape" || !target.closest("#message, #chat");
  if (!found || (!event.altKey && elsewhere && writing)) return;
  if (event.key !== "Escape") event.preventDefault();
  found.act();
}

// Gradio calls the suggested openings a list, without items in it: to a screen reader that is empty.
// And these buttons have signs for names, or all the same.
const NAMES = {
  "#older": texts.older, "#newer": texts.newer,
  "#talks .toggle-button": texts.list, "#settings .toggle-button": texts.settings,
  "#message .submit-button": texts.send, "#message .stop-button": texts.halt,
};

function nameParts() {
  document.querySelector("#chat .examples[role=list]")?.setAttribute("role", "group");
  for (const [selector, name] of Object.entries(NAMES)) {
    const button = document.querySelector(selector);
    if (button && button.ariaLabel !== name) button.ariaLabel = name;
  }
}

/** The list of all keys, those of the notebook too. @param {Shortcut[]} all */
function described(all) {
  /** @type {[string[], string][]} */
  const lines = all.map(({ key, alt, text }) => [
    alt ? ["Alt", key.toUpperCase()] : [key === "Escape" ? "Esc" : key], text,
  ]);
  lines.push([["Ctrl", "Enter"], texts.go], [["Ctrl", "Z"], texts.undo]); // see notebook.js
  return lines.flatMap(([keys, text]) => {
    const term = make("dt");
    for (const key of keys) term.append(make("kbd", key), " ");
    return [term, make("dd", text)];
  });
}
