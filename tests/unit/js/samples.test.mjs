// The list of samples: the one that is there, and all that is refused.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, test } from "node:test";
import { checkSamples, fetchSample, listSamples } from "../../../web/app/samples.js";
import { serve } from "./support.mjs";

const FOLDER = new URL("../../../web/samples/", import.meta.url);
const LIST = await readFile(new URL("samples.json", FOLDER));
const WAV = await readFile(new URL("door-rms.wav", FOLDER));

let server;

beforeEach(async () => {
  server = await serve({ "samples.json": LIST, "door-rms.wav": WAV });
});
afterEach(() => server.close());

const folder = () => new URL(server.url);
const rms = async () => (await listSamples(folder())).find(({ file }) => file === "door-rms.wav");

test("the list is read, and a sample's sound as a file", async () => {
  assert.deepEqual(await listSamples(folder()), JSON.parse(LIST).samples);
  const file = await fetchSample(await rms(), undefined, folder());
  assert.equal(file.name, "door-rms.wav");
  assert.ok(Buffer.from(await file.arrayBuffer()).equals(WAV));
});

test("a list or a file that is not there is told by its name", async () => {
  const sample = await rms();
  server.files.clear();
  const refusal = (name) => ({ code: "audio-undecodable", message: new RegExp(`^${name} .*404`) });
  await assert.rejects(listSamples(folder()), refusal("samples.json"));
  await assert.rejects(fetchSample(sample, undefined, folder()), refusal("door-rms.wav"));
});

test("a server that has gone is told too, and cancelling is no failure", async () => {
  const sample = await rms();
  await assert.rejects(fetchSample(sample, AbortSignal.abort(), folder()), { code: "cancelled" });
  const gone = new URL("http://localhost:9/");
  await assert.rejects(fetchSample(sample, undefined, gone), { code: "audio-undecodable" });
});

/** The list with something else in it. */
function changed(change) {
  const list = JSON.parse(LIST);
  change(list);
  return JSON.stringify(list);
}
const REFUSED = {
  "no JSON": "{",
  nothing: "null",
  "another format": changed((list) => Object.assign(list, { format: "voxtab-shards" })),
  "a later version": changed((list) => Object.assign(list, { version: 2 })),
  "no samples": changed((list) => Object.assign(list, { samples: [] })),
  "samples that are no list": changed((list) => Object.assign(list, { samples: { length: 1 } })),
  "too many": changed((list) => Object.assign(list, { samples: Array(13).fill(list.samples[0]) })),
  "a sample that is nothing": changed((list) => list.samples.push(null)),
  "a file elsewhere": changed((list) => Object.assign(list.samples[0], { file: "../models/shard-aa.wav" })),
  "an address for a file": changed((list) => Object.assign(list.samples[0], { file: "https://a.b/c.wav" })),
  "no title": changed((list) => delete list.samples[0].title),
  "a title of two lines": changed((list) => Object.assign(list.samples[0], { title: "a\nb" })),
  "a voice that is a number": changed((list) => Object.assign(list.samples[0], { voice: 7 })),
  "a text with punctuation": changed((list) => Object.assign(list.samples[0], { text: "yes, please" })),
  "an empty licence": changed((list) => Object.assign(list.samples[0], { licence: "" })),
};

for (const [what, text] of Object.entries(REFUSED)) {
  test(`a list with ${what} is refused`, () => {
    assert.throws(() => checkSamples(text), { code: "internal", message: /^samples\.json is not usable: / });
  });
}
