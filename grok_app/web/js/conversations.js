// The list of conversations, kept in the visitor's own browser.
//
// The value of its gr.HTML is the JSON of the conversation that is open, or "". The server sets it
// after each turn, and it is saved here; "select" tells the server that another one is open, "submit"
// that it is to be replayed.

import * as files from "./conversation_files.js";
import { createList } from "./conversation_list.js";
import { texts } from "./conversation_texts.js";
import { finder } from "./dom.js";
import { draftsAreBack } from "./drafts.js";
import { createAnswering } from "./answering.js";
import { createKeeper } from "./keeper.js";
import { createNote } from "./note.js";
import { createOpened } from "./opened.js";
import { call, raise } from "./server.js";
import { reason } from "./storage.js";
import { openStore } from "./store.js";
import { leadsTo } from "./tree.js";

/** @typedef {import("./types.d.ts").Conversation} Conversation */

const DATABASE = "grok-1-in-the-browser";
const UNDO_MS = 10000;

/** @param {import("./types.d.ts").Given} given */
export default function conversations({ element, props, trigger, watch }) {
  const find = finder(element);
  const search = find("input[type=search]", HTMLInputElement);
  const chooser = find("input[type=file]", HTMLInputElement);
  const problem = find(".problem");
  const note = createNote(find(".note"), UNDO_MS);
  const others = new BroadcastChannel(DATABASE); // the other tabs
  const store = openStore(DATABASE);
  const keeper = createKeeper(store, texts.other);
  const opened = createOpened(props);
  const answering = createAnswering({
    opened, texts, idOf: keeper.idOf, write: (id, act) => after(() => write(id, act)),
    draw: () => raise("input"),
    settle: () => raise("submit"),
  });
  const list = createList(find("ul"), search, {
    open: id => attempt(() => open(id)),
    remove: id => attempt(() => remove(id)),
    rename: (id, title) => attempt(() => rename(id, title)),
    unchanged: () => attempt(show),
  });

  /** @param {() => unknown} act */
  async function attempt(act) {
    try {
      await act();
    } catch (error) {
      problem.textContent = `${texts.failed}${reason(error)}.`;
    }
  }

  // What is seen.

  let newest = 0;

  async function show() {
    const turn = ++newest; // an older answer that comes later must not overwrite a newer one
    const query = search.value.trim().toLowerCase();
    const summaries = await store.read(tables => tables.list(query));
    if (turn !== newest || list.writing) return; // the end of the writing shows the list
    list.show(summaries, opened.get()?.id);
    find(".none").textContent = summaries.length ? "" : query ? texts.unmatched : texts.none;
  }

  function changed() {
    others.postMessage("changed");
    return show();
  }

  // What is kept.

  /** @type {Promise<unknown>} */
  let saving = Promise.resolve();
  let unkept = false; // whether the newest state could not be written

  /**
   * Writes something after all that came before; where that fails the reader is told.
   *
   * @template T
   * @param {() => Promise<T>} act
   * @returns {Promise<T | null>}
   */
  function after(act) {
    const done = saving.then(act).then(
      result => {
        problem.textContent = "";
        unkept = false;
        return result;
      },
      error => {
        problem.textContent = `${texts.unkept}${reason(error)}.${texts.advice}`;
        unkept = true;
        return null;
      },
    );
    saving = done;
    return done;
  }

  function keep() {
    const text = props.value;
    after(() => save(text));
  }

  /** @param {string} id @param {(stored: Conversation) => Conversation} act */
  async function write(id, act) {
    const stored = await keeper.change(id, act);
    const open = opened.get();
    if (open?.id !== keeper.idOf(id)) return stored;
    if (!stored && !unkept) note.show(texts.elsewhere);
    // What could not be written before is written now, or the reader hears of it again; and what
    // another tab has left out goes on as a copy. What it has deleted stays deleted.
    const isBehind = stored ? !leadsTo(open.nodes, stored.nodes) : unkept;
    return isBehind ? keepOpen(open) : stored;
  }

  /** Writes what this tab has open. @param {Conversation} open */
  async function keepOpen(open) {
    const kept = await keeper.save(open);
    const now = opened.get();
    if (now?.id === open.id) opened.set({ ...now, id: kept.id, title: kept.title });
    changed();
    return kept;
  }

  /** @param {string} text what the server has made of the open conversation */
  async function save(text) {
    /** @type {Conversation | null} */
    const made = text ? JSON.parse(text) : null;
    const kept = made?.nodes.length ? await keeper.save(made) : null;
    const now = opened.get();
    if (props.value === text) opened.set(kept);
    else if (now && kept && now.id === made?.id) opened.set({ ...now, id: kept.id, title: kept.title });
    return kept ? changed() : show();
  }

  // What the visitor does with one of them.

  /** @param {string} id */
  async function open(id) {
    const conversation = await store.read(tables => tables.get(id));
    if (!conversation) return;
    keeper.open(id);
    opened.set(conversation);
    trigger("select");
    await show();
  }

  /** @param {string} id @param {string} title */
  async function rename(id, title) {
    await keeper.rename(id, title);
    const current = opened.get();
    if (current?.id === id) opened.set({ ...current, title });
    await changed();
  }

  /** @param {string} id */
  async function remove(id) {
    const removed = await keeper.remove(id);
    if (removed.reply) call("stop", removed.reply);
    const wasOpen = opened.get()?.id === id;
    if (wasOpen) fresh();
    note.show(`${texts.removed} ${removed.title}`, { text: texts.undo, act: () => attempt(undo) });
    await changed();

    async function undo() {
      await removed.undo();
      note.clear();
      await changed();
      if (wasOpen && !opened.get()) await open(id);
    }
  }

  function fresh() {
    finder(document)("#new").click();
  }

  // What goes out and comes in.

  /** @param {(conversation: Conversation) => unknown} act what is done with the open conversation */
  function withOpen(act) {
    const conversation = opened.get();
    return conversation ? act(conversation) : note.show(texts.nothing);
  }

  async function exportAll() {
    files.exportAll(await store.read(tables => tables.all()));
  }

  /** @param {Conversation} conversation */
  async function copyReplay(conversation) {
    const done = conversation.nodes.length ? await files.copyReplay(conversation) : texts.nothing;
    if (done) note.show(done);
  }

  /** @param {Promise<Conversation>} reading */
  async function replay(reading) {
    try {
      opened.set(await reading);
      trigger("submit");
    } catch (error) {
      note.show(reason(error));
    }
  }

  /** @param {File} file */
  async function importFile(file) {
    if (file.name.endsWith(".replay.json")) return replay(files.replayOfFile(file));
    let read;
    try {
      read = await files.conversationsOf(file);
    } catch (error) {
      return note.show(reason(error));
    }
    const added = await keeper.add(read);
    changed();
    if (added.length === 1) await open(added[0].id);
  }

  async function importChosen() {
    const chosen = [...chooser.files ?? []];
    chooser.value = ""; // so that the same file, once mended, can be chosen again
    for (const file of chosen) await importFile(file);
  }

  /** Whether there is a replay in the page's address, which then begins. */
  function replayAddress() {
    const reading = files.replayOfAddress();
    if (reading) replay(reading);
    return reading !== null;
  }

  // The beginning.

  /** @param {string} name @param {string} text @param {() => unknown} act */
  function button(name, text, act) {
    const made = find(`.${name}`);
    made.textContent = text;
    made.onclick = () => attempt(act);
  }

  search.placeholder = texts.search;
  search.setAttribute("aria-label", texts.search);
  search.oninput = () => attempt(show);
  chooser.setAttribute("aria-label", texts.importing);
  chooser.onchange = () => attempt(importChosen);
  find("ul").setAttribute("aria-label", texts.list);
  button("fresh", texts.fresh, fresh);
  button("import", texts.importing, () => chooser.click());
  button("export", texts.exporting, () => withOpen(files.exportJson));
  button("markdown", texts.markdown, () => withOpen(files.exportMarkdown));
  button("all", texts.all, exportAll);
  button("replay", texts.replay, () => withOpen(copyReplay));

  Object.assign(window, { grok: { ...window.grok, ...answering } });
  watch("value", keep);
  others.onmessage = () => attempt(show);
  addEventListener("hashchange", replayAddress); // a link that is opened where the page is already
  attempt(async () => {
    if (props.value) keep(); // a turn was made before this module had arrived
    await show();
    await draftsAreBack; // else the persona that answered would bring its settings over the kept ones
    if (replayAddress() || props.value) return;
    const before = opened.before();
    if (before) await open(before);
  });
}
