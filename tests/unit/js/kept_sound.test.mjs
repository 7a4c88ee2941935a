// Sound kept piece by piece is the WAV file of the whole.

import assert from "node:assert/strict";
import { test } from "node:test";
import { KeptSound, MAX_KEPT_SECONDS } from "../../../web/app/kept_sound.js";
import { wavFile } from "../../../web/app/wav_file.js";

const RATE = 16000;

test("blocks of any length, over minutes, make the file of the whole sound", async () => {
  const sound = Float32Array.from({ length: 130 * RATE + 7 }, (_, i) => Math.sin(i / 40));
  const kept = new KeptSound(RATE);
  for (let at = 0; at < sound.length; at += 1280) kept.add(sound.subarray(at, at + 1280));
  assert.equal(kept.bytes, 2 * sound.length);
  const file = kept.file();
  assert.equal(file.type, "audio/wav");
  const [got, want] = await Promise.all([file.arrayBuffer(), wavFile(sound, RATE).arrayBuffer()]);
  assert.ok(Buffer.from(got).equals(Buffer.from(want)));
});

test("it ends at its limit, to the sample", () => {
  const rate = 10;
  const kept = new KeptSound(rate);
  kept.add(new Float32Array(MAX_KEPT_SECONDS * rate - 3));
  assert.equal(kept.full, false);
  kept.add(new Float32Array(5));
  assert.equal(kept.full, true);
  assert.equal(kept.bytes, 2 * MAX_KEPT_SECONDS * rate);
  kept.add(new Float32Array(5));
  assert.equal(kept.file().size, 44 + 2 * MAX_KEPT_SECONDS * rate);
});
