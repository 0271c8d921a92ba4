// A conversation while a reply of it is being made.

import assert from "node:assert/strict";
import { test } from "node:test";

import { forFile, withLost, withReply } from "../../grok_app/web/js/growth.js";

const PENDING = { id: "r", parent: 0, made: { persona: "grok" } };
const ASKED = { id: "a", title: "Hello", leaf: 0, nodes: [{ parent: null, role: "user", text: "Hello" }], pending: PENDING };
const OLD = { parent: 0, role: "assistant", text: "Hey" };
const AGAIN = { ...ASKED, leaf: 1, nodes: [...ASKED.nodes, OLD] }; // another version is asked for

const growing = text => ({ text, grown: text !== "", ended: false });
const ended = (text, more = {}) => ({ ...growing(text), ended: true, ...more });
const turn = (text, more = {}) =>
  ({ parent: 0, role: "assistant", text, made: { persona: "grok", experts: [] }, ...more });

test("before the model's first word nothing is added", () => {
  assert.deepEqual(withReply(AGAIN, PENDING, growing("")), AGAIN);
});

test("with the first word it is a turn, which is open, and grows", () => {
  const first = withReply(AGAIN, PENDING, growing("Hi"));
  assert.deepEqual(first, { ...AGAIN, leaf: 2, nodes: [...AGAIN.nodes, turn("Hi", { reply: "r" })] });
  const second = withReply(first, PENDING, growing("Hi there"));
  assert.deepEqual(second.nodes, [...AGAIN.nodes, turn("Hi there", { reply: "r" })]);
  assert.equal(second.leaf, 2);
  assert.equal(AGAIN.nodes.length, 2, "what is given is left as it is");
});

test("once it has ended nothing marks it, and its experts are kept", () => {
  const { pending: _, ...before } = ASKED;
  const last = ended("Hi", { experts: [[1, 2]] });
  const made = { persona: "grok", experts: [[1, 2]] };
  const whole = { ...before, leaf: 1, nodes: [...ASKED.nodes, turn("Hi", { made })] };
  assert.deepEqual(withReply(ASKED, PENDING, last), whole);
  assert.deepEqual(withReply(withReply(ASKED, PENDING, growing("H")), PENDING, last), whole);
});

test("of a reply that the server has lost the longer text stays, this tab's or the conversation's", () => {
  const { pending: _, ...before } = ASKED;
  const grown = withReply(ASKED, PENDING, growing("Hi there"));
  for (const [text, kept] of [["", "Hi there"], ["Hi", "Hi there"], ["Hi there, Ann", "Hi there, Ann"]]) {
    const whole = { ...before, leaf: 1, nodes: [...ASKED.nodes, turn(kept)] };
    assert.deepEqual(withLost(grown, PENDING, text), whole);
  }
  assert.deepEqual(withLost(ASKED, PENDING, ""), before, "without a word it leaves all as it was");
});

test("what was begun is the whole reply where the model adds nothing to it, and no other is there", () => {
  const begun = { ...PENDING, made: { ...PENDING.made, begun: "Well" } };
  const whole = ended("Well", { grown: true });
  assert.equal(withReply({ ...ASKED, pending: begun }, begun, whole).nodes[1].text, "Well");
  assert.deepEqual(withReply({ ...AGAIN, pending: begun }, begun, whole).nodes, AGAIN.nodes);
});

test("what was begun alone is no version", () => {
  const begun = { text: "Well,", grown: false };
  assert.deepEqual(withReply(AGAIN, PENDING, { ...begun, ended: false }), AGAIN);
  const { pending: _, ...before } = AGAIN;
  assert.deepEqual(withReply(AGAIN, PENDING, { ...begun, ended: true }), before);
});

test("one that ends without a word leaves all as it was", () => {
  const { pending: _, ...before } = AGAIN;
  assert.deepEqual(withReply(AGAIN, PENDING, ended("")), before);
});

test("one that is no longer pending still grows its turn, and leaves what is open as it is", () => {
  const first = withReply(AGAIN, PENDING, growing("Hi"));
  const other = { ...PENDING, id: "s" };
  const elsewhere = { ...first, leaf: 1, pending: other };
  const grown = withReply(elsewhere, PENDING, ended("Hi there"));
  assert.deepEqual(grown.nodes[2], turn("Hi there"));
  assert.equal(grown.leaf, 1);
  assert.equal(grown.pending, other);
});

test("one that was never here, or has ended here, changes nothing", () => {
  const unknown = { ...PENDING, id: "s" };
  assert.equal(withReply(AGAIN, unknown, growing("Hi")), AGAIN);
  const whole = withReply(ASKED, PENDING, ended("Hi"));
  assert.equal(withReply(whole, PENDING, growing("Hi there")), whole);
});

test("files and links have nothing of this moment", () => {
  const now = { ...withReply(ASKED, PENDING, growing("Hi")), replay: { turns: [] } };
  const { pending: _, ...rest } = ASKED;
  assert.deepEqual(forFile(now), { ...rest, leaf: 1, nodes: [...ASKED.nodes, turn("Hi")] });
  assert.ok(now.pending && now.replay && now.nodes[1].reply, "what is given is left as it is");
});
