// What a German reader is told of what the page's own modules refuse.

import assert from "node:assert/strict";
import { test } from "node:test";

Object.defineProperty(globalThis, "navigator", { value: { language: "de-DE" }, configurable: true });
const { conversationsOf } = await import("../../grok_app/web/js/conversation_files.js");
const { reason } = await import("../../grok_app/web/js/storage.js");

const START = { id: "1", title: "x", leaf: null };
for (const [value, told] of [
  [[], "Kennung oder Titel fehlt"],
  [{ ...START, persona: 7 }, "der Name der Persönlichkeit fehlt"],
  [START, "die Beiträge fehlen"],
  [{ ...START, nodes: [], leaf: 1 }, "das offene Ende fehlt"],
  [{ ...START, nodes: [{}] }, "Beitrag 1 ist keiner"],
  [{ ...START, nodes: [{ text: "", role: "", parent: 4 }] }, "Beitrag 1 folgt auf keinen früheren"],
]) {
  test(`a file is refused: ${told}`, async () => {
    const file = { name: "a.json", text: async () => JSON.stringify(value) };
    const message = `a.json enthält kein Gespräch, das importiert werden kann: ${told}`;
    await assert.rejects(conversationsOf(file), { message });
  });
}

test("a full store is called so", () => {
  assert.equal(reason(new DOMException("", "QuotaExceededError")), "sein Speicher ist voll");
});
