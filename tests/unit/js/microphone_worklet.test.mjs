// What the audio thread hands on, and when; the thread itself is played by the test.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

const RATE = 16000;
const BLOCK = 1280;
const FIVE_MINUTES = 300 / 0.08;
let Tap;
let sent;

globalThis.sampleRate = RATE;
globalThis.AudioWorkletProcessor = class {
  port = { postMessage: (report) => sent.push(report) };
};
globalThis.registerProcessor = (_, processor) => {
  Tap = processor;
};
await import("../../../web/app/microphone_worklet.js");

beforeEach(() => {
  sent = [];
});

/** @param {number} samples of sound that the tap is given, as it would be @param {number} [level] */
function hear(tap, samples, level = 0.5) {
  let on = true;
  for (let at = 0; at < samples; at += 128) {
    on = tap.process([[new Float32Array(Math.min(128, samples - at)).fill(level)]]);
  }
  return on;
}

const order = (tap, data) => tap.port.onmessage({ data });
const lengths = () => sent.filter(({ samples }) => samples).map(({ samples }) => samples.length);
const levels = () => sent.filter((report) => "peak" in report);

test("before it runs there are levels and no sound", () => {
  const tap = new Tap();
  assert.ok(hear(tap, 10 * BLOCK));
  assert.deepEqual(lengths(), []);
  assert.ok(levels().length >= 10);
  assert.ok(levels().every(({ peak }) => peak <= 0.5));
});

test("a pause first hands on what was heard, then nothing; running again goes on", () => {
  const tap = new Tap();
  order(tap, "run");
  hear(tap, 2 * BLOCK + 256);
  order(tap, "pause");
  assert.deepEqual(lengths(), [BLOCK, BLOCK, 256]);
  assert.deepEqual(sent.at(-1), { done: true });
  assert.ok(hear(tap, 2 * BLOCK));
  assert.equal(lengths().length, 3);
  order(tap, "run");
  hear(tap, BLOCK);
  assert.deepEqual(lengths(), [BLOCK, BLOCK, 256, BLOCK]);
});

test("a stop hands on the rest and ends the processor", () => {
  const tap = new Tap();
  order(tap, "run");
  hear(tap, 300);
  order(tap, "stop");
  assert.deepEqual(lengths(), [300]);
  assert.deepEqual(sent.at(-1), { done: true });
  assert.equal(hear(tap, 128), false);
});

test("blocks carry when they were complete", () => {
  const tap = new Tap();
  order(tap, "run");
  const before = Date.now();
  hear(tap, BLOCK);
  const { at } = sent.find(({ samples }) => samples);
  assert.ok(before <= at && at <= Date.now());
});

test("a page that takes nothing for five minutes is told, once, and no sound is left out before", () => {
  const tap = new Tap();
  order(tap, "run");
  hear(tap, (FIVE_MINUTES + 10) * BLOCK);
  assert.equal(lengths().length, FIVE_MINUTES);
  assert.equal(sent.filter((report) => "full" in report).length, 1);
});

test("a page that takes its blocks is never refused one", () => {
  const tap = new Tap();
  order(tap, "run");
  for (let block = 0; block < FIVE_MINUTES + 10; block++) {
    hear(tap, BLOCK);
    order(tap, "taken");
  }
  assert.equal(lengths().length, FIVE_MINUTES + 10);
});
