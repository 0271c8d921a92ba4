// Replay links: what is packed comes out again, and damage is noticed.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pack, unpack } from "../../grok_app/web/js/link.js";

const long = Array.from({ length: 20000 }, (_, i) => String.fromCodePoint(32 + (i * 7919) % 50000)).join("");

for (const text of ["", "a", "{\"title\": \"Grüße 😀\"}", "\0\n\u2060", "so ".repeat(1000), long]) {
  test(`${text.length} units come back`, async () => {
    const code = await pack(text);
    assert.match(code, /^[\w-]*$/);
    assert.equal(await unpack(code), text.replace(/\p{Surrogate}/gu, "\ufffd"));
  });
}

test("what repeats itself is short", async () => {
  assert.ok((await pack("so ".repeat(1000))).length < 100);
});

test("damage is noticed", async () => {
  const code = await pack("What is love? And what is money?");
  for (const damaged of ["", "%", "a", code.slice(0, -8), `AAAA${code}`]) {
    await assert.rejects(unpack(damaged));
  }
});
