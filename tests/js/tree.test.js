// The tree of a conversation: branches, versions, states of two tabs, files from elsewhere.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  branch, check, leadsTo, markdown, merge, replayOf,
} from "../../grok_app/web/js/tree.js";

const turn = (parent, text, role = "user", made) => ({ parent, role, text, ...(made && { made }) });
const TREE = [
  turn(null, "Hello"),
  turn(0, "Hi", "assistant", { persona: "grok", experts: [[1, 2]] }),
  turn(0, "Hey", "assistant", { persona: "own-1", experts: [[3, 4]] }),
  turn(1, "Who are you?"),
  turn(2, "And you?"),
  turn(null, "Good evening"),
];
const conversation = (nodes = TREE, leaf = 4, more = {}) =>
  ({ id: "a", title: "Hello", persona: "grok", leaf, nodes, ...more });

test("a branch goes from its first turn to the leaf", () => {
  assert.deepEqual(branch(conversation()).map(node => node.text), ["Hello", "Hey", "And you?"]);
  assert.deepEqual(branch(conversation(TREE, null)), []);
});

test("one list of turns leads to another that has them all, in order", () => {
  assert.ok(leadsTo([], TREE));
  assert.ok(leadsTo(TREE.slice(0, 3), TREE));
  assert.ok(!leadsTo(TREE, TREE.slice(0, 3)));
  assert.ok(!leadsTo([turn(null, "Hi")], TREE));
  assert.ok(!leadsTo([turn(null, "Hello", "assistant")], TREE));
  assert.ok(!leadsTo([TREE[0], turn(null, "Hi", "assistant")], TREE));
  const otherwiseMade = TREE.map(node => ({ ...node, made: { seed: 1 } }));
  assert.ok(leadsTo(otherwiseMade, TREE));
});

test("half a character is one, however it was written", () => {
  assert.ok(leadsTo([turn(null, "\ud83d")], [turn(null, "?")]));
  assert.ok(!leadsTo([turn(null, "😀")], [turn(null, "?")]));
});

describe("of two states of a conversation", () => {
  const copy = { id: "b", mark: "(copy)" };
  const early = conversation(TREE.slice(0, 2), 1);

  test("the first one is written", () => {
    assert.deepEqual(merge(null, early, copy), { kept: early, write: true });
  });

  test("the one that goes on is written, under the title of the list", () => {
    const stored = { ...early, title: "Renamed" };
    const kept = { ...conversation(), title: "Renamed" };
    assert.deepEqual(merge(stored, conversation(), copy), { kept, write: true });
  });

  test("another leaf of the same turns is written", () => {
    const other = conversation(TREE, 3);
    assert.deepEqual(merge(conversation(), other, copy), { kept: other, write: true });
  });

  test("the same is not written again", () => {
    assert.equal(merge(conversation(), conversation(), copy).write, false);
  });

  test("the longer one stays where another tab has written it", () => {
    assert.deepEqual(merge(conversation(), early, copy), { kept: early, write: false });
  });

  test("both are kept where neither goes on from the other", () => {
    const stored = { ...conversation([TREE[0], turn(0, "No", "assistant")], 1), title: "Renamed" };
    const { kept, write } = merge(stored, early, copy);
    assert.ok(write);
    assert.deepEqual(kept, { ...early, id: "b", title: "Renamed (copy)" });
    assert.equal(early.id, "a", "what is given is left as it is");
  });
});

