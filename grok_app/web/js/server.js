// The functions of the server that the page's modules call.

/** @typedef {import("./types.d.ts").Given} Given */
/** @typedef {import("./types.d.ts").Server} Server */

/** @type {(given: Given) => void} */
let arrive;
/** @type {Promise<Given>} */
const arrived = new Promise(done => { arrive = done; });

/** Says where the functions are; called once, when the page has been put together.
 * @param {Given} given */
export function provide(given) {
  arrive(given);
}

/** Lets the server, or the page itself, handle an event of the replies: "input", there is something new
 * to draw; "submit", one has ended.
 * @param {"input" | "submit"} event */
export async function raise(event) {
  (await arrived).trigger(event);
}

/**
 * Calls one of them.
 *
 * @param {keyof Server} name
 * @param {...unknown} values
 * @returns {Promise<any>} undefined where the server could not be reached
 */
export async function call(name, ...values) {
  /** @type {any} */
  const { server } = await arrived;
  return server[name](...values);
}
