// How a speech comes out of its stream.

import assert from "node:assert/strict";
import test from "node:test";
import { SpeechStream } from "../../../web/app/speech_stream.js";

/** A stream, and its maker's side: give(n) a chunk of n samples, finish(result), fail(error), signal. */
function stream(signal) {
  const maker = {};
  const made = new SpeechStream(signal, (onSound, until) => {
    maker.signal = until;
    maker.give = (length) => onSound(new Float32Array(length));
    return new Promise((resolve, reject) => Object.assign(maker, { finish: resolve, fail: reject }));
  });
  return { made, maker };
}

const RESULT = { codes: [], frames: 3, cut_short: 0, stats: { rtf: 0.5 } };

test("chunks come in order, those made before anybody asked and those after, then the end", async () => {
  const { made, maker } = stream();
  maker.give(1);
  maker.give(2);
  const lengths = [];
  const reading = (async () => {
    for await (const chunk of made) lengths.push(chunk.length);
  })();
  await Promise.resolve();
  maker.give(3);
  maker.finish(RESULT);
  await reading;
  assert.deepEqual(lengths, [1, 2, 3]);
  assert.deepEqual(await made.result, RESULT);
  assert.deepEqual(await made.stats, RESULT.stats);
  assert.equal((await made.next()).done, true);
});

test("an error comes behind the chunks that were made, once, and out of result and stats", async () => {
  const { made, maker } = stream();
  maker.give(7);
  maker.fail(new Error("lost"));
  assert.equal((await made.next()).value.length, 7);
  await assert.rejects(made.next(), /lost/);
  assert.equal((await made.next()).done, true);
  await assert.rejects(made.result, /lost/);
  await assert.rejects(made.stats, /lost/);
});

test("an error nobody looks at is no unhandled rejection", async () => {
  const unhandled = [];
  const note = (error) => unhandled.push(error);
  process.on("unhandledRejection", note);
  stream().maker.fail(new Error("unseen"));
  await new Promise((resolve) => setTimeout(resolve, 5));
  process.off("unhandledRejection", note);
  assert.deepEqual(unhandled, []);
});

test("leaving the loop ends the speech, and what it still made is dropped", async () => {
  const { made, maker } = stream();
  maker.give(1);
  maker.give(2);
  for await (const _ of made) break;
  assert.equal(maker.signal.aborted, true);
  maker.give(3);
  maker.fail(new Error("cancelled"));
  assert.equal((await made.next()).done, true);
  await assert.rejects(made.result, /cancelled/);
});

test("the caller's signal reaches the maker", () => {
  const controller = new AbortController();
  const { maker } = stream(controller.signal);
  assert.equal(maker.signal.aborted, false);
  controller.abort();
  assert.equal(maker.signal.aborted, true);
});
