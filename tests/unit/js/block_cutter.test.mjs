// The microphone's sound in blocks, whatever its rate and its channels.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BlockCutter } from "../../../web/app/block_cutter.js";

const QUANTUM = 128;
const sine = (rate, length) =>
  Float32Array.from({ length }, (_, i) => Math.sin((2 * Math.PI * 440 * i) / rate));

/** Fed as an AudioWorklet is. @param {BlockCutter} cutter @param {Float32Array[]} channels */
function through(cutter, channels) {
  const blocks = [];
  for (let at = 0; at < channels[0].length; at += QUANTUM) {
    blocks.push(...cutter.push(channels.map((channel) => channel.subarray(at, at + QUANTUM))));
  }
  return [...blocks, ...cutter.flush()];
}

test("at 16 kHz not one sample is changed or lost, and all blocks but the last are of 80 ms", () => {
  const sound = sine(16000, 5000);
  const blocks = through(new BlockCutter(16000), [sound]);
  assert.deepEqual(
    blocks.map(({ length }) => length),
    [1280, 1280, 1280, 1160],
  );
  assert.deepEqual(
    blocks.flatMap((block) => [...block]),
    [...sound],
  );
});

for (const rate of [8000, 22050, 44100, 48000, 96000]) {
  test(`${rate} Hz becomes the same tone at 16 kHz, as long as before`, () => {
    const blocks = through(new BlockCutter(rate), [sine(rate, rate / 2)]);
    const out = blocks.flatMap((block) => [...block]);
    assert.equal(out.length, 8000);
    assert.ok(blocks.slice(0, -1).every(({ length }) => length === 1280));
    const expected = sine(16000, 8000);
    for (let i = 200; i < 7800; i++) assert.ok(Math.abs(out[i] - expected[i]) < 1e-3, `sample ${i}`);
  });
}

test("channels are mixed", () => {
  const left = sine(16000, 1280);
  const [block] = through(new BlockCutter(16000), [left, new Float32Array(1280)]);
  assert.deepEqual(
    block,
    left.map((sample) => sample / 2),
  );
});

test("after a flush it begins anew", () => {
  const cutter = new BlockCutter(48000);
  const sound = sine(48000, 10000);
  assert.deepEqual(through(cutter, [sound]), through(cutter, [sound]));
});

test("no sound gives no block", () => {
  assert.deepEqual(new BlockCutter(44100).push([]), []);
  assert.deepEqual(new BlockCutter(44100).flush(), []);
});
