// Reads replies off the server, for whatever shows them: the chat, the columns, the notebook.

import { tell } from "./connection.js";
import { createWaiting, follow } from "./follow.js";
import { call } from "./server.js";

const AGAIN_MS = 3000; // between two tries to stop a reply

const waiting = createWaiting();
document.addEventListener("visibilitychange", waiting.wake);
addEventListener("online", waiting.wake);

/** @typedef {import("./types.d.ts").News} News */
/** @typedef {import("./types.d.ts").TextNews} TextNews */

/**
 * What is new of a reply, until it has ended; see `follow`.
 *
 * @param {string} id
 * @returns {AsyncGenerator<News>}
 */
export function readReply(id) {
  return read("follow", id, [0, 0]);
}

/**
 * What is new of a text that goes on.
 *
 * @param {string} id
 * @param {number} tokens that are here already
 * @returns {AsyncGenerator<TextNews>}
 */
export function readText(id, tokens) {
  return read("follow_text", id, [0, tokens]);
}

/**
 * Ends a reply where it is: asks the server until it has heard it.
 *
 * @param {string} id
 */
export async function stopReply(id) {
  while ((await call("stop", id)) === undefined) await waiting.wait(AGAIN_MS);
  waiting.wake();
}

/** @param {"follow" | "follow_text"} name @param {string} id @param {number[]} from */
function read(name, id, from) {
  /** @param {number[]} seen */
  const ask = seen => call(name, [id, ...seen]);
  return follow(ask, waiting.wait, reached => tell(reached ? "reached" : "lost"), from);
}
