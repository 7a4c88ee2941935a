// What a live session tells its page, and what it takes from it, with a worker's side made by hand.

import assert from "node:assert/strict";
import test from "node:test";
import { VoxtabError } from "../../../web/app/errors.js";
import { LiveSession } from "../../../web/app/live_session.js";

/** An open session, and the worker's side of it: calls as they came, hear(heard), finish(result), fail(error). */
async function session(options = {}, mostBacklogSeconds = 300) {
  const worker = { calls: [], refuse: null };
  const rpc = {
    call(method, params, { onEvent } = {}) {
      worker.calls.push([method, params]);
      if (method !== "listen") return worker.refuse ? Promise.reject(worker.refuse) : Promise.resolve({});
      worker.hear = (heard) => onEvent("heard", { text: "", words: [], tokens: [], ...heard });
      queueMicrotask(() => onEvent("open", { stream: 9, mostBacklogSeconds }));
      return new Promise((resolve, reject) => Object.assign(worker, { finish: resolve, fail: reject }));
    },
  };
  const live = await LiveSession.open(rpc, { delay_ms: 480 }, options);
  return { live, worker };
}

const at = (heardSeconds, fedSeconds, backlogSeconds) => ({ heardSeconds, fedSeconds, backlogSeconds });
const word = (text) => ({ text, start: 0, end: 1 });

test("what nobody waited for comes in one piece, what somebody waits for at once", async () => {
  const { live, worker } = await session();
  worker.hear({ text: "one ", words: [word("one")], tokens: [5, 6], ...at(1, 2, 1) });
  worker.hear({ text: "two ", words: [word("two")], tokens: [7], ...at(2, 3, 1) });
  const first = (await live.next()).value;
  assert.deepEqual(first, { text: "one two ", words: [word("one"), word("two")], tokens: [5, 6, 7], ...at(2, 3, 1) });
  const next = live.next();
  worker.hear({ text: "three", ...at(3, 3, 0) });
  assert.equal((await next).value.text, "three");
});

test("close sends the end once, and gives the result; the iteration ends behind the last words", async () => {
  const { live, worker } = await session();
  const closing = live.close();
  live.close();
  worker.hear({ text: "last", ...at(1, 1, 0) });
  worker.finish({ text: "last" });
  assert.deepEqual(await closing, { text: "last" });
  assert.deepEqual(await live.result, { text: "last" });
  const told = [];
  for await (const { text } of live) told.push(text);
  assert.deepEqual(told, ["last"]);
  assert.deepEqual(
    worker.calls.map(([method]) => method),
    ["listen", "closeStream"],
  );
});

test("sound after the close is refused, and so is what is no sound", async () => {
  const { live } = await session();
  assert.throws(() => live.feed([0, 0]), { code: "option-invalid" });
  live.close();
  assert.throws(() => live.feed(new Float32Array(80)), { code: "option-invalid" });
});

test("more than may wait is refused until the worker has caught up", async () => {
  const { live, worker } = await session({}, 2);
  const second = new Float32Array(16000);
  live.feed(second);
  live.feed(second);
  assert.throws(() => live.feed(second), { code: "backlog-full" });
  worker.hear(at(0, 2, 0.5));
  live.feed(second);
  assert.equal(worker.calls.filter(([method]) => method === "feed").length, 3);
  assert.throws(() => live.feed(second), { code: "backlog-full" });
});

test("a piece that the worker refuses is told with the next one, and the stream goes on", async () => {
  const { live, worker } = await session({}, 2);
  worker.refuse = new VoxtabError("audio-undecodable", "No numbers.");
  live.feed(new Float32Array(16000));
  await new Promise(setImmediate);
  worker.refuse = null;
  assert.throws(() => live.feed(new Float32Array(16000)), { code: "audio-undecodable" });
  live.feed(new Float32Array(32000)); // the refused second waits for nothing
});

