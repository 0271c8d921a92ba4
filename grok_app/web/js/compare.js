// The replies of several columns to one message: follows them, and keeps them for a reload.
//
// The value is JSON, a conversation for each column, whose last turn is the column's reply.

import { texts as told } from "./conversation_texts.js";
import { withLost, withReply } from "./growth.js";
import { newId } from "./keeper.js";
import { harmless } from "./markup.js";
import { createPace } from "./pace.js";
import { readReply, stopReply } from "./reading.js";
import { write } from "./storage.js";
import { words } from "./words.js";

/** @typedef {import("./types.d.ts").Conversation} Conversation */
/**
 * @typedef {object} Column
 * @property {Conversation} conversation
 * @property {string} status
 * @property {boolean} [shared] whether another tab asked for the reply, which goes on with it
 */

const texts = words({
  en: { unkept: "Your browser does not keep these replies: " },
  de: { unkept: "Ihr Browser behält diese Antworten nicht: " },
});
const KEY = "grok-1-compared"; // in sessionStorage, and in localStorage for a tab that has none yet

/** @param {import("./types.d.ts").Given} given */
export default function compare({ props, trigger }) {
  let columns = kept();
  const pace = createPace();

  /** Follows what the server has begun. */
  function begun() {
    if (!props.value) return;
    columns = JSON.parse(props.value).map((/** @type {Conversation} */ conversation) => ({ conversation, status: "" }));
    props.value = "";
    begin();
  }

  function begin() {
    for (const column of columns) run(column);
    changed();
  }

  /** @param {Column} column */
  async function run(column) {
    const { pending } = column.conversation;
    if (!pending) return;
    let text = "";
    for await (const news of readReply(pending.id)) {
      if (!columns.includes(column)) return; // another message was sent
      if (!news.seen) {
        column.conversation = withLost(column.conversation, pending, text);
        column.status = told.gone;
        return changed();
      }
      text += news.text;
      const ended = Boolean(news.ended);
      const reply = { text, grown: news.grown, ended, experts: news.experts };
      column.conversation = withReply(column.conversation, pending, reply);
      column.status = news.error ?? news.status;
      changed(ended); // the server forgets it later: another tab may follow it too
    }
  }

  /** @param {boolean} [now] whether it is written at once */
  function changed(now = true) {
    trigger("input");
    if (!now && !pace.due()) return;
    pace.wrote();
    const problem = write(KEY, JSON.stringify(columns), "sessionStorage", "localStorage");
    if (problem) for (const column of columns) column.status = `${texts.unkept}${problem}.`;
  }

  /** @param {Column[]} some */
  async function stop(some = columns) {
    const pending = some.flatMap(({ conversation }) => conversation.pending ?? []);
    await Promise.all(pending.map(({ id }) => stopReply(id)));
  }

  /** What the columns show, three values each, and the button of the message box.
   * @param {number} most how many columns there may be */
  function drawn(most) {
    const shown = Array.from({ length: most }, (_, k) => drawnColumn(columns[k]));
    const answering = columns.some(({ conversation }) => conversation.pending);
    return [...shown.flat(), update({ submit_btn: !answering, stop_btn: answering })];
  }

  /**
   * The inputs of the event that asks all columns: the ids of the replies, the conversation that is
   * open, and the rest.
   *
   * @param {number} most how many columns there may be
   * @param {number} message its place among the inputs
   * @param {unknown[]} inputs
   */
  async function ask(most, message, inputs) {
    if (String(inputs[message] ?? "").trim()) await stop(columns.filter(({ shared }) => !shared));
    return [JSON.stringify(Array.from({ length: most }, newId)), ...inputs.slice(1)];
  }

  /** The inputs of the event that keeps a column's reply. @param {number} number @param {unknown[]} inputs */
  async function keep(number, [, , ...rest]) {
    const open = await window.grok?.end([null, null]);
    return [JSON.stringify(columns[number]?.conversation ?? ""), open[0], ...rest];
  }

  Object.assign(window, {
    grok: {
      ...window.grok,
      compare: ask, compareBegun: begun, compareDrawn: drawn, compareStop: () => stop(), compareKeep: keep,
    },
  });
  begin();
}

/** @param {Column | undefined} column */
function drawnColumn(column) {
  if (!column) return ["", "", update({ interactive: false })];
  const { conversation: { nodes, pending, leaf }, status } = column;
  const last = leaf === null ? undefined : nodes[leaf];
  const text = last?.role === "assistant" ? harmless(last.text) : "";
  return [text, status, update({ interactive: Boolean(text) && !pending })];
}

/** A change of a component's properties, as Gradio reads it. @param {object} properties */
function update(properties) {
  return { __type__: "update", ...properties };
}

/** @returns {Column[]} what this tab, or else another one, has kept */
function kept() {
  try {
    const own = sessionStorage.getItem(KEY);
    const value = JSON.parse(own ?? localStorage.getItem(KEY) ?? "[]");
    const columns = value.filter((/** @type {Column} */ { conversation }) => Array.isArray(conversation.nodes));
    return columns.map((/** @type {Column} */ column) => ({ ...column, shared: own === null || column.shared }));
  } catch {
    return [];
  }
}
