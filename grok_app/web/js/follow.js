// Follows a reply by its id: asks the server for what is new of it until it has ended.
//
// Each question is a request of its own, so a tab in which nothing happens holds no connection, and a
// question whose answer was lost is asked again. Pure: what it asks and how it waits is given.

const SOON_MS = 120; // between two questions while there are new tokens
const LATER_MS = 300; // while there are none
const AGAIN_MS = 1000; // while the server cannot be reached
const HIDDEN_MS = 3000; // while nobody looks at the page

/**
 * What is new, as it comes. The last has `ended`, or is empty where the server knows no such reply.
 *
 * @template {{ seen?: number[], ended: unknown }} T
 * @param {(seen: number[]) => Promise<T | undefined>} ask what is new since `seen`; undefined where the
 *     server cannot be reached
 * @param {(milliseconds: number) => Promise<void>} wait
 * @param {(reached: boolean) => void} tell called after each question
 * @param {number[]} [seen] characters and tokens that are here already
 * @returns {AsyncGenerator<T>}
 */
export async function* follow(ask, wait, tell, seen = [0, 0]) {
  for (;;) {
    const news = await ask(seen);
    tell(news !== undefined);
    if (news === undefined) {
      await wait(AGAIN_MS);
      continue;
    }
    yield news;
    if (!news.seen || news.ended) return;
    const more = news.seen[1] > seen[1];
    seen = news.seen;
    await wait(more ? SOON_MS : LATER_MS);
  }
}

/**
 * A function that waits, and one that ends all waiting at once: a page that is looked at again should
 * not wait for the rest of a second.
 */
export function createWaiting() {
  /** @type {Set<() => void>} */
  const waiting = new Set();
  /** @type {ReturnType<typeof createTimer> | undefined} */
  let hidden;

  return {
    /** @param {number} milliseconds longer while nobody looks at the page @returns {Promise<void>} */
    wait(milliseconds) {
      return new Promise(done => {
        /** @type {ReturnType<typeof setTimeout> | undefined} */
        let timer;
        const end = () => {
          clearTimeout(timer);
          waiting.delete(end);
          done();
        };
        waiting.add(end);
        if (globalThis.document?.hidden) (hidden ??= createTimer())(end, Math.max(milliseconds, HIDDEN_MS));
        else timer = setTimeout(end, milliseconds);
      });
    },
    wake() {
      for (const end of [...waiting]) end();
    },
  };
}

/** A function like setTimeout for hidden pages: their own timers may come once a minute, so that the
 * server would take the reader to be gone; those of a worker come in time. */
function createTimer() {
  const code = "onmessage = ({ data: [id, ms] }) => setTimeout(postMessage, ms, id);";
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  /** @type {Map<number, () => void>} */
  const acts = new Map();
  let newest = 0;
  worker.onmessage = ({ data }) => {
    acts.get(data)?.();
    acts.delete(data);
  };
  return (/** @type {() => void} */ act, /** @type {number} */ milliseconds) => {
    acts.set(++newest, act);
    worker.postMessage([newest, milliseconds]);
  };
}
