// The notebook's sheet: a text, the tints of its tokens, and what else might have stood there.
//
// A textarea is written in; a layer beneath it has the tints. The value of the gr.HTML is what "submit"
// asks of the server, JSON, and then the server's answer; the tokens are fetched by the reply's id.

import { createChoices } from "./choices.js";
import { finder } from "./dom.js";
import { newId } from "./keeper.js";
import { createPace } from "./pace.js";
import { createPast } from "./past.js";
import { readText, stopReply } from "./reading.js";
import { write } from "./storage.js";
import { added, check, chosen, edited, EMPTY, question } from "./text_page.js";
import { createTints } from "./tints.js";
import { words } from "./words.js";

/** @typedef {import("./types.d.ts").TextPage} TextPage */
/** @typedef {{ used: number, context: number, seed: number }} About how long the text is, in tokens */
/**
 * @typedef {object} Running a continuation that is being made
 * @property {string} id
 * @property {number} seen tokens of it that are in the text
 * @property {About | null} about null: the server has not begun it yet
 * @property {boolean} [shared] whether another tab began it, which goes on with it
 */

const texts = words({
  en: {
    text: "Text", placeholder: "Write how a text begins; the model goes on.", go: "Continue", stop: "Stop",
    undo: "Undo", redo: "Redo", likely: "likely", unlikely: "unlikely", empty: "Write how the text begins first.",
    waiting: (/** @type {number} */ place) => `number ${place} in the queue`, reading: "reading the text ...",
    used: (/** @type {number} */ used, /** @type {number} */ context) => `context ${used} of ${context} tokens`,
    seed: (/** @type {number} */ seed) => `seed ${seed}`,
    ended: {
      stop: "the model ended the text here", length: "cut at its longest", stopped: "stopped",
      left: "ended, since no page had asked for it",
      failed: "the model has stopped working", gone: "the server no longer has the rest of this text",
    },
    unkept: "Your browser does not keep this text: copy it before you leave.",
  },
  de: {
    text: "Text", placeholder: "Schreiben Sie, wie ein Text beginnt; das Modell fährt fort.", go: "Weiter", stop: "Halt",
    undo: "Rückgängig", redo: "Wiederholen", likely: "wahrscheinlich", unlikely: "unwahrscheinlich", empty: "Schreiben Sie zuerst, wie der Text beginnt.",
    waiting: place => `Nummer ${place} in der Warteschlange`, reading: "liest den Text ...",
    used: (used, context) => `Kontext ${used} von ${context} Tokens`,
    seed: seed => `Startzahl ${seed}`,
    ended: {
      stop: "das Modell beendet den Text hier", length: "an der Längengrenze beendet", stopped: "angehalten",
      left: "beendet, da keine Seite danach gefragt hat",
      failed: "das Modell arbeitet nicht mehr", gone: "der Server hat den Rest dieses Textes nicht mehr",
    },
    unkept: "Ihr Browser behält diesen Text nicht: kopieren Sie ihn, bevor Sie gehen.",
  },
});

const KEY = "grok-1-notebook"; // in sessionStorage, and in localStorage for a tab that has none yet
const TYPING_MS = 1000; // what is typed within it is undone at once

