// What is heard while sound is still being made: all of it, in order, and never a click.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PlayQueue } from "../../../web/app/play_queue.js";

const FADE = 20;
const LENGTHS = { fade: FADE, start: 100, most: 800 };
const BLOCK = 128;

/** @param {number} length @param {(i: number) => number} value */
const sound = (length, value = () => 1) => Float32Array.from({ length }, (_, i) => value(i));

/** @param {PlayQueue} queue @param {number} blocks @returns {number[]} */
function heard(queue, blocks) {
  const samples = [];
  for (let i = 0; i < blocks; i++) {
    const block = new Float32Array(BLOCK).fill(NaN); // all of it has to be written
    queue.pull(block);
    samples.push(...block);
  }
  return samples;
}

function playing(length, value) {
  const queue = new PlayQueue(LENGTHS);
  queue.load(0);
  queue.push(sound(length, value));
  queue.play();
  return queue;
}

/** Numbers in 0..1 that are the same in every run. @param {number} seed */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** No neighbours differ by more than one step of the fade, when the sound itself is constantly 1. */
function assertNoClick(samples) {
  let before = 0;
  for (const [i, sample] of samples.entries()) {
    assert.ok(sample >= 0 && sample <= 1, `sample ${i} is ${sample}`);
    assert.ok(Math.abs(sample - before) <= 1.0001 / FADE, `from ${before} to ${sample} at ${i}`);
    before = sample;
  }
}

test("nothing is heard before enough has come, or all", () => {
  const queue = playing(99);
  assert.ok(heard(queue, 3).every((sample) => sample === 0));
  assert.equal(queue.state, "waiting");
  queue.push(sound(1));
  assert.ok(heard(queue, 1).some((sample) => sample > 0));
  const short = playing(30);
  short.complete();
  assert.ok(heard(short, 1).some((sample) => sample > 0));
});

test("chunks of any length are heard as one sound, unchanged but for its two ends", () => {
  const value = (i) => Math.sin(i / 7);
  const queue = new PlayQueue(LENGTHS);
  queue.load(0);
  queue.play();
  const next = random(1);
  const samples = [];
  let given = 0;
  while (given < 5000) {
    const length = Math.floor(300 * next()) + (given < 600 ? 300 : 0); // ahead of what is heard, at times by nothing
    queue.push(sound(length, (i) => value(given + i)));
    given += length;
    if (given - samples.length > 500) samples.push(...heard(queue, 2));
  }
  queue.complete();
  samples.push(...heard(queue, 40));
  assert.deepEqual(
    samples.slice(FADE, given - FADE),
    [...sound(given, value)].slice(FADE, given - FADE),
  );
  assert.ok(samples.slice(given).every((sample) => sample === 0));
  assert.equal(queue.gaps, 0);
  assert.equal(queue.position, given);
  assert.equal(queue.state, "ended");
  assert.ok(queue.silent);
});

test("a pause fades out, loses nothing, and playing on fades in", () => {
  const queue = playing(2000, () => 1);
  queue.complete();
  const samples = heard(queue, 3);
  queue.pause();
  assert.equal(queue.state, "paused");
  samples.push(...heard(queue, 2));
  assert.equal(samples.at(-1), 0);
  assert.ok(queue.silent);
  const { position } = queue;
  assert.equal(position, samples.findLastIndex((sample) => sample > 0) + 1);
  heard(queue, 5);
  assert.equal(queue.position, position);
  queue.play();
  samples.push(...heard(queue, 14));
  assertNoClick(samples);
  assert.equal(queue.position, 2000);
});

test("running dry is a gap that is waited out longer every time, and does not click", () => {
  const queue = playing(200);
  const samples = heard(queue, 3);
  assert.equal(queue.state, "waiting");
  queue.push(sound(150)); // less than twice the start
  assert.ok(heard(queue, 2).every((sample) => sample === 0));
  queue.push(sound(100));
  samples.push(...heard(queue, 3));
  assert.equal(queue.gaps, 1);
  queue.push(sound(380)); // less than four times the start
  assert.ok(heard(queue, 2).every((sample) => sample === 0));
  queue.push(sound(100));
  samples.push(...heard(queue, 6));
  assert.equal(queue.gaps, 2);
  assertNoClick(samples);
});

test("sound whose end is told only once it has run dry has no gap", () => {
  const queue = playing(300);
  heard(queue, 4);
  assert.equal(queue.state, "waiting");
  queue.complete();
  heard(queue, 1);
  assert.equal(queue.state, "ended");
  assert.equal(queue.gaps, 0);
});

test("another sound begins once the one before has faded out", () => {
  const queue = playing(5000);
  const samples = heard(queue, 2);
  queue.load(700);
  queue.push(sound(400));
  assert.equal(queue.position, 700);
  samples.push(...heard(queue, 3));
  assertNoClick(samples);
  assert.ok(samples.slice(2 * BLOCK, 2 * BLOCK + FADE + 2).includes(0));
  assert.ok(samples.at(-1) > 0);
  queue.complete();
  samples.push(...heard(queue, 3));
  assertNoClick(samples);
  assert.equal(queue.position, 1100);
});

test("whatever is asked for in whatever order, nothing clicks and all is heard to the end", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const next = random(seed);
    const queue = new PlayQueue(LENGTHS);
    const samples = [];
    for (let i = 0; i < 200; i++) {
      const chance = next();
      if (chance < 0.4) queue.push(sound(Math.floor(400 * next() * next())));
      else if (chance < 0.55) queue.play();
      else if (chance < 0.65) queue.pause();
      else if (chance < 0.7) queue.load(Math.floor(1000 * next()));
      else samples.push(...heard(queue, Math.ceil(3 * next())));
    }
    queue.complete();
    queue.play();
    samples.push(...heard(queue, 400));
    assertNoClick(samples);
    assert.equal(queue.state, "ended");
    assert.ok(queue.silent);
  }
});
