// The heights of a waveform's bars, against the loudest samples under them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Peaks } from "../../../web/app/peaks.js";

const GRAIN = 240;

/** Of one peak a grain. @param {number[]} peaks */
function sound(peaks) {
  const pcm = new Float32Array(peaks.length * GRAIN);
  for (const [i, peak] of peaks.entries()) pcm[i * GRAIN + ((i * 97) % GRAIN)] = i % 2 ? -peak : peak;
  return pcm;
}

test("a bar is as high as the loudest sample under it, wherever the chunks ended", () => {
  const heights = [0.125, 0.5, 0.25, 0, 1, 0.75];
  const pcm = sound(heights);
  const peaks = new Peaks();
  for (let at = 0; at < pcm.length; at += 100) peaks.add(pcm.subarray(at, at + 100));
  assert.equal(peaks.length, pcm.length);
  assert.deepEqual(peaks.bars(6, pcm.length), heights);
  assert.deepEqual(peaks.bars(3, pcm.length), [0.5, 0.25, 1]);
  assert.deepEqual(peaks.bars(1, pcm.length), [1]);
  assert.deepEqual(peaks.bars(12, pcm.length), heights.flatMap((height) => [height, height]));
});

test("where there is no sound yet there is no bar", () => {
  const peaks = new Peaks();
  assert.deepEqual(peaks.bars(10, 10 * GRAIN), []);
  peaks.add(sound([0.5, 0.25, 0.75]));
  assert.deepEqual(peaks.bars(10, 10 * GRAIN), [0.5, 0.25, 0.75]);
});

test("what is louder than full is a full bar", () => {
  const peaks = new Peaks();
  peaks.add(Float32Array.of(-3));
  assert.deepEqual(peaks.bars(1, GRAIN), [1]);
});