/** @param {import("./types.d.ts").Given} given */
export default function notebook({ element, props, trigger, watch }) {
  const find = finder(element);
  const area = find("textarea", HTMLTextAreaElement);
  const undo = find(".undo", HTMLButtonElement);
  const redo = find(".redo", HTMLButtonElement);
  const sheet = find(".sheet");
  const box = find(".choices");
  const tints = createTints(find(".tints"));
  const before = kept();
  const past = createPast(before.page ?? EMPTY);
  const choices = createChoices(box, {
    page: () => past.now, wordOf: tints.wordOf, choose, left: () => area.focus(),
  });

  // What is seen.

  function draw() {
    tints.draw(past.now);
    find(".go").textContent = running ? texts.stop : texts.go;
    undo.disabled = past.isFirst;
    redo.disabled = past.isLast;
  }

  /** @param {string} text */
  function tell(text) {
    find(".status").textContent = text;
  }

  /** @param {string} text */
  function problem(text) {
    find(".problem").textContent = text;
  }

  // What the server does.

  /** @type {Running | null} */
  let running = null;

  function go() {
    if (!past.now.text) return tell(texts.empty);
    past.add(past.now);
    typed = -Infinity;
    running = { id: newId(), seen: 0, about: null };
    props.value = JSON.stringify({ id: running.id, ...question(past.now) });
    trigger("submit");
    tell(texts.reading);
    problem("");
    draw();
    save();
  }

  /** The server has begun what was asked, or says why not. */
  function answer() {
    const value = props.value && JSON.parse(props.value);
    if (!value || "text" in value) return; // the second is what this page asks
    if (running?.id !== value.id) { // it came too late
      if (!value.error) stopReply(value.id);
    } else if (value.error) {
      problem(value.error);
      ended("");
    } else if (running && !running.about) {
      running.about = value;
      goOn(running);
    }
  }

  /** Takes the tokens in as they come. @param {Running} one */
  async function goOn(one) {
    for await (const news of readText(one.id, one.seen)) {
      if (running !== one) return; // it was stopped, or another one begun
      if (!news.seen) return ended(texts.ended.gone);
      grow(news.tokens.reduce(added, past.now));
      one.seen += news.tokens.length;
      if (news.ended) {
        ended(texts.ended[/** @type {keyof typeof texts.ended} */ (news.ended)]);
      } else if (news.place) {
        tell(texts.waiting(news.place));
      } else {
        if (one.seen) tell(context(one));
        saveSoon();
      }
    }
  }

  async function stop() {
    const one = running;
    ended(texts.ended.stopped);
    if (one) await stopReply(one.id);
  }

  /** The text is to be another one: what is being made of it ends, unless another tab began it. */
  function leave() {
    if (running?.shared) ended("");
    else if (running) stop();
  }

  /** @param {string} how */
  function ended(how) {
    const about = running?.about;
    const parts = running && about ? [context(running), texts.seed(about.seed)] : [];
    running = null;
    tell([how, ...parts].filter(Boolean).join(" · "));
    draw();
    save();
  }

  /** @param {Running} one */
  function context({ about, seen }) {
    return about ? texts.used(about.used + seen, about.context) : "";
  }

  /** The answer goes on at the end; the caret stays where the reader has it. @param {TextPage} page */
  function grow(page) {
    const more = page.text.slice(past.now.text.length);
    const follow = sheet.scrollHeight - sheet.scrollTop - sheet.clientHeight < 40;
    const caret = area.selectionStart === area.value.length ? "end" : "preserve";
    past.replace(page);
    area.setRangeText(more, area.value.length, area.value.length, caret);
    draw();
    if (follow) sheet.scrollTop = sheet.scrollHeight;
  }

  // What the reader does.

  let typed = -Infinity; // when the page was last typed in

  function type() {
    leave();
    problem("");
    const page = edited(past.now, area.value);
    if (performance.now() - typed < TYPING_MS) past.replace(page);
    else past.add(page);
    typed = performance.now();
    choices.hide();
    draw();
    save();
  }

  /** @param {-1 | 1} by */
  function step(by) {
    leave();
    if (!past.step(by)) return;
    typed = -Infinity;
    area.value = past.now.text;
    choices.hide();
    draw();
    save();
  }

  /**
   * Another token stands here; what followed is cut, and the model goes on.
   *
   * @param {number} i
   * @param {import("./types.d.ts").Choice} choice
   */
  function choose(i, [id, text, , p]) {
    leave();
    past.add(chosen(past.now, i, { id, text: text ?? "", p, top: past.now.tokens[i].top }));
    area.value = past.now.text;
    choices.hide();
    area.focus();
    go();
  }

  /** Going to a word with keys or by a touch shows its choices; writing does not. */
  function atCaret() {
    const caret = area.selectionStart;
    const i = past.now.tokens.findIndex(token => token.at <= caret && caret < token.end);
    if (i < 0 || caret !== area.selectionEnd) choices.hide();
    else choices.show(i);
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key was for the notebook */
  function key(event) {
    const key = event.key.toLowerCase();
    const command = event.ctrlKey || event.metaKey;
    if (command && key === "enter") { if (!running) go(); }
    else if (command && key === "z") step(event.shiftKey ? 1 : -1);
    else if (command && key === "y") step(1);
    else if (key === "escape" && !box.hidden) choices.hide();
    else if (key === "escape" && running) stop();
    else if (key === "tab" && !event.shiftKey && !box.hidden) choices.focus();
    else return false;
    return true;
  }

  // The browser keeps the text.

  function save() {
    pace.wrote();
    const value = JSON.stringify({ ...past.now, running });
    if (write(KEY, value, "sessionStorage", "localStorage")) problem(texts.unkept);
  }

  const pace = createPace();

  function saveSoon() {
    if (pace.due()) save();
  }

  // The beginning.

  area.value = past.now.text;
  area.placeholder = texts.placeholder;
  area.spellcheck = false;
  area.setAttribute("aria-label", texts.text);
  undo.textContent = texts.undo;
  redo.textContent = texts.redo;
  find(".likely").textContent = texts.likely;
  find(".unlikely").textContent = texts.unlikely;
  find(".go").onclick = () => (running ? stop() : go());
  undo.onclick = () => step(-1);
  redo.onclick = () => step(1);

  area.oninput = type;
  area.onkeydown = event => {
    if (!key(event)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  area.onkeyup = event => {
    if (/^(Arrow|Home|End|Page)/.test(event.key)) atCaret();
  };
  area.onclick = atCaret;
  area.onmousemove = event => {
    const i = tints.tokenAt(event.clientX, event.clientY);
    if (i < 0) choices.linger();
    else choices.show(i);
  };
  area.onmouseleave = choices.linger;
  sheet.onscroll = choices.hide;
  element.addEventListener("focusout", ({ relatedTarget }) => {
    const inside = relatedTarget instanceof Node && box.contains(relatedTarget);
    if (relatedTarget !== area && !inside) choices.hide();
  });
  watch("value", answer);
  if (before.running) {
    running = before.running;
    tell(texts.reading);
    goOn(running);
  }
  draw();
}

/**
 * What this tab, or else another one, has kept: the text, and what is still being made of it.
 *
 * @returns {{ page: TextPage | null, running: Running | null }}
 */
function kept() {
  try {
    const own = sessionStorage.getItem(KEY);
    const value = JSON.parse(own ?? localStorage.getItem(KEY) ?? "null");
    const page = check(value);
    const running = page && value.running && { ...value.running, shared: own === null || value.running.shared };
    return { page: page && { text: page.text, tokens: page.tokens }, running };
  } catch {
    return { page: null, running: null };
  }
}
