// Words against the moments they were said and shown at.

import assert from "node:assert/strict";
import { test } from "node:test";
import { WordLatency } from "../../../web/app/word_latency.js";

/** Blocks of 80 ms, heard as soon as they are over; the stream began at `start` ms. */
function listening(seconds, start = 50_000) {
  const latency = new WordLatency();
  for (let i = 1; i <= Math.round(seconds / 0.08); i++) latency.heard(i * 0.08, start + i * 80);
  return latency;
}

test("a word's latency is the time from its end to its last letter, not to its being settled", () => {
  const latency = listening(4);
  latency.shown(" hel", [], 1, 51_400);
  latency.shown("lo", [], 1, 51_480);
  latency.shown(" world", [{ text: "hello", start: 0.5, end: 1 }], 2, 52_300);
  assert.equal(latency.count, 1);
  assert.ok(Math.abs(latency.percentile(0.5) - 480) < 1e-6); // shown at 51 480, over at 51 000
  latency.shown("", [{ text: "world", start: 1, end: 1.7 }], 2, 59_000);
  assert.ok(Math.abs(latency.percentile(1) - 600) < 1e-6);
});

test("a word's end inside a block counts, not the block's", () => {
  const latency = listening(2);
  latency.shown(" a b", [{ text: "a", start: 0.9, end: 1.02 }], 1.2, 51_500);
  assert.ok(Math.abs(latency.percentile(0.5) - 480) < 1e-6);
});

test("the clock that counts is the microphone's: a pause is no latency", () => {
  const latency = new WordLatency();
  latency.heard(1, 1000);
  latency.heard(2, 61_000); // a minute's pause before it
  latency.shown(" late", [], 2, 61_300);
  latency.shown("", [{ text: "late", start: 1.5, end: 1.9 }], 2, 62_000);
  assert.ok(Math.abs(latency.percentile(0.5) - 400) < 1e-6);
});

test("percentiles are those of the words measured", () => {
  const latency = listening(100);
  for (let k = 1; k <= 20; k++) {
    latency.shown(` w${k}`, [{ text: `w${k}`, start: k - 0.5, end: k }], k, 50_000 + 1000 * k + 10 * k);
  }
  assert.equal(latency.count, 20);
  assert.ok(Math.abs(latency.percentile(0.5) - 100) < 1e-6);
  assert.ok(Math.abs(latency.percentile(0.95) - 190) < 1e-6);
});

test("before the first word there is no figure", () => {
  assert.ok(Number.isNaN(new WordLatency().percentile(0.5)));
});

test("over hours, the latest words count", () => {
  const latency = new WordLatency();
  for (let i = 1; i <= 3 * 3600 * 12.5; i++) {
    latency.heard(i * 0.08, i * 80);
    const said = i % 5 === 0 ? [{ text: "word", start: i * 0.08 - 0.3, end: i * 0.08 }] : [];
    latency.shown(said.length > 0 ? " word" : "", said, i * 0.08, i * 80 + (i < 100_000 ? 900 : 300));
  }
  assert.equal(latency.count, 1000);
  assert.ok(Math.abs(latency.percentile(0.95) - 300) < 1e-6);
});
