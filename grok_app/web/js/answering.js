// The replies that are being made in this tab's conversations: follows each until it has ended, writes
// down what comes, and draws it where its conversation is open.

import { withLost, withReply } from "./growth.js";
import { newId } from "./keeper.js";
import { harmless } from "./markup.js";
import { createPace } from "./pace.js";
import { readReply, stopReply } from "./reading.js";
import { call } from "./server.js";
import { branch } from "./tree.js";

/** @typedef {import("./types.d.ts").Conversation} Conversation */
/** @typedef {import("./types.d.ts").Pending} Pending */
/**
 * @typedef {object} Followed a reply that is being followed
 * @property {string} text so far
 * @property {string[]} tokens a line each for the map of experts
 * @property {number} drawn how many of these lines are in the map
 * @property {string} status the line below the conversation
 * @property {boolean} replaced whether something else was asked for since
 * @property {Promise<void>} ended
 */
/**
 * @typedef {object} Page
 * @property {ReturnType<typeof import("./opened.js").createOpened>} opened
 * @property {(id: string) => string} idOf under which id a conversation goes on here
 * @property {(id: string, change: (stored: Conversation) => Conversation) => Promise<Conversation | null>}
 *     write changes a conversation in the store
 * @property {() => void} draw makes Gradio draw what `drawn` gives
 * @property {() => void} settle lets the server draw the conversation after a reply
 * @property {{ gone: string }} texts
 */

const DRAWN_MS = 1000; // in which Gradio has drawn what it was given
const END_MS = 3000; // in which a reply that was stopped ends, if the server can be reached
const ANSWERED_MS = 10_000; // in which the server has answered an event, if it ever will

