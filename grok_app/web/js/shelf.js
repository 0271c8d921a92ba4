// The visitor's own personas, kept in the browser, see own_personas.js.
//
// The value of the gr.HTML is the JSON of them all, or "". The server sets it to what is to change,
// {slug: TOML, or null for one that goes}: it knows what there was when it was asked, and here there
// may be others by then.

import { finder } from "./dom.js";
import { download, fileName } from "./download.js";
import { createNote } from "./note.js";
import { KEY } from "./own_personas.js";
import { reason, write } from "./storage.js";
import { words } from "./words.js";

const texts = words({
  en: {
    importing: "Import a file", deleted: "The persona was deleted.", undo: "Undo",
    large: "The file is too large to be a persona.",
    unkept: "Your browser does not keep your personas: ",
    advice: " They are here until the page is left: export them, or free some of the browser's storage.",
  },
  de: {
    importing: "Datei importieren", deleted: "Die Persönlichkeit wurde gelöscht.", undo: "Rückgängig",
    large: "Die Datei ist zu groß für eine Persönlichkeit.",
    unkept: "Ihr Browser behält Ihre Persönlichkeiten nicht: ",
    advice: " Hier sind sie, bis Sie die Seite verlassen: exportieren Sie sie, oder schaffen Sie Platz im Speicher des Browsers.",
  },
});

const LARGEST = 200000; // bytes of a file; the server says what is too long for a persona
const UNDO_MS = 15000;
const SETTLED_MS = 300;

/** @param {import("./types.d.ts").Given} given */
export default function shelf({ element, props, trigger, watch }) {
  const find = finder(element);
  const input = find("input", HTMLInputElement);
  const note = createNote(find(".note"), UNDO_MS);
  let known = "{}"; // what was here before the newest change

  /** What the browser has becomes the value; the server is told, by "input" of what was changed here.
   * @param {string} text @param {"select" | "input"} [event] */
  function take(text, event = "select") {
    known = props.value = text;
    trigger(event); // not "change", which Gradio itself triggers again and again
  }

  /** @param {string} text */
  function keep(text) {
    problem(write(KEY, text, "localStorage"));
    take(text, "input");
  }

  /** @param {string} why "" for none */
  function problem(why) {
    find(".problem").textContent = why && `${texts.unkept}${why}.${texts.advice}`;
  }

  /** The server has set the value to a change. */
  function change() {
    if (!props.value) return;
    const before = JSON.parse(known);
    const now = { ...before, ...JSON.parse(props.value) };
    const gone = Object.keys(before).filter(slug => now[slug] === null);
    keep(JSON.stringify(now, (_slug, file) => file ?? undefined));
    if (gone.length) offer(Object.fromEntries(gone.map(slug => [slug, before[slug]])));
  }

  /** Offers to bring deleted ones back to what is there by then. @param {Record<string, string>} gone */
  function offer(gone) {
    const undo = () => {
      note.clear();
      keep(JSON.stringify({ ...JSON.parse(known), ...gone }));
    };
    note.show(texts.deleted, { text: texts.undo, act: undo });
  }

  function begin() {
    if (props.value) change(); // the server was quicker
    else if (known !== "{}") take(known);
  }

  async function importChosen() {
    const file = input.files?.[0];
    if (file && file.size > LARGEST) note.show(texts.large);
    else if (file) trigger("submit", { text: await file.text() });
    input.value = "";
  }

  find(".import").textContent = texts.importing;
  find(".import").onclick = () => input.click();
  input.setAttribute("aria-label", texts.importing);
  input.onchange = importChosen;
  try {
    known = localStorage.getItem(KEY) ?? known;
  } catch (error) {
    problem(reason(error));
  }
  Object.assign(window, { grok: { ...window.grok, savePersona } });
  watch("value", change);
  window.addEventListener("storage", event => {
    if (event.key === KEY && event.newValue) take(event.newValue);
  });
  // Not at once: while the page is being put together Gradio sets the value it began with once more.
  setTimeout(begin, SETTLED_MS);
}

/** Saves the file of the persona in the form. @param {string[]} inputs its name and its TOML */
function savePersona([name, text]) {
  download(`${fileName(name, "persona")}.toml`, new Blob([text], { type: "application/toml" }));
}
