// The page's one action at a time, and what ends it early.

import assert from "node:assert/strict";
import { test } from "node:test";
import { VoxtabError } from "../../../web/app/errors.js";
import { MakingRoom } from "../../../web/app/making_room.js";
import { OneAtATime } from "../../../web/app/one_at_a_time.js";
import { unlessAborted } from "../../../web/app/unless_aborted.js";

/** What a page would see: errors told, and when its cards were busy. */
function page() {
  const told = [];
  const busy = [];
  const banner = { show: ({ code }) => told.push(code), clear: () => told.push("clear") };
  const actions = new OneAtATime(banner);
  actions.add({ setBusy: (value) => busy.push(value) });
  return { actions, told, busy };
}

const codeOf = (promise) => promise.then(() => "none", ({ code }) => code);

test("work begins within the call, and its cards are busy until it ends", async () => {
  const { actions, told, busy } = page();
  let begun = false;
  const running = actions.run(async () => {
    begun = true;
    await null;
  });
  assert.equal(begun, true);
  assert.deepEqual(busy, [true]);
  await running;
  assert.deepEqual(busy, [true, false]);
  assert.deepEqual(told, ["clear"]);
});

test("something else is refused meanwhile and works afterwards", async () => {
  const { actions, told } = page();
  let finish = () => {};
  const running = actions.run(() => new Promise((resolve) => (finish = resolve)));
  let done = 0;
  await actions.run(async () => void done++);
  assert.deepEqual([done, told.at(-1)], [0, "busy"]);
  assert.equal(actions.hold(), false);
  finish();
  await running;
  await actions.run(async () => void done++);
  assert.equal(done, 1);
});

test("what goes wrong is told, never thrown, and ends the turn", async () => {
  const { actions, told, busy } = page();
  await actions.run(async () => {
    throw new VoxtabError("device-lost", "Gone.");
  });
  await actions.run(() => {
    throw new TypeError("a mistake");
  });
  assert.deepEqual(told, ["clear", "device-lost", "clear", "internal"]);
  assert.deepEqual(busy, [true, false, true, false]);
});

test("cancel ends what waits, and what was held is no business of its", async () => {
  const { actions, told } = page();
  const running = actions.run((signal) => unlessAborted(new Promise(() => {}), signal));
  assert.equal(actions.tells, true);
  actions.cancel();
  await running;
  assert.equal(told.at(-1), "cancelled");
  assert.equal(actions.hold(), true);
  assert.equal(actions.tells, false);
  actions.cancel();
  assert.equal(actions.busy, true);
  actions.release();
  assert.equal(actions.busy, false);
});

test("what waits gives its own result or error unless it is aborted first", async () => {
  const { signal } = new AbortController();
  assert.equal(await unlessAborted(Promise.resolve(7), signal), 7);
  const failing = Promise.reject(new VoxtabError("no-webgpu", "None."));
  assert.equal(await codeOf(unlessAborted(failing, signal)), "no-webgpu");
  assert.equal(await codeOf(unlessAborted(Promise.resolve(7), AbortSignal.abort())), "cancelled");
});

test("the model that an error names is unloaded for the one that was wanted", async () => {
  const { actions } = page();
  const done = [];
  const engine = {
    models: [
      { task: "speech-to-text", name: "Writer" },
      { task: "text-to-speech", name: "Speaker" },
    ],
    wanted: "text-to-speech",
    unload: async (task) => done.push(`unload ${task}`),
    load: async (task) => done.push(`load ${task}`),
  };
  const room = new MakingRoom({ engine, actions });
  const tooSmall = (hint) => room.offer(new VoxtabError("adapter-too-small", "8 MB are missing.", hint));
  assert.equal(tooSmall("Choose a smaller model."), null);
  assert.equal(room.offer(new VoxtabError("quota-full", "Full.", "Unload 'Writer'.")), null);
  const offer = tooSmall("Unload 'Writer', or choose a smaller model.");
  assert.equal(offer.label, "Unload Writer and try again");
  engine.wanted = "speech-to-text"; // by then
  await offer.accept();
  assert.deepEqual(done, ["unload speech-to-text", "load text-to-speech"]);
});
