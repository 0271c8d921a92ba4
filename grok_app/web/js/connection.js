// Keeps the page alive when the server cannot be reached: Gradio loads it anew after the first request
// that fails, and with it goes whatever is only on the page.
//
// Requests that let the server handle an event are asked again until they are answered. That is
// harmless: what begins a reply carries the reply's id, and all others only say what is to be seen.

const EVENTS = /\/gradio_api\/run\//;
const FOLLOWED = /\/gradio_api\/component_server/;
const UNREACHABLE = [502, 503, 504]; // what a proxy answers while there is no server behind it
const FIRST_PAUSE_MS = 300;
const LONGEST_PAUSE_MS = 3000;
const EVENT_MS = 15000; // in which an event is answered; twice as long each time, for a slow line
const FOLLOW_MS = 5000; // in which a question after a reply is, likewise

/** @typedef {"reached" | "lost" | "login"} State */

/** @type {Set<(state: State) => void>} */
const listeners = new Set();

/** Calls `act` after each request with whether it reached the server.
 * @param {(state: State) => void} act */
export function onConnection(act) {
  listeners.add(act);
}

/** @param {State} state */
export function tell(state) {
  for (const act of listeners) act(state);
}

/** Lets the events of a page survive a lost connection; called while the page is loaded. */
export function protect() {
  const real = window.fetch.bind(window);
  window.fetch = (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    if (EVENTS.test(url)) return persistent(late => real(input, { ...init, signal: either(late, init?.signal) }));
    if (FOLLOWED.test(url)) return once(late => real(input, { ...init, signal: either(late, init?.signal) }));
    return real(input, init);
  };
  addEventListener("online", giveUp);
  document.addEventListener("visibilitychange", giveUp);
}

/** @type {Set<() => void>} ends a question that is being asked */
const asking = new Set();
let patience = FOLLOW_MS;

/** Makes those who wait for an answer ask again: a connection from before a sleep may be dead. */
function giveUp() {
  for (const end of [...asking]) end();
}

/**
 * Asks once; whoever follows a reply asks again.
 *
 * @param {(signal: AbortSignal) => Promise<Response>} request
 * @returns {Promise<Response>}
 */
export async function once(request) {
  const given = new AbortController();
  const end = () => given.abort();
  const late = setTimeout(() => { patience = Math.min(2 * patience, 12 * FOLLOW_MS); end(); }, patience);
  asking.add(end);
  try {
    const response = await request(given.signal);
    patience = FOLLOW_MS;
    if (response.status === 401) tell("login");
    return response;
  } finally {
    clearTimeout(late);
    asking.delete(end);
  }
}

/**
 * Asks until there is an answer. A try that has none in time is given up: after a sleep a connection may
 * hang without an end.
 *
 * @param {(signal: AbortSignal) => Promise<Response>} request
 * @returns {Promise<Response>}
 */
export async function persistent(request) {
  for (let tries = 0; ; tries++) {
    const given = new AbortController();
    const late = setTimeout(() => given.abort(), EVENT_MS * 2 ** tries);
    try {
      const response = await request(given.signal);
      if (!UNREACHABLE.includes(response.status)) {
        tell(response.status === 401 ? "login" : "reached");
        return response;
      }
    } catch (error) {
      if (isAbort(error) && !given.signal.aborted) throw error; // Gradio no longer wants it
    } finally {
      clearTimeout(late);
    }
    tell("lost");
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** tries, LONGEST_PAUSE_MS);
    await new Promise(done => setTimeout(done, pause));
  }
}

/** @param {AbortSignal} one @param {AbortSignal | null} [other] */
function either(one, other) {
  return other ? AbortSignal.any([one, other]) : one;
}

/** @param {unknown} error */
function isAbort(error) {
  return error instanceof DOMException && error.name === "AbortError";
}
