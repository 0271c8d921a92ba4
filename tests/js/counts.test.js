// What the experts' panel adds up, and its colours.

import assert from "node:assert/strict";
import { test } from "node:test";

import { added, byExpert, csv, empty, mostAbove, shares } from "../../grok_app/web/js/counts.js";
import { colours } from "../../grok_app/web/js/palette.js";

const COUNTS = [[1, 3], [0, 0]];

test("sums and shares", () => {
  assert.deepEqual(empty(2, 2), [[0, 0], [0, 0]]);
  assert.deepEqual(added(COUNTS, COUNTS), [[2, 6], [0, 0]]);
  assert.deepEqual(shares(COUNTS), [[0.25, 0.75], [0, 0]]);
  assert.deepEqual(byExpert([[1, 3], [4, 0]]), [5, 3]);
  assert.deepEqual(mostAbove([[0.5, 0.5], [0.1, 0.9]], [[0.6, 0.4], [0.5, 0.5]]), { layer: 1, expert: 1, by: 0.4 });
});

test("CSV quotes names", () => {
  assert.equal(
    csv([["a \"b\", c", COUNTS]]).split("\r\n")[2],
    "\"a \"\"b\"\", c\",1,2,3,0.7500",
  );
});

test("the colours end where the palette does, and are written on in what is read there", () => {
  assert.deepEqual(colours(0, 8), { back: "rgb(0,34,78)", ink: "#fff" });
  assert.deepEqual(colours(1, 8), { back: "rgb(254,232,56)", ink: "#000" });
  assert.deepEqual(colours(1, 8), colours(3 / 8, 8));
});