describe("of a reply that two tabs follow", () => {
  const copy = { id: "b", mark: "(copy)" };
  const pending = { id: "r", parent: 0, made: {} };
  const growing = text => conversation([TREE[0], { ...turn(0, text, "assistant"), reply: "r" }], 1, { pending });
  const ended = text => conversation([TREE[0], turn(0, text, "assistant")], 1);

  test("one state leads to the other, whichever is further", () => {
    for (const [one, other] of [["Hi", "Hi there"], ["Hi there", "Hi"], ["", "Hi"]]) {
      assert.ok(leadsTo(growing(one).nodes, growing(other).nodes));
    }
    assert.ok(leadsTo(growing("Hi").nodes, ended("Hi there").nodes));
    assert.ok(!leadsTo(growing("Hi").nodes, growing("Ho").nodes));
    assert.ok(!leadsTo(ended("Hi").nodes, ended("Hi there").nodes), "nothing grows any more");
  });

  test("none is a copy, and the further one is kept", () => {
    const [less, more] = [growing("Hi"), growing("Hi there")];
    assert.deepEqual(merge(less, more, copy), { kept: more, write: true });
    assert.deepEqual(merge(more, less, copy).kept, more);
    const whole = ended("Hi there, Ann");
    assert.deepEqual(merge(less, whole, copy), { kept: whole, write: true });
    assert.deepEqual(merge(whole, more, copy), { kept: whole, write: false });
    const givenUp = ended("Hi"); // in a tab that could not reach the server
    assert.deepEqual(merge(more, givenUp, copy).kept.nodes, more.nodes);
  });

  test("another reply at its place is not taken for it", () => {
    const { kept } = merge(ended("Good day"), growing("Hi"), copy);
    assert.deepEqual([kept.id, kept.nodes], ["b", growing("Hi").nodes]);
  });

  test("the version that was there before stays the same", () => {
    const before = [...TREE.slice(0, 2), { ...turn(0, "Hey", "assistant"), reply: "r" }];
    const more = [...TREE.slice(0, 2), { ...turn(0, "Hey, Ann", "assistant"), reply: "r" }];
    assert.equal(merge(conversation(before, 2), conversation(more, 2), copy).kept.id, "a");
  });

  test("what another tab has asked for meanwhile is not lost", () => {
    const stored = conversation([...ended("Hi there").nodes, turn(1, "And you?")], 2);
    const { kept, write } = merge(stored, growing("Hi"), copy);
    assert.equal(write, false);
    assert.equal(kept.id, "a");
  });
});

describe("a file from elsewhere", () => {
  test("that holds a conversation is taken as it is", () => {
    const value = JSON.parse(JSON.stringify(conversation()));
    assert.equal(check(value), value);
    check({ id: "1", title: "", nodes: [], leaf: null });
  });

  const broken = (at, change) => TREE.map((node, i) => (i === at ? { ...node, ...change } : node));
  for (const [problem, value] of [
    ["title", null],
    ["title", 7],
    ["title", []],
    ["title", { ...conversation(), id: 7 }],
    ["title", { ...conversation(), title: ["x"] }],
    ["persona", { ...conversation(), persona: null }],
    ["nodes", { ...conversation(), nodes: { length: 1, 0: TREE[0] } }],
    ["turn 1", { ...conversation(), nodes: [null] }],
    ["turn 2", { ...conversation(), nodes: broken(1, { text: null }) }],
    ["turn 2", { ...conversation(), nodes: broken(1, { role: { toString: 1 } }) }],
    ["parent 1", { ...conversation(), nodes: broken(0, { parent: 0 }) }],
    ["parent 2", { ...conversation(), nodes: broken(1, { parent: 4 }) }],
    ["parent 2", { ...conversation(), nodes: broken(1, { parent: -1 }) }],
    ["parent 2", { ...conversation(), nodes: broken(1, { parent: 0.5 }) }],
    ["parent 2", { ...conversation(), nodes: broken(1, { parent: "0" }) }],
    ["parent 2", { ...conversation(), nodes: broken(1, { parent: undefined }) }],
    ["leaf", conversation(TREE, 6)],
    ["leaf", conversation(TREE, -1)],
    ["leaf", conversation(TREE, "length")],
    ["leaf", { ...conversation(), leaf: undefined }],
    ["leaf", conversation([], 0)],
  ]) {
    test(`is refused: ${problem}: ${JSON.stringify(value)?.slice(0, 60)}`, () => {
      const [name, turn = 0] = problem.split(" ");
      assert.throws(() => check(value), { problem: name, turn: Number(turn) });
    });
  }
});

test("a replay is the open branch alone, with the visitor's own personas that reply in it", () => {
  const original = conversation();
  const before = JSON.stringify(original);
  const replay = replayOf(original, { "own-1": "name = \"Ada\"", "own-2": "name = \"Bob\"" });
  assert.deepEqual(replay.nodes, [
    turn(null, "Hello"),
    turn(0, "Hey", "assistant", { persona: "own-1", experts: [] }),
    turn(1, "And you?"),
  ]);
  assert.equal(replay.leaf, 2);
  assert.deepEqual(replay.personas, { "own-1": "name = \"Ada\"" });
  assert.equal(JSON.stringify(original), before);
  check(replay);
});

test("Markdown names who has written each turn", () => {
  const persona = slug => slug.toUpperCase();
  assert.equal(
    markdown(conversation(TREE, 2), { you: "You", persona }),
    "# Hello\n\n**You:** Hello\n\n**OWN-1:** Hey\n",
  );
  const nobodys = conversation([turn(null, "Hello"), turn(0, "Hi", "assistant")], 1);
  assert.match(markdown(nobodys, { you: "You", persona }), /\*\*GROK:\*\* Hi/);
});
