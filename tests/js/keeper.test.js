// Two tabs of a browser write the same conversations; neither loses what the other has written.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { createKeeper } from "../../grok_app/web/js/keeper.js";

const turn = (parent, role, text, more = {}) => ({ parent, role, text, ...more });
const QUESTION = turn(null, "user", "Hello");
const ANSWER = turn(0, "assistant", "Hi.");
const talk = (...nodes) => ({ id: "one", title: "Hello", nodes, leaf: nodes.length - 1 });

/** A store in memory, with the functions of store.js that a keeper uses. */
function memory() {
  const kept = new Map(), times = new Map();
  let now = 0;
  const tables = {
    get: async id => structuredClone(kept.get(id) ?? null),
    updated: async id => times.get(id),
    async put(conversation, updated = ++now) {
      kept.set(conversation.id, structuredClone(conversation));
      times.set(conversation.id, updated);
    },
    async remove(id) { kept.delete(id); },
  };
  return { kept, times, read: act => act(tables), write: act => act(tables) };
}

let store, here, there;
beforeEach(() => {
  store = memory();
  [here, there] = [createKeeper(store, "(other)"), createKeeper(store, "(other)")];
});

test("what two tabs write into one conversation becomes two", async () => {
  await here.save(talk(QUESTION, ANSWER));
  await there.save(talk(QUESTION, ANSWER, turn(1, "user", "And you?")));
  const mine = await here.save(talk(QUESTION, ANSWER, turn(1, "user", "Why?")));
  assert.notEqual(mine.id, "one");
  assert.equal(here.idOf("one"), mine.id);
  assert.equal(store.kept.size, 2);
  assert.equal(store.kept.get("one").nodes[2].text, "And you?");
});

test("a tab that opens the first of the two again goes on with that one", async () => {
  await here.save(talk(QUESTION, ANSWER));
  await there.save(talk(QUESTION, ANSWER, turn(1, "user", "And you?")));
  await here.save(talk(QUESTION, ANSWER, turn(1, "user", "Why?")));
  here.open("one");
  const longer = talk(QUESTION, ANSWER, turn(1, "user", "And you?"), turn(2, "assistant", "Well."));
  assert.equal((await here.save(longer)).id, "one");
  assert.equal(store.kept.size, 2);
});

test("a reply that grows keeps its conversation's place in the list", async () => {
  await here.save(talk(QUESTION));
  await here.save({ ...talk(QUESTION), id: "two" });
  const before = store.times.get("one");
  await here.change("one", stored => ({ ...stored, nodes: [...stored.nodes, ANSWER] }));
  assert.equal(store.kept.get("one").nodes.length, 2);
  assert.equal(store.times.get("one"), before);
});

test("what was deleted stays deleted, whatever still comes of it", async () => {
  await here.save(talk(QUESTION));
  const { undo } = await here.remove("one");
  await here.save(talk(QUESTION, ANSWER));
  assert.equal(await here.change("one", stored => stored), null);
  assert.equal(store.kept.size, 0);
  await undo();
  assert.deepEqual(store.kept.get("one").nodes, [QUESTION]);
});
