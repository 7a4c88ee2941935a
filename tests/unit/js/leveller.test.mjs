// Live sound is brought to full level as a recording would be.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Leveller } from "../../../web/app/leveller.js";

const RATE = 16000;
const BLOCK = 1280;

/** Blocks of a tone. @param {number} amplitude @param {number} seconds */
function tone(amplitude, seconds) {
  const sample = (_, i) => amplitude * Math.sin((2 * Math.PI * 500 * i) / RATE);
  return Array.from({ length: Math.round((seconds * RATE) / BLOCK) }, () =>
    Float32Array.from({ length: BLOCK }, sample),
  );
}

const peak = (samples) => samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);

test("quiet speech becomes as loud as other within half a minute", () => {
  const leveller = new Leveller(RATE);
  const out = tone(0.06, 60).map((block) => peak(leveller.level(block)));
  assert.ok(out[0] > 0.15 && out.at(-1) > 0.9, `${out[0]}, ${out.at(-1)}`);
  assert.ok(out.every((loudest, i) => i === 0 || loudest >= out[i - 1] - 1e-6));
});

test("loud speech after quiet is not overdriven, not in its first block either", () => {
  const leveller = new Leveller(RATE);
  for (const block of tone(0.06, 60)) leveller.level(block);
  for (const block of tone(0.9, 1)) assert.ok(peak(leveller.level(block)) <= 0.951);
});

test("silence is not blown up", () => {
  const leveller = new Leveller(RATE);
  const out = tone(0.001, 300).map((block) => peak(leveller.level(block)));
  assert.ok(out.at(-1) <= 0.0201);
});

test("the level changes without steps", () => {
  const leveller = new Leveller(RATE);
  const gains = tone(0.06, 20).flatMap((block) => [...leveller.level(block)].map((out, i) => out / block[i]));
  const steady = gains.filter(Number.isFinite);
  for (let i = 1; i < steady.length; i++) assert.ok(Math.abs(steady[i] / steady[i - 1] - 1) < 0.01);
});
