// A reply is followed until it has ended, whatever becomes of the connection.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createWaiting, follow } from "../../grok_app/web/js/follow.js";

const LOST = undefined;
const UNKNOWN = {};
const part = (text, seen, ended = null) => ({ text, seen, ended });

/**
 * What comes of the server's answers, one after another: what was asked, waited and told meanwhile.
 *
 * @param {unknown[]} answers
 * @param {number[]} [seen]
 */
async function followed(answers, seen) {
  const asked = [], waited = [], told = [], news = [];
  const ask = async since => {
    asked.push(since);
    assert.ok(answers.length, "it asks again after the end");
    return answers.shift();
  };
  const wait = async milliseconds => { waited.push(milliseconds); };
  for await (const item of follow(ask, wait, reached => told.push(reached), seen)) news.push(item);
  assert.deepEqual(answers, [], "it ends too early");
  return { asked, waited, told, news };
}

test("what is here already is not asked for again", async () => {
  const answers = [part("Hi", [2, 1]), part("", [2, 1]), part(" there", [8, 2], "stop")];
  const { asked, news } = await followed([...answers]);
  assert.deepEqual(asked, [[0, 0], [2, 1], [2, 1]]);
  assert.deepEqual(news, answers);
});

test("a page that has some of it begins there", async () => {
  assert.deepEqual((await followed([part("!", [9, 4], "stop")], [8, 3])).asked, [[8, 3]]);
});

test("where the server cannot be reached it asks the same again", async () => {
  const { asked, told, news } = await followed([part("Hi", [2, 1]), LOST, LOST, part("!", [3, 2], "length")]);
  assert.deepEqual(asked, [[0, 0], [2, 1], [2, 1], [2, 1]]);
  assert.deepEqual(told, [true, false, false, true]);
  assert.deepEqual(news.map(({ text }) => text), ["Hi", "!"]);
});

test("a reply that the server does not know is at its end", async () => {
  assert.deepEqual((await followed([LOST, UNKNOWN])).news, [UNKNOWN]);
  assert.equal((await followed([part("Hi", [2, 1]), UNKNOWN])).news.length, 2);
});

for (const how of ["stop", "length", "stopped", "failed"]) {
  test(`it ends with a reply that has ended: ${how}`, async () => {
    assert.deepEqual((await followed([part("Hi", [2, 1], how)])).waited, []);
  });
}

test("it asks sooner while there is something new", async () => {
  const { waited } = await followed([part("Hi", [2, 1]), part("", [2, 1]), LOST, part("", [2, 1], "stop")]);
  const [more, none, lost] = waited;
  assert.ok(more < none && none < lost, String(waited));
});

test("waiting ends by itself, or for all at once", async () => {
  const waiting = createWaiting();
  await waiting.wait(1);
  const long = [waiting.wait(1e6), waiting.wait(1e6)];
  waiting.wake();
  await Promise.all(long);
});
