// The notebook's text and its tokens, and what can be undone.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createPast } from "../../grok_app/web/js/past.js";
import {
  added, check, chosen, edited, EMPTY, goesOn, question, together,
} from "../../grok_app/web/js/text_page.js";

const token = (id, text) => ({ id, text, p: 0.5, top: [[id, text, text, 0.5]] });
const page = (...tokens) => tokens.reduce(added, { text: "Once", tokens: [] });
const ids = ({ tokens }) => tokens.map(({ id }) => id);

const UPON = page(token(1, " upon"), token(2, " a"), token(3, " time"));
// the four bytes of one character as four tokens: the last has its two units
const BYTES = [token(11, ""), token(12, ""), token(13, ""), token(14, "😀")];

test("a token stands behind the text", () => {
  assert.equal(UPON.text, "Once upon a time");
  assert.deepEqual(UPON.tokens.map(({ at, end }) => [at, end]), [[4, 9], [9, 11], [11, 16]]);
  assert.deepEqual(EMPTY, { text: "", tokens: [] });
});

test("a carriage return is in no textarea", () => {
  const after = page(token(1, "\r\n"), token(2, "x"));
  assert.equal(after.text, "Once\nx");
  assert.deepEqual(after.tokens.map(({ at, end }) => [at, end]), [[4, 5], [5, 6]]);
});

test("an edit keeps the tokens before it", () => {
  assert.deepEqual(ids(edited(UPON, "Once upon a time, ")), [1, 2, 3]);
  assert.deepEqual(ids(edited(UPON, "Once upon the time")), [1]);
  assert.deepEqual(ids(edited(UPON, "Once upon a")), [1, 2]);
  assert.deepEqual(ids(edited(UPON, "once upon a time")), []);
  assert.deepEqual(edited(UPON, ""), EMPTY);
  assert.deepEqual(ids(UPON), [1, 2, 3]);
});

test("the first bytes of a character go with it", () => {
  const smile = page(token(1, " a"), ...BYTES, token(2, "!"));
  assert.deepEqual(ids(edited(smile, "Once a😀")), [1, 11, 12, 13, 14]);
  assert.deepEqual(ids(edited(smile, "Once a")), [1]);
  assert.deepEqual(ids(edited(smile, "Once a😃!")), [1], "it has the same first surrogate");
});

test("what the text ends with is asked for as tokens, the rest as text", () => {
  assert.deepEqual(question(UPON), { text: "Once", ids: [1, 2, 3] });
  assert.deepEqual(question(edited(UPON, "Once upon a time, ")), { text: "Once upon a time, ", ids: [] });
  assert.deepEqual(question(page(token(1, " a"), ...BYTES)), { text: "Once", ids: [1, 11, 12, 13, 14] });
  const between = added(edited(UPON, "Once upon a day"), token(4, " in"));
  assert.deepEqual(question(between), { text: "Once upon a day", ids: [4] });
  assert.deepEqual(question(page(token(1, " a"), BYTES[0])), { text: "Once", ids: [1, 11] });
  assert.deepEqual(question(EMPTY), { text: "", ids: [] });
});

test("another choice cuts what followed", () => {
  const other = chosen(UPON, 1, token(9, " the"));
  assert.equal(other.text, "Once upon the");
  assert.deepEqual(ids(other), [1, 9]);
});

test("the tokens of one character belong together", () => {
  const two = page(token(1, " a"), ...BYTES, ...BYTES, token(2, "!"));
  assert.deepEqual(together(two, 0), [0]);
  assert.deepEqual(together(two, 4), [1, 2, 3, 4]);
  assert.deepEqual(together(two, 8), [5, 6, 7, 8]);
  assert.deepEqual(together(two, 9), [9]);
});

test("a page goes on from another that it begins with", () => {
  assert.ok(goesOn(UPON, EMPTY));
  assert.ok(goesOn(added(UPON, token(4, ".")), UPON));
  assert.ok(!goesOn(UPON, added(UPON, token(4, "."))));
  assert.ok(!goesOn(page(token(1, " upon"), token(2, " a"), token(3, " time")), UPON), "other tokens");
  assert.ok(!goesOn(UPON, { text: "Once upon", tokens: [] }), "a token is new within it");
});

test("what the browser has kept is looked at", () => {
  assert.deepEqual(check(JSON.parse(JSON.stringify(UPON))), UPON);
  const { tokens } = UPON;
  for (const value of [
    null, 7, "x", {}, { text: "x" }, { text: 7, tokens: [] }, { text: "x", tokens: {} },
    { text: "Once", tokens }, { text: UPON.text, tokens: [null] }, { text: UPON.text, tokens: [{ end: 1 }] },
  ]) assert.equal(check(value), null);
});

test("what was done is undone and done again, until something else is done", () => {
  const past = createPast("a");
  assert.ok(past.isFirst && past.isLast && !past.step(-1) && !past.step(1));
  past.add("b");
  past.add("c");
  assert.ok(past.step(-1) && past.step(-1));
  assert.ok(past.now === "a" && past.isFirst && !past.isLast);
  assert.ok(past.step(1));
  past.replace("d");
  assert.ok(past.now === "d" && past.isLast);
  assert.ok(past.step(-1));
  assert.equal(past.now, "a");
});

test("the past has an end", () => {
  const past = createPast(0);
  for (let i = 1; i <= 1000; i++) past.add(i);
  let steps = 0;
  while (past.step(-1)) steps++;
  assert.equal(steps, 199);
});
