// What a visitor has written or set is there again after a reload: kept for this tab, and for a tab that
// has nothing yet what another one has set.

import { write } from "./storage.js";

const KEY = "grok-1-drafts"; // in sessionStorage and localStorage: {name: value}
const MESSAGES = /message|persona-/; // a draft of one tab is none of another's

/** @param {import("./types.d.ts").Given} given */
export default function drafts({ trigger }) {
  const kept = stored();
  let taken = false;

  Object.assign(window, { grok: { ...window.grok, keepDrafts, takeDrafts } });

  /** @param {string[]} names @param {unknown[]} values */
  function keepDrafts(names, values) {
    if (!taken) return []; // the page is being put together
    const now = Object.fromEntries(names.map((name, i) => [name, values[i]]));
    const shared = Object.fromEntries(Object.entries(now).filter(([name]) => !MESSAGES.test(name)));
    write(KEY, JSON.stringify(now), "sessionStorage"); // where it fails, only a reload misses it
    write(KEY, JSON.stringify(shared), "localStorage");
    return [];
  }

  /** @param {string[]} names @param {([number, number] | null)[]} bounds @param {unknown[]} values */
  function takeDrafts(names, bounds, values) {
    taken = true;
    return names.map((name, i) => within(bounds[i], kept[name] ?? values[i]));
  }

  trigger("select");
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
