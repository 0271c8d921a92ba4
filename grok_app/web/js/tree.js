// A conversation as a tree of turns: what follows what. Pure: knows neither page nor store.

/** @typedef {import("./types.d.ts").Conversation} Conversation */
/** @typedef {import("./types.d.ts").Turn} Turn */

/**
 * The turns of the open branch, the first one first: what a reader sees.
 *
 * @param {Pick<Conversation, "nodes" | "leaf">} conversation
 * @returns {Turn[]}
 */
export function branch({ nodes, leaf }) {
  const path = [];
  for (let at = leaf; at !== null; at = nodes[at].parent) path.unshift(nodes[at]);
  return path;
}

/**
 * Whether `more` begins with all of `nodes`: turns are only ever added. Not compared are how a reply
 * was made, and half a character, which an imported file may write otherwise than the server does.
 *
 * @param {Turn[]} nodes
 * @param {Turn[]} more
 */
export function leadsTo(nodes, more) {
  return nodes.every((node, i) => more[i] && isSame(node, more[i]));
}

/** @param {Turn} turn @param {Turn} other */
function isSame(turn, other) {
  const [text, otherText] = [content(turn), content(other)];
  if (text === otherText) return true;
  // A reply that is being made: one of the two is further.
  const growing = turn.reply || other.reply;
  const alike = turn.parent === other.parent && turn.role === other.role;
  return Boolean(growing) && alike && (text.startsWith(otherText) || otherText.startsWith(text));
}

/** @param {Turn} turn */
function content({ parent, role, text }) {
  return `${parent} ${role} ${text.replace(/\p{Surrogate}/gu, "?")}`;
}

/**
 * Of two states of a turn the one that is further; the first one where they are two turns.
 *
 * @param {Turn} turn
 * @param {Turn | undefined} other
 */
function further(turn, other) {
  if (!other || !isSame(turn, other) || turn.text.length > other.text.length) return turn;
  return turn.reply || turn.text.length < other.text.length ? other : turn;
}

/**
 * The state that is kept of a conversation, of the stored one and of what the server has made of it.
 *
 * Where another tab has written something else meanwhile, neither is lost: what the server has made
 * goes on as `copy`, a conversation of its own.
 *
 * @param {Conversation | null} stored null: there is none of this id
 * @param {Conversation} made
 * @param {{ id: string, mark: string }} copy the id of a copy, and what is added to its title
 * @returns {{ kept: Conversation, write: boolean }} what this tab goes on with, and whether it is to
 *     be written into the store
 */
export function merge(stored, made, copy) {
  if (!stored) return { kept: made, write: true };
  const nodes = made.nodes.map((node, i) => further(node, stored.nodes[i]));
  const kept = { ...made, nodes, title: stored.title }; // only the list gives another one
  const growing = made.nodes.findIndex(({ reply }) => reply && reply === made.pending?.id);
  if (growing >= 0 && !nodes[growing].reply) delete kept.pending; // another tab has seen its end
  if (JSON.stringify(stored) === JSON.stringify(kept)) return { kept, write: false };
  if (leadsTo(stored.nodes, kept.nodes)) return { kept, write: true };
  if (leadsTo(kept.nodes, stored.nodes)) return { kept, write: false }; // another tab has more
  return { kept: { ...kept, id: copy.id, title: `${kept.title} ${copy.mark}` }, write: true };
}

/** @typedef {"title" | "persona" | "nodes" | "leaf" | "turn" | "parent"} Problem */

/** Why a value is no conversation: the name of one of the texts that the page has for it. */
export class Unreadable extends Error {
  /** @param {Problem} problem @param {number} [turn] the number of the turn that it is about */
  constructor(problem, turn = 0) {
    super(problem);
    this.problem = problem;
    this.turn = turn;
  }
}

/**
 * A value of a file or a link as a conversation: what the list relies on. The server checks all the
 * rest when the conversation is opened.
 *
 * @param {any} value
 * @returns {Conversation} the same value
 * @throws {Unreadable} says what is missing
 */
export function check(value) {
  if (!isText(value?.id) || !isText(value.title)) throw new Unreadable("title");
  if ("persona" in value && !isText(value.persona)) throw new Unreadable("persona");
  if (!Array.isArray(value.nodes)) throw new Unreadable("nodes");
  value.nodes.forEach(checkTurn);
  if (value.leaf !== null && !isIndex(value.leaf, value.nodes.length)) throw new Unreadable("leaf");
  return value;
}

/** @param {any} turn @param {number} i */
function checkTurn(turn, i) {
  if (!isText(turn?.text) || !isText(turn.role)) throw new Unreadable("turn", i + 1);
  const { parent } = turn;
  if (parent !== null && !isIndex(parent, i)) throw new Unreadable("parent", i + 1);
}

/** @param {unknown} value @param {number} length */
function isIndex(value, length) {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < length;
}

/** @param {unknown} value */
function isText(value) {
  return typeof value === "string";
}

/**
 * The open branch as a conversation of its own, to be made again elsewhere.
 *
 * @param {Conversation} conversation
 * @param {Record<string, string>} own the visitor's own personas; those that reply in it go along
 * @returns {Conversation & { personas: Record<string, string> }}
 */
export function replayOf(conversation, own) {
  const nodes = branch(conversation).map((node, i) => ({
    ...node,
    parent: i ? i - 1 : null,
    ...(node.made && { made: { ...node.made, experts: [] } }),
  }));
  const replying = new Set(nodes.map(node => node.made?.persona));
  const personas = Object.fromEntries(Object.entries(own).filter(([slug]) => replying.has(slug)));
  return { ...conversation, nodes, leaf: nodes.length - 1, personas };
}

/**
 * The open branch as Markdown.
 *
 * @param {Conversation} conversation
 * @param {{ you: string, persona: (slug: string) => string }} names of those who write in it
 */
export function markdown(conversation, names) {
  const turns = branch(conversation).map(({ role, text, made }) => {
    const slug = made?.persona ?? conversation.persona ?? "";
    return `**${role === "user" ? names.you : names.persona(slug)}:** ${text}`;
  });
  return `# ${conversation.title}\n\n${turns.join("\n\n")}\n`;
}
