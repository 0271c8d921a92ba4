// An event of the page reaches the server, sooner or later, once its connection allows it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { onConnection, once, persistent } from "../../grok_app/web/js/connection.js";

const answered = status => async () => ({ status });
const refused = async () => { throw new TypeError("failed to fetch"); };
const hanging = signal => new Promise((_done, fail) => { signal.onabort = () => fail(signal.reason); });

/** What comes of the tries, one after another, and what was told meanwhile; time passes at once. */
async function asked(t, ...tries) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told = [];
  onConnection(state => told.push(state));
  const asking = persistent(signal => tries.shift()(signal));
  let response;
  asking.then(answer => { response = answer; });
  for (let waited = 0; !response && waited < 100; waited++) {
    await new Promise(setImmediate);
    t.mock.timers.runAll();
  }
  assert.deepEqual(tries, []);
  return { status: response.status, told };
}

for (const status of [200, 500]) {
  test(`an answer is given as it is: ${status}`, async t => {
    assert.deepEqual(await asked(t, answered(status)), { status, told: ["reached"] });
  });
}

test("where nobody answers it is asked again", async t => {
  const { status, told } = await asked(t, refused, answered(502), refused, answered(200));
  assert.equal(status, 200);
  assert.deepEqual(told, ["lost", "lost", "lost", "reached"]);
});

test("a connection that hangs is given up, and asked again", async t => {
  assert.deepEqual(await asked(t, hanging, hanging, answered(200)), { status: 200, told: ["lost", "lost", "reached"] });
});

test("whoever has to log in again hears of it", async t => {
  assert.deepEqual(await asked(t, answered(401)), { status: 401, told: ["login"] });
});

test("a question that hangs is given up, and the next one has more time", async t => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const first = once(hanging);
  t.mock.timers.tick(5000);
  await assert.rejects(first);
  let isOver = false;
  const second = once(hanging).catch(() => { isOver = true; });
  t.mock.timers.tick(6000);
  await new Promise(setImmediate);
  assert.equal(isOver, false);
  t.mock.timers.tick(4000);
  await second;
});
