// What a visitor has written or set is there again after a reload: kept for this tab, and of what is
// shared also for a tab that has nothing yet.

import { write } from "./storage.js";

const KEY = "grok-1-drafts"; // in sessionStorage and localStorage: {name: value}

let isBack = () => {};
/** Fulfilled once the page has what was kept: before, its settings are those of a new page.
 * @type {Promise<void>} */
export const draftsAreBack = new Promise(done => { isBack = done; });

/** @param {import("./types.d.ts").Given} given */
export default function drafts({ trigger }) {
  const kept = stored();
  let taken = false;

  Object.assign(window, { grok: { ...window.grok, keepDrafts, takeDrafts, draftsAreBack: () => isBack() } });

  /**
   * @param {string[]} own names of what is this tab's alone
   * @param {string[]} shared names of what another tab may begin with
   * @param {unknown[]} values of the own ones and of the shared ones
   */
  function keepDrafts(own, shared, values) {
    if (!taken) return []; // the page is being put together
    const now = [...own, ...shared].map((name, i) => [name, values[i]]);
    keep(now, "sessionStorage");
    keep(now.slice(own.length), "localStorage");
    return [];
  }

  /** @param {string[]} names @param {([number, number] | null)[]} bounds @param {unknown[]} values */
  function takeDrafts(names, bounds, values) {
    taken = true;
    return names.map((name, i) => within(bounds[i], kept[name] ?? values[i]));
  }

  trigger("select");
}

/** Where it fails, only a reload misses it.
 * @param {unknown[][]} entries @param {"sessionStorage" | "localStorage"} store */
function keep(entries, store) {
  write(KEY, JSON.stringify(Object.fromEntries(entries)), store);
}

/** @param {[number, number] | null} bounds @param {unknown} value */
function within(bounds, value) {
  return bounds ? Math.min(Math.max(Number(value), bounds[0]), bounds[1]) : value;
}

/** @returns {Record<string, unknown>} */
function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}