test("what ends the stream comes out of the iteration once, of feed and of the result, with the text so far", async () => {
  const { live, worker } = await session();
  worker.hear({ text: "so far", ...at(1, 1, 0) });
  worker.fail(new VoxtabError("device-lost", "Gone."));
  assert.equal((await live.next()).value.text, "so far");
  await assert.rejects(live.next(), { code: "device-lost", partialText: "so far" });
  assert.equal((await live.next()).done, true);
  assert.throws(() => live.feed(new Float32Array(1)), { code: "device-lost" });
  await assert.rejects(live.close(), { code: "device-lost" });
});

test("a session that cannot open rejects", async () => {
  const rpc = { call: () => Promise.reject(new VoxtabError("model-missing", "None.")) };
  await assert.rejects(LiveSession.open(rpc, {}, {}), { code: "model-missing" });
});

test("onDelta gets every piece of news, and setDelay goes to the stream", async () => {
  const told = [];
  const { live, worker } = await session({ onDelta: (text, { backlogSeconds }) => told.push([text, backlogSeconds]) });
  worker.hear({ text: "a", ...at(1, 2, 1) });
  worker.hear({ text: "b", ...at(2, 2, 0) });
  await live.setDelay(960);
  assert.deepEqual(told, [
    ["a", 1],
    ["b", 0],
  ]);
  assert.deepEqual(worker.calls.at(-1), ["setDelay", { stream: 9, delayMs: 960 }]);
});

test("a step gives what it brought, and idle and done tell whether another is worth while", async () => {
  const { live, worker } = await session();
  assert.deepEqual([live.idle, live.done], [false, false]);
  const step = live.step(3);
  assert.deepEqual(worker.calls.at(-1), ["step", { stream: 9, budget: 3 }]);
  worker.hear({ text: "one", ...at(0, 0, 0), idle: true, done: false });
  assert.equal((await step).text, "one");
  assert.equal(live.idle, true);
  live.feed(new Float32Array(1280));
  assert.equal(live.idle, false);
  live.step();
  worker.hear({ ...at(0.08, 0.08, 0), idle: true, done: false });
  assert.equal(live.idle, true);
  live.close();
  assert.equal(live.idle, false);
  const last = live.step();
  worker.hear({ text: "two", ...at(0.08, 0.08, 0), idle: true, done: true });
  assert.equal((await last).text, "two");
  assert.deepEqual([live.idle, live.done], [true, true]);
  assert.deepEqual(await live.step(), { text: "", words: [], tokens: [], ...at(0.08, 0.08, 0) });
});

test("a refused step rejects alone, and what ends the stream rejects those that wait", async () => {
  const { live, worker } = await session();
  const waiting = live.step();
  worker.refuse = new VoxtabError("option-invalid", "No.");
  await assert.rejects(live.step(0), { code: "option-invalid" });
  worker.hear({ text: "a", ...at(0, 0, 0) });
  assert.equal((await waiting).text, "a");
  worker.refuse = null;
  const last = live.step();
  worker.fail(new VoxtabError("cancelled", "Stopped."));
  await assert.rejects(last, { code: "cancelled", partialText: "a" });
  await assert.rejects(live.step(), { code: "cancelled" });
  assert.equal(live.done, true);
});

test("news that onDelta or a step was told is kept only for an iteration that has begun", async () => {
  const { live, worker } = await session({ onDelta: () => {} });
  worker.hear({ text: "a", ...at(1, 1, 0) });
  const next = live.next();
  worker.hear({ text: "b", ...at(2, 2, 0) });
  assert.equal((await next).value.text, "b");
  worker.hear({ text: "c", ...at(3, 3, 0) });
  assert.equal((await live.next()).value.text, "c");
});

test("an error tells the text of any number of pieces", async () => {
  const { live, worker } = await session({ onDelta: () => {} });
  for (let k = 0; k < 2500; k++) worker.hear({ text: `${k} `, ...at(k, k, 0) });
  worker.fail(new VoxtabError("device-lost", "Gone."));
  const said = Array.from({ length: 2500 }, (_, k) => `${k} `).join("");
  await assert.rejects(live.result, { partialText: said });
});
