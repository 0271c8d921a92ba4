// Keeps what the server makes of this tab's conversations, beside whatever other tabs write.

import { merge } from "./tree.js";

/** @typedef {import("./types.d.ts").Conversation} Conversation */

/**
 * @param {ReturnType<import("./store.js").openStore>} store
 * @param {string} mark what is added to the title of a copy, see `merge`
 */
export function createKeeper(store, mark) {
  /** @type {Map<string, string>} ids under which this tab goes on where another tab wrote meanwhile */
  const copies = new Map();
  /** @type {Set<string>} ids deleted here, of which the server may still send a last state */
  const deleted = new Set();

  return {
    /**
     * Writes a state of a conversation, unless it was deleted here or is there already.
     *
     * @param {Conversation} made
     * @returns {Promise<Conversation>} what this tab goes on with
     */
    async save(made) {
      const own = { ...made, id: this.idOf(made.id) };
      const copy = { id: newId(), mark };
      const kept = await store.write(async tables => {
        const stored = await tables.get(own.id);
        if (deleted.has(own.id)) return own;
        const merged = merge(stored, own, copy);
        if (merged.write) await tables.put(merged.kept);
        return merged.kept;
      });
      if (kept.id === copy.id) copies.set(own.id, copy.id);
      return kept;
    },

    /**
     * Under which id a conversation goes on in this tab.
     *
     * @param {string} id
     */
    idOf(id) {
      return copies.get(id) ?? id;
    },

    /**
     * This tab goes on with the very conversation of that id, even if a copy was made of it before.
     *
     * @param {string} id
     */
    open(id) {
      copies.delete(id);
    },

    /**
     * Changes a conversation where it is stored; it keeps its place in the list.
     *
     * @param {string} id
     * @param {(stored: Conversation) => Conversation} act gives the same one where nothing changes
     * @returns {Promise<Conversation | null>} as it is stored now; null: it is not
     */
    change(id, act) {
      return store.write(async tables => {
        const stored = await tables.get(copies.get(id) ?? id);
        const changed = stored && act(stored);
        if (changed && changed !== stored) await tables.put(changed, await tables.updated(changed.id));
        return changed;
      });
    },

    /**
     * Deletes a conversation, and tells `save` of it at once: something may wait to be saved.
     *
     * @param {string} id
     * @returns {Promise<{ title: string, reply?: string, undo: () => Promise<void> }>} `reply` is the id
     *     of one that is still being made
     */
    async remove(id) {
      deleted.add(id);
      const [conversation, updated] = await store.write(async tables => {
        const was = /** @type {const} */ ([await tables.get(id), await tables.updated(id)]);
        await tables.remove(id);
        return was;
      });
      return {
        title: conversation?.title ?? "",
        reply: conversation?.pending?.id,
        async undo() {
          deleted.delete(id);
          if (conversation) await store.write(tables => tables.put(conversation, updated));
        },
      };
    },

    /**
     * Adds conversations of a file, all or none; one whose id belongs to another state gets a new id.
     *
     * @param {Conversation[]} conversations
     * @returns {Promise<Conversation[]>} as they are in the store
     */
    add(conversations) {
      return store.write(async tables => {
        const added = [];
        for (const conversation of conversations) {
          const stored = await tables.get(conversation.id);
          const same = JSON.stringify(stored) === JSON.stringify(conversation);
          const own = stored && !same ? { ...conversation, id: newId() } : conversation;
          if (!same) await tables.put(own);
          deleted.delete(own.id);
          added.push(own);
        }
        return added;
      });
    },

    /**
     * Gives a conversation another title; it keeps its place in the list.
     *
     * @param {string} id
     * @param {string} title
     */
    async rename(id, title) {
      await store.write(async tables => {
        const stored = await tables.get(id);
        if (stored) await tables.put({ ...stored, title }, await tables.updated(id));
      });
    },
  };
}

/** A new id, of 32 hexadecimal digits. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
}
