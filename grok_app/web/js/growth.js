// A conversation while a reply of it is being made. Pure: knows neither page nor store.

/** @typedef {import("./types.d.ts").Conversation} Conversation */
/** @typedef {import("./types.d.ts").Pending} Pending */
/** @typedef {import("./types.d.ts").Counts} Counts */

/**
 * The conversation with what there is of a reply, which becomes a turn with its first word. Until then
 * the branch that was open stays open, so a reply that ends without a word leaves all as it was. What
 * was only begun is a turn where the model found nothing to add and there is no other reply.
 *
 * @param {Conversation} conversation
 * @param {Pending} pending the reply
 * @param {{ text: string, grown: boolean, ended: boolean, experts?: Counts }} reply `grown`: the model
 *     has added something to what was begun, or found that it is complete
 * @returns {Conversation} the same one where nothing changes
 */
export function withReply(conversation, pending, { text, grown, ended, experts = [] }) {
  const found = conversation.nodes.findIndex(node => node.reply === pending.id);
  const isOpen = conversation.pending?.id === pending.id;
  if (found < 0 && !isOpen) return conversation; // it ended here before, or something else was asked
  const next = { ...conversation };
  const begunOnly = text === pending.made.begun;
  const isFirst = !conversation.nodes.some(node => node.parent === pending.parent);
  if (found >= 0 || (grown && (!begunOnly || isFirst))) {
    const at = found < 0 ? conversation.nodes.length : found;
    const turn = { parent: pending.parent, role: "assistant", text, made: { ...pending.made, experts } };
    next.nodes = [...conversation.nodes];
    next.nodes[at] = ended ? turn : { ...turn, reply: pending.id };
    if (found < 0) next.leaf = at;
  }
  if (ended && isOpen) delete next.pending;
  return next;
}

/**
 * The conversation after a reply that the server no longer has: what there is of it stays.
 *
 * @param {Conversation} conversation
 * @param {Pending} pending the reply
 * @param {string} text what this tab has of it; the conversation may have more, by another tab
 * @returns {Conversation} the same one where nothing changes
 */
export function withLost(conversation, pending, text) {
  const written = conversation.nodes.find(node => node.reply === pending.id)?.text ?? "";
  const longer = written.length > text.length ? written : text;
  const grown = longer.length > (pending.made.begun ?? "").length;
  return withReply(conversation, pending, { text: longer, grown, ended: true });
}

/**
 * The conversation without what belongs to this browser and this moment: for files and links.
 *
 * @param {Conversation} conversation
 * @returns {Conversation}
 */
export function forFile({ pending: _pending, replay: _replay, ...conversation }) {
  const nodes = conversation.nodes.map(({ reply: _reply, ...node }) => node);
  return { ...conversation, nodes };
}
