// Conversations leave the browser and come back: as files, and as links that replay one.

import { texts } from "./conversation_texts.js";
import { download, fileName } from "./download.js";
import { newId } from "./keeper.js";
import { pack, unpack } from "./link.js";
import { ownName, ownPersonas } from "./own_personas.js";
import { reason } from "./storage.js";
import { forFile } from "./growth.js";
import { check, markdown, replayOf, Unreadable } from "./tree.js";

/** @typedef {import("./types.d.ts").Conversation} Conversation */

const LONGEST_LINK = 8000; // characters; longer ones are cut by some programs

/**
 * A conversation as JSON, for `conversationsOf`.
 *
 * @param {Conversation} conversation
 */
export function exportJson(conversation) {
  save(`${fileName(conversation.title)}.json`, "application/json", JSON.stringify(forFile(conversation), null, 1));
}

/** @param {Conversation[]} conversations */
export function exportAll(conversations) {
  save("conversations.json", "application/json", JSON.stringify({ conversations: conversations.map(forFile) }, null, 1));
}

/** @param {Conversation} conversation */
export function exportMarkdown(conversation) {
  const text = markdown(conversation, { you: texts.you, persona: nameOf });
  save(`${fileName(conversation.title)}.md`, "text/markdown", text);
}

/** @param {string} name @param {string} type @param {string} text */
function save(name, type, text) {
  download(name, new Blob([text], { type }));
}

/** @param {string} slug of a shipped persona, or of one of the visitor's own */
function nameOf(slug) {
  return ownName(slug) ?? slug.charAt(0).toUpperCase() + slug.slice(1).replaceAll("-", " ");
}

/**
 * The conversations of an exported file.
 *
 * @param {File} file
 * @returns {Promise<Conversation[]>}
 * @throws {Error} says, in the reader's language, that the file holds none
 */
export function conversationsOf(file) {
  return readable(file, text => {
    const value = JSON.parse(text);
    return (Array.isArray(value?.conversations) ? value.conversations : [value]).map(check);
  });
}

/**
 * The conversation of a file that `copyReplay` has made, see `replayIn`.
 *
 * @param {File} file
 */
export function replayOfFile(file) {
  return readable(file, replayIn);
}

/**
 * @template T
 * @param {File} file
 * @param {(text: string) => T} read
 */
async function readable(file, read) {
  try {
    return read(await file.text());
  } catch (error) {
    throw new Error(texts.unread(file.name) + why(error));
  }
}

/** @param {unknown} error */
function why(error) {
  return error instanceof Unreadable ? texts.unreadable[error.problem](error.turn) : reason(error);
}

/**
 * The conversation that is to be replayed, under an id of its own.
 *
 * @param {string} text
 */
function replayIn(text) {
  return { ...check(JSON.parse(text)), id: newId() };
}

/**
 * Puts a link to the open branch on the clipboard, or saves it as a file where it is too long.
 *
 * @param {Conversation} conversation
 * @returns {Promise<string>} what was done, "" where the reader sees it
 */
export async function copyReplay(conversation) {
  const replay = JSON.stringify(replayOf(forFile(conversation), ownPersonas()));
  const link = `${location.origin}${location.pathname}#replay=${await pack(replay)}`;
  if (link.length > LONGEST_LINK) {
    save(`${fileName(conversation.title)}.replay.json`, "application/json", replay);
    return texts.filed;
  }
  try {
    await navigator.clipboard.writeText(link);
    return texts.copied;
  } catch {
    prompt(texts.by_hand, link);
    return "";
  }
}

/**
 * Takes a replay out of the page's address, if there is one in it.
 *
 * @returns {Promise<Conversation> | null} rejected with what the reader is to know
 */
export function replayOfAddress() {
  const code = location.hash.match(/^#replay=(.+)/)?.[1];
  if (!code) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return unpack(code).then(replayIn).catch(() => { throw new Error(texts.bad_link); });
}