/** @param {Page} page */
export function createAnswering({ opened, idOf, write, draw, settle, texts }) {
  /** @type {Map<string, Followed>} by the reply's id */
  const followed = new Map();
  /** @type {{ id: string, reply: Followed } | null} what is to be drawn next, and in which conversation */
  let latest = null;
  let wasStopped = false;
  /** Gradio draws something: over whatever was drawn since it was asked to. @type {Promise<void>} */
  let drawing = Promise.resolve();
  let isDrawn = () => {};
  /** The server answers an event that asks for a reply: over whatever was drawn since. @type {Promise<void>} */
  let asking = Promise.resolve();
  let isAnswered = () => {};
  let sent = { id: "", text: "" }; // the newest message, and the id of the reply to it

  /** The server has answered: follows the reply of the conversation that is open, if there is one. */
  function begin() {
    isAnswered();
    const conversation = opened.get();
    const pending = conversation?.pending;
    if (!conversation || !pending) return;
    const known = followed.get(pending.id);
    if (known) { // the conversation was left and is opened again
      known.drawn = 0;
      known.replaced = false;
      show(conversation.id, known);
      return;
    }
    /** @type {Followed} */
    const reply = { text: "", tokens: [], drawn: 0, status: "", replaced: false, ended: Promise.resolve() };
    followed.set(pending.id, reply);
    reply.ended = run(conversation.id, pending, reply).finally(() => followed.delete(pending.id));
  }

  /** @param {string} id of the conversation @param {Pending} pending @param {Followed} reply */
  async function run(id, pending, reply) {
    // Where another tab wrote something else meanwhile, the conversation goes on under another id.
    const pace = createPace();
    for await (const news of readReply(pending.id)) {
      if (!news.seen) return lose(id, pending, reply);
      reply.text += news.text;
      reply.tokens.push(...news.tokens);
      reply.status = news.error ?? news.status;
      const ended = Boolean(news.ended);
      const grown = news.grown || (news.ended === "stop" && reply.text !== "");
      /** @param {Conversation} conversation */
      const grow = conversation =>
        withReply(conversation, pending, { text: reply.text, grown, ended, experts: news.experts });
      id = idOf(id);
      change(id, grow);
      show(id, reply);
      if (!ended && !pace.due()) continue;
      pace.wrote();
      const kept = await write(id, grow);
      id = idOf(id);
      if (!ended) continue;
      if (kept) call("forget", pending.id); // else the server's is the only whole copy
      end(id, reply, news.ended === "stopped");
    }
  }

  /** The server has no such reply (any more): what another tab or this one has of it is all.
   * @param {string} id @param {Pending} pending @param {Followed} reply */
  async function lose(id, pending, reply) {
    let wasHere = false;
    /** @param {Conversation} conversation */
    const close = conversation => {
      wasHere ||= conversation.pending?.id === pending.id;
      return withLost(conversation, pending, reply.text);
    };
    const stored = await write(id, close);
    if (stored && !wasHere) { // another tab has all of it, and goes on with what follows
      change(id, () => stored);
      return stored.pending || stored.replay ? begin() : end(id, reply, false);
    }
    change(id, conversation => stored ?? close(conversation));
    reply.status = texts.gone;
    show(id, reply);
    end(id, reply, false);
  }

  /** @param {string} id @param {Followed} reply @param {boolean} stopped */
  function end(id, reply, stopped) {
    if (reply.replaced || !isOpen(id)) return;
    wasStopped = stopped;
    settle();
  }

  /** Changes the open conversation, if it is this one.
   * @param {string} id @param {(conversation: Conversation) => Conversation} act */
  function change(id, act) {
    const conversation = opened.get();
    if (conversation && isOpen(id)) opened.set(act(conversation));
  }

  /** @param {string} id */
  function isOpen(id) {
    return opened.get()?.id === idOf(id);
  }

  /** @param {string} id @param {Followed} reply */
  function show(id, reply) {
    if (reply.replaced || !isOpen(id)) return;
    latest = { id, reply };
    draw();
  }

  /** Ends the reply of the open conversation, and waits until all of it is there. */
  async function finish() {
    const conversation = opened.get();
    const pending = conversation?.pending;
    if (!conversation || !pending) return;
    const reply = followed.get(pending.id);
    if (reply) reply.replaced = true;
    stop();
    await Promise.race([reply?.ended, new Promise(done => setTimeout(done, END_MS))]);
    // Where the server cannot be reached it is still pending: the page goes on with what there is, and
    // the turn, which keeps its mark, is completed in the store when the server is back.
    change(conversation.id, now => {
      const { pending: left, ...rest } = now;
      return left?.id === pending.id ? rest : now;
    });
  }

  /** Ends the reply of the open conversation where it is. */
  async function stop() {
    const pending = opened.get()?.pending;
    if (pending) await stopReply(pending.id);
  }

  /**
   * The inputs of an event that asks for a reply: its id, the open conversation, and the rest.
   *
   * @param {unknown[]} inputs
   */
  async function ask([, , ...rest]) {
    await answered();
    await finish();
    return whenDrawn(asked(newId(), rest));
  }

  /** The inputs of an event whose answer is to come. @param {string} id @param {unknown[]} rest */
  function asked(id, rest) {
    asking = new Promise(done => { isAnswered = done; });
    return [id, opened.text, ...rest];
  }

  /**
   * The inputs of an event that draws another conversation, once nothing of this one is still to come.
   *
   * @param {unknown[]} inputs
   */
  async function whenDrawn(inputs) {
    await Promise.race([drawing, new Promise(done => setTimeout(done, DRAWN_MS))]);
    return inputs;
  }

  /** Waits until no answer is to come that would be drawn over what comes next. */
  function answered() {
    return Promise.race([asking, new Promise(done => setTimeout(done, ANSWERED_MS))]);
  }

  return {
    begin,
    stop,
    ask,
    isDrawn: () => { isDrawn(); },
    /**
     * The same for a new conversation.
     *
     * @param {unknown[]} inputs
     */
    async close(inputs) {
      await answered();
      opened.set(null);
      return whenDrawn(inputs);
    },
    /**
     * The same for one of those that are kept.
     *
     * @param {unknown[]} inputs
     */
    async open(inputs) {
      await answered();
      return whenDrawn(inputs);
    },
    /**
     * The inputs of the event that sends a message, the last of them; an empty one ends nothing.
     *
     * @param {unknown[]} inputs
     */
    async send(inputs) {
      const text = String(inputs.at(-1) ?? "");
      const given = text.trim() ? await ask(inputs) : ["", opened.text, ...inputs.slice(2)];
      sent = { id: String(given[0]), text };
      return given;
    },
    /**
     * Follows the reply to a message. Gives what the message box holds from now on: what was written
     * while the server was out of reach stays.
     *
     * @param {[string]} inputs what it holds
     */
    sent([text]) {
      begin();
      const isTaken = sent.id !== "" && opened.get()?.pending?.id === sent.id;
      return [isTaken && text === sent.text ? "" : text];
    },
    /**
     * The inputs of an event that begins with the open conversation as it is.
     *
     * @param {unknown[]} inputs
     */
    replayed([, , ...rest]) {
      return asked(newId(), rest);
    },
    /**
     * The inputs of an event that changes the open conversation otherwise.
     *
     * @param {unknown[]} inputs
     */
    async end([, ...rest]) {
      await answered();
      await finish();
      return whenDrawn([opened.text, ...rest]);
    },
    /**
     * The inputs of the event after a reply: the id of one that may follow it, or "-".
     *
     * @param {unknown[]} inputs
     */
    settled([, , ...rest]) {
      return asked((wasStopped ? "-" : "") + newId(), rest);
    },
    /**
     * The chat, the map of experts and the line below, with what is new of the open conversation;
     * nothing where another one was opened meanwhile.
     *
     * @param {[any[], string]} inputs the messages of the chat, as Gradio has them, and lines of JSON
     */
    drawn([messages, experts]) {
      const conversation = opened.get();
      if (!latest || !conversation || !isOpen(latest.id)) return [];
      drawing = new Promise(done => { isDrawn = done; });
      const { reply } = latest;
      const more = reply.tokens.slice(reply.drawn).map(line => `${line}\n`).join("");
      reply.drawn = reply.tokens.length;
      return [withBubble(messages, conversation, reply.text), experts + more, reply.status];
    },
  };
}

/**
 * The messages of the chat with the text of the reply that is being made behind those it answers.
 *
 * @param {any[]} messages
 * @param {Conversation} conversation
 * @param {string} text
 */
function withBubble(messages, conversation, text) {
  const { pending, nodes, leaf } = conversation;
  const length = pending ? branch({ nodes, leaf: pending.parent }).length : branch({ nodes, leaf }).length - 1;
  if (!text || !messages[length - 1]) return messages;
  const content = [{ type: "text", text: harmless(text) }];
  return [...messages.slice(0, length), { role: "assistant", metadata: null, options: null, content }];
}
