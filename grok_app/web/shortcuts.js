// Keyboard shortcuts, and the dialog that lists them. Runs inside a gr.HTML: `element` is given.

const WORDS = {
  en: {
    title: "Keyboard shortcuts", close: "Close", message: "write a message", stop: "stop the reply, leave an edit",
    fresh: "new chat", again: "another version of the last reply", more: "have the reply go on",
    older: "older version", newer: "newer version", list: "conversations", settings: "settings", help: "this list", send: "send the message", halt: "stop the reply",
    go: "in the notebook: continue", undo: "in the notebook: undo, also what was continued",
  },
  de: {
    title: "Tastenkürzel", close: "Schließen", message: "eine Nachricht schreiben", stop: "Antwort anhalten, Bearbeiten verlassen",
    fresh: "neues Gespräch", again: "andere Fassung der letzten Antwort", more: "Antwort fortsetzen",
    older: "ältere Fassung", newer: "neuere Fassung", list: "Gespräche", settings: "Einstellungen", help: "diese Liste", send: "Nachricht senden", halt: "Antwort anhalten",
    go: "im Notizbuch: weiter", undo: "im Notizbuch: rückgängig, auch die Fortsetzung",
  },
};
const words = WORDS[navigator.language.slice(0, 2)] ?? WORDS.en;

const dialog = element.querySelector("dialog");
const opener = element.querySelector(".opener");
const press = selector => () => document.querySelector(selector)?.click();

// Gradio gives the buttons of a message no names of their own but translated ones: copy, retry,
// undo, edit below the last reply; submit, cancel below a message that is being edited.
function retry() {
  const last = [...document.querySelectorAll("#chat [data-testid=bot], #chat [data-testid=user]")].pop();
  if (last?.dataset.testid === "user") return press("#more")(); // there is none yet
  [...document.querySelectorAll("#chat .message-buttons")].pop()?.querySelectorAll("button")[1]?.click();
}

function stop() {
  const edited = document.querySelector("#chat textarea")?.closest(".message-row");
  const cancel = edited?.parentElement.querySelectorAll(".message-buttons button")[1];
  const running = document.querySelector("#message .stop-button");
  (cancel ?? (running?.offsetParent ? running : null))?.click(); // not the one of a tab that is hidden
}

// key, with Alt or not, what it does, the act
const KEYS = [
  ["/", false, words.message, () => document.querySelector("#message textarea")?.focus()],
  ["Escape", false, words.stop, stop],
  ["n", true, words.fresh, press("#new")],
  ["r", true, words.again, retry],
  ["c", true, words.more, press("#more")],
  [",", true, words.older, press("#older")],
  [".", true, words.newer, press("#newer")],
  ["l", true, words.list, press("#talks .toggle-button")],
  ["s", true, words.settings, press("#settings .toggle-button")],
  ["?", false, words.help, () => dialog.showModal()],
];

function typing(target) {
  return target.closest?.("input, textarea, select, [contenteditable=true]");
}

document.addEventListener("keydown", event => {
  if (dialog.open || event.ctrlKey || event.metaKey || event.isComposing) return;
  const pressed = event.code.replace(/^Key/, "").toLowerCase();
  const key = event.altKey ? { comma: ",", period: "." }[pressed] ?? pressed : event.key;
  const found = KEYS.find(([name, alt]) => name === key && alt === event.altKey);
  const character = event.key === "Dead" || (event.key.length === 1 && event.key.toLowerCase() !== key);
  if (event.altKey && character && typing(event.target)) return; // Alt types it on some keyboards
  const elsewhere = event.key !== "Escape" || !event.target.closest("#message, #chat");
  if (!found || (!event.altKey && elsewhere && typing(event.target))) return;
  if (event.key !== "Escape") event.preventDefault();
  found[3]();
});

// Gradio calls the suggested openings a list, without items in it: to a screen reader that is empty.
// And these buttons have signs for names, or all the same.
const NAMES = {
  "#older": words.older, "#newer": words.newer,
  "#talks .toggle-button": words.list, "#settings .toggle-button": words.settings,
  "#message .submit-button": words.send, "#message .stop-button": words.halt,
};
new MutationObserver(() => {
  document.querySelector("#chat .examples[role=list]")?.setAttribute("role", "group");
  for (const [selector, name] of Object.entries(NAMES)) {
    const button = document.querySelector(selector);
    if (button && button.ariaLabel !== name) button.ariaLabel = name;
  }
}).observe(document.body, { childList: true, subtree: true });

opener.textContent = words.title;
opener.onclick = () => dialog.showModal();
dialog.setAttribute("aria-label", words.title);
dialog.querySelector("h2").textContent = words.title;
dialog.querySelector("button").textContent = words.close;
const ELSEWHERE = [[["Ctrl", "Enter"], words.go], [["Ctrl", "Z"], words.undo]]; // see notebook.js
const named = { Escape: "Esc" };
const all = [
  ...KEYS.map(([key, alt, what]) => [alt ? ["Alt", key.toUpperCase()] : [named[key] ?? key], what]),
  ...ELSEWHERE,
];
dialog.querySelector("dl").replaceChildren(...all.flatMap(([keys, what]) => {
  const term = document.createElement("dt");
  const meaning = document.createElement("dd");
  for (const key of keys) {
    term.append(Object.assign(document.createElement("kbd"), { textContent: key }), " ");
  }
  meaning.textContent = what;
  return [term, meaning];
}));
