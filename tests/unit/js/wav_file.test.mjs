// WAV files written from samples, against one that flite wrote.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { wavFile } from "../../../web/app/wav_file.js";

const SAMPLE = new URL("../../../web/samples/door-rms.wav", import.meta.url);

test("samples of a WAV file become the same file again", async () => {
  const theirs = await readFile(SAMPLE);
  const count = (theirs.length - 44) / 2;
  const pcm = Float32Array.from({ length: count }, (_, i) => theirs.readInt16LE(44 + 2 * i) / 32768);
  const ours = Buffer.from(await wavFile(pcm, 16000).arrayBuffer());
  assert.ok(ours.equals(theirs));
});

test("what is too loud for 16 bits is clipped", async () => {
  const file = Buffer.from(await wavFile(Float32Array.of(1, 2, -1, -2), 16000).arrayBuffer());
  assert.deepEqual([...new Int16Array(file.buffer, file.byteOffset + 44, 4)], [32767, 32767, -32768, -32768]);
});
