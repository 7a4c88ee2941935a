// Speech at other sample rates, against the sines it consists of.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Resampler } from "../../../web/app/resampler.js";

const FROM = 24000;

const sine = (rate, hertz, length) =>
  Float32Array.from({ length }, (_, i) => Math.sin((2 * Math.PI * hertz * i) / rate));

/** @param {Resampler} resampler @param {Float32Array} pcm @param {number[]} cuts where chunks end */
function through(resampler, pcm, cuts = []) {
  const chunks = [...cuts, pcm.length].map((end, i) => resampler.push(pcm.subarray(cuts[i - 1] ?? 0, end)));
  return [...chunks, resampler.flush()].flatMap((chunk) => [...chunk]);
}

for (const to of [48000, 44100, 96000, 22050, 16000]) {
  for (const hertz of [100, 1000, 0.42 * Math.min(to, FROM)]) {
    test(`${Math.round(hertz)} Hz is the same sine at ${to} Hz`, () => {
      const out = through(new Resampler(FROM, to), sine(FROM, hertz, 6000));
      const expected = sine(to, hertz, out.length);
      for (let i = 200; i < out.length - 200; i++) {
        assert.ok(Math.abs(out[i] - expected[i]) < 1e-3, `sample ${i}: ${out[i]} for ${expected[i]}`);
      }
    });
  }
}

test("what a lower rate cannot hold is left out rather than folded", () => {
  const out = through(new Resampler(FROM, 16000), sine(FROM, 9500, 6000));
  assert.ok(out.slice(200, -200).every((sample) => Math.abs(sample) < 1e-3));
});

test("chunks make no difference", () => {
  const pcm = sine(FROM, 440, 5000);
  const whole = through(new Resampler(FROM, 44100), pcm);
  const cuts = [0, 1, 2, 50, 51, 1000, 1003, 4000, 4000, 4999];
  assert.deepEqual(through(new Resampler(FROM, 44100), pcm, cuts), whole);
});

test("the length is kept, nothing at all too", () => {
  for (const [samples, rate, expected] of [
    [0, 48000, 0],
    [1, 48000, 2],
    [1920, 44100, 3528],
    [1921, 44100, 3530],
    [5, 16000, 4],
  ]) {
    assert.equal(through(new Resampler(FROM, rate), new Float32Array(samples)).length, expected);
  }
});
