// The conversations in the visitor's own browser (IndexedDB).

/** @typedef {import("./types.d.ts").Conversation} Conversation */
/** @typedef {import("./types.d.ts").Summary} Summary */
/** @typedef {{ id: string, text: string, words: string }} Stored */
/** @typedef {ReturnType<typeof tables>} Tables */

const STORED = "conversations"; // Stored: the JSON of a conversation, and what a search looks at
const SUMMARIES = "summaries"; // Summary: what the list shows, read without any conversation

/**
 * Opens a store, and makes it where there is none.
 *
 * `read` and `write` call their `work` with the tables and give its result. All of what it writes is
 * done, or nothing of it: what was there before a failure is still there. It may wait for the tables
 * alone, for the browser ends a transaction in which nothing is asked for.
 *
 * @param {string} name of the database
 */
export function openStore(name) {
  const database = open(name);
  /** @type {<T>(mode: IDBTransactionMode, work: (tables: Tables) => Promise<T>) => Promise<T>} */
  const inOne = async (mode, work) => inTransaction(await database, mode, work);
  return {
    /** @type {<T>(work: (tables: Tables) => Promise<T>) => Promise<T>} */
    read: work => inOne("readonly", work),
    /** @type {<T>(work: (tables: Tables) => Promise<T>) => Promise<T>} */
    write: work => inOne("readwrite", work),
  };
}

/** Rejected where the browser has no store. @param {string} name */
async function open(name) {
  const opening = indexedDB.open(name, 1);
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore(STORED, { keyPath: "id" });
    opening.result.createObjectStore(SUMMARIES, { keyPath: "id" });
  };
  return answer(opening);
}

/**
 * @template T
 * @param {IDBDatabase} database
 * @param {IDBTransactionMode} mode
 * @param {(tables: Tables) => Promise<T>} work
 */
async function inTransaction(database, mode, work) {
  const transaction = database.transaction([STORED, SUMMARIES], mode);
  const ended = new Promise((done, fail) => {
    transaction.oncomplete = done;
    transaction.onabort = () => fail(transaction.error ?? new Error("aborted"));
  });
  ended.catch(() => {}); // it is told below, or by what failed first
  let result;
  try {
    const working = work(tables(transaction));
    working.catch(() => {});
    result = await Promise.race([working, ended.then(() => working)]); // an abort ends all waiting
  } catch (error) {
    try { transaction.abort(); } catch { /* it has ended already */ }
    throw error;
  }
  await ended;
  return result;
}

/** @param {IDBTransaction} transaction */
function tables(transaction) {
  const stored = transaction.objectStore(STORED);
  const summaries = transaction.objectStore(SUMMARIES);
  return {
    /**
     * The conversation of that id, or null.
     *
     * @param {string} id
     * @returns {Promise<Conversation | null>}
     */
    async get(id) {
      const record = await answer(stored.get(id));
      return record ? JSON.parse(record.text) : null;
    },
    /** @returns {Promise<Conversation[]>} all of them */
    async all() {
      return (await answer(stored.getAll())).map(record => JSON.parse(record.text));
    },
    /**
     * What the list shows of those in whose title or turns `query` stands; "" is in all of them. The
     * one that was written last comes first.
     *
     * @param {string} query in lower case
     * @returns {Promise<Summary[]>}
     */
    async list(query) {
      /** @type {Summary[]} */
      let found = await answer(summaries.getAll());
      if (query) {
        /** @type {Stored[]} */
        const records = await answer(stored.getAll());
        const ids = new Set(records.filter(({ words }) => words.includes(query)).map(({ id }) => id));
        found = found.filter(({ id }) => ids.has(id));
      }
      return found.sort((a, b) => b.updated - a.updated);
    },
    /**
     * When the conversation of that id was written last; undefined where there is none.
     *
     * @param {string} id
     * @returns {Promise<number | undefined>} milliseconds since 1970
     */
    async updated(id) {
      return (await answer(summaries.get(id)))?.updated;
    },
    /**
     * Writes a conversation in the place of what was there under its id.
     *
     * @param {Conversation} conversation
     * @param {number} [updated]
     */
    async put(conversation, updated = Date.now()) {
      const { id, title, nodes } = conversation;
      const words = [title, ...nodes.map(node => node.text)].join("\n").toLowerCase();
      await answer(stored.put({ id, text: JSON.stringify(conversation), words }));
      await answer(summaries.put({ id, title, updated }));
    },
    /** @param {string} id */
    async remove(id) {
      await answer(stored.delete(id));
      await answer(summaries.delete(id));
    },
  };
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function answer(request) {
  return new Promise((done, fail) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
}
