// The model source against a real HTTP server: what arrives, what is refused, what is kept.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { listCached } from "../../../web/worker/model_cache.js";
import { openSource } from "../../../web/worker/open_source.js";
import { CHUNK, FakeGpu, MemoryStore, manifestOf, noise, serve } from "./support.mjs";

const SHARDS = [noise(5300), noise(9300).subarray(5300), noise(9400).subarray(9300)];
const WHOLE = noise(9400);
const MANIFEST = manifestOf(SHARDS);
const PLAN = Float64Array.from([
  ...[10, 90, 1, 0, -1], // inside a chunk
  ...[950, 4600, 2, 8, 7], // across chunks and a shard's end, not a multiple of 4
  ...[9301, 99, 3, 0, 7], // up to the last byte
]);

let server;
let store;

beforeEach(async () => {
  const files = { "shard-aa": SHARDS[0], "shard-ab": SHARDS[1], "shard-ac": SHARDS[2] };
  server = await serve({ ...files, "manifest.json": new TextEncoder().encode(JSON.stringify(MANIFEST)) });
  store = new MemoryStore();
});
afterEach(() => server.close());

const entry = () => ({ name: "entry", manifest: `${server.url}manifest.json` });
const bareEntry = () => ({
  name: "bare",
  manifest: null,
  files: SHARDS.map((shard, i) => {
    const name = MANIFEST.shards[i].name;
    return { name, url: server.url + name, bytes: shard.length };
  }),
});
const shardRequests = () =>
  server.requests.filter(({ method, name }) => method === "GET" && name !== "manifest.json");

function options(extra = {}) {
  return {
    signal: new AbortController().signal,
    checkManifest: JSON.parse,
    store,
    freeBytes: async () => 1e9,
    timing: { pauseMs: 1, stallMs: 300 },
    ...extra,
  };
}

async function load(model, extra, gpu = new FakeGpu()) {
  const source = await openSource(model, options(extra));
  try {
    const head = await source.read(0, 0, 20);
    assert.deepEqual(head, WHOLE.slice(0, 20));
    await source.upload(gpu, 0, PLAN);
  } catch (error) {
    await source.close(false);
    throw error;
  }
  await source.close(true);
  return { source, gpu };
}

function assertUploaded(gpu) {
  for (let i = 0; i < PLAN.length; i += 5) {
    const [offset, bytes, id, at] = PLAN.subarray(i, i + 4);
    assert.deepEqual(gpu.buffers.get(id).slice(at, at + bytes), WHOLE.slice(offset, offset + bytes));
  }
}

test("every row of the plan reaches its place, in order, and its program runs after its bytes", async () => {
  const { gpu, source } = await load(entry());
  assertUploaded(gpu);
  assert.deepEqual(gpu.log, ["write 1", "write 2", "run 7 x1", "write 3", "run 7 x1", "drain"]);
  assert.equal(source.verified, true);
  assert.equal(source.name, "Test model");
});

test("a second load takes every byte from the cache", async () => {
  await load(entry());
  server.requests.length = 0;
  const { gpu, source } = await load(entry());
  assertUploaded(gpu);
  assert.deepEqual(shardRequests(), []);
  assert.equal(source.cache.state, "complete");
});

test("a damaged cache entry is repaired from the server, not used", async () => {
  await load(entry());
  const [path] = [...store.files.keys()].filter((name) => name.endsWith("stream-0.part"));
  store.files.get(path)[2500] ^= 1;
  server.requests.length = 0;
  const { gpu } = await load(entry());
  assertUploaded(gpu);
  assert.equal(shardRequests().length, 1);
  assert.equal(store.files.get(path)[2500], WHOLE[2500]);
});

test("bytes left by a tab that died are resumed where their hashes match, and never count as complete", async () => {
  await load(entry());
  for (const path of [...store.files.keys()]) {
    if (path.endsWith("verified.json")) store.files.delete(path);
    else store.files.set(path, store.files.get(path).slice(0, 4200));
  }
  server.requests.length = 0;
  const { gpu, source } = await load(entry());
  assertUploaded(gpu);
  assert.equal(shardRequests()[0].range, "bytes=4000-5299");
  assert.equal(source.cache.state, "complete");
});

test("a connection cut again and again resumes by Range with If-Range, and loses nothing", async () => {
  server.cut = (name) => (name === "manifest.json" ? Infinity : 700);
  const { gpu } = await load(entry());
  assertUploaded(gpu);
  const resumed = shardRequests().filter(({ ifRange }) => ifRange !== "");
  assert.ok(resumed.length >= 9, `${resumed.length} resumed requests`);
});

test("a manifest cut short is model-unreachable", async () => {
  server.cut = () => 100;
  await assert.rejects(load(entry()), { code: "model-unreachable" });
});

test("a server that goes silent in the middle is asked again", async () => {
  let silent = 1;
  const fetchBefore = globalThis.fetch;
  globalThis.fetch = async (url, init) => {
    const response = await fetchBefore(url, init);
    if (!String(url).endsWith("shard-ab") || silent-- <= 0) return response;
    const body = new ReadableStream({
      start(controller) {
        init.signal.addEventListener("abort", () => controller.error(init.signal.reason));
      },
    });
    return new Response(body, { status: response.status, headers: response.headers });
  };
  try {
    assertUploaded((await load(entry())).gpu);
  } finally {
    globalThis.fetch = fetchBefore;
  }
});

test("a server that breaks every connection at once is unreachable after five tries", async () => {
  server.cut = (name) => (name === "shard-ab" ? 0 : Infinity);
  await assert.rejects(load(entry()), { code: "model-unreachable" });
  assert.equal(shardRequests().filter(({ name }) => name === "shard-ab").length, 5);
  assert.equal(store.files.size, 0);
});

for (const [claim, damage, code, hasManifest] of [
  ["a flipped bit", (files) => (files.get("shard-ab")[234] ^= 1), "shard-altered", true],
  ["a missing shard", (files) => files.delete("shard-ab"), "shard-missing", true],
  ["a shard one byte short", (files) => files.set("shard-ab", SHARDS[1].slice(1)), "shard-altered", true],
  [
    "a shard one byte short, without a manifest",
    (files) => files.set("shard-ab", SHARDS[1].slice(1)),
    "shard-altered",
    false,
  ],
  ["a missing manifest", (files) => files.delete("manifest.json"), "model-missing", true],
]) {
  test(`${claim} is ${code}, nothing of it reaches the GPU, the cache is left empty, and a good server loads after`, async () => {
    const model = hasManifest ? entry() : bareEntry();
    server.files.set("shard-ab", SHARDS[1].slice());
    damage(server.files);
    const gpu = new FakeGpu();
    await assert.rejects(load(model, {}, gpu), (error) => error.code === code && error.hint.length > 10);
    assert.ok(!gpu.buffers.has(2) && !gpu.buffers.has(3));
    assert.equal(store.files.size, 0);
    server.files.set("shard-ab", SHARDS[1]);
    server.files.set("manifest.json", new TextEncoder().encode(JSON.stringify(MANIFEST)));
    assertUploaded((await load(model)).gpu);
  });
}

test("a file that goes on after its end is shard-altered even when the server does not tell its length", async () => {
  server.tellLength = false;
  server.files.set("shard-ac", new Uint8Array([...SHARDS[2], 0]));
  await assert.rejects(load(bareEntry()), { code: "shard-altered" });
});

test("a chunk that is bad once is fetched again, alone", async () => {
  const good = SHARDS[1];
  const bad = good.slice();
  bad[1500] ^= 1;
  server.files.set("shard-ab", bad);
  server.cut = (name, from) => {
    if (name === "shard-ab" && from === 0) queueMicrotask(() => server.files.set("shard-ab", good));
    return Infinity;
  };
  // The ETag changes with the content here, so the retry must not be taken for a replaced file: freeze it.
  const fetchBefore = globalThis.fetch;
  globalThis.fetch = async (url, init) => {
    const response = await fetchBefore(url, init);
    const headers = new Headers(response.headers);
    headers.delete("etag");
    return new Response(response.body, { status: response.status, headers });
  };
  try {
    assertUploaded((await load(entry())).gpu);
    const ranges = shardRequests().filter(({ name }) => name === "shard-ab");
    assert.equal(ranges[1].range, `bytes=${CHUNK}-${2 * CHUNK - 1}`);
  } finally {
    globalThis.fetch = fetchBefore;
  }
});

test("cancelling in the middle gives cancelled and leaves no cache entry", async () => {
  const controller = new AbortController();
  server.cut = (name) => {
    if (name === "shard-ab") controller.abort();
    return Infinity;
  };
  await assert.rejects(load(entry(), { signal: controller.signal }), { code: "cancelled" });
  assert.equal(store.files.size, 0);
});

test("too little room, a full disk or a locked entry turn the cache off and do not stop the load", async () => {
  const little = await load(entry(), { freeBytes: async () => 5000 });
  assert.deepEqual(little.source.cache, { state: "off", reason: "quota-full" });
  store.capacity = 3000;
  const full = await load(entry());
  assert.deepEqual(full.source.cache, { state: "off", reason: "quota-full" });
  store.capacity = Infinity;
  store.locked = true;
  const locked = await load(entry());
  assert.deepEqual(locked.source.cache, { state: "off", reason: "busy" });
  for (const { gpu } of [little, full, locked]) assertUploaded(gpu);
  assert.equal(store.files.size, 0);
});

test("a bare shard set loads unverified, and is cached under the ETags of its files", async () => {
  const { gpu, source } = await load(bareEntry());
  assertUploaded(gpu);
  assert.equal(source.verified, false);
  server.requests.length = 0;
  assertUploaded((await load(bareEntry())).gpu);
  assert.deepEqual(shardRequests(), []);
  server.files.set(
    "shard-ac",
    SHARDS[2].map((byte) => byte ^ 1),
  ); // replaced: the old copy must not be used
  const again = await openSource(bareEntry(), options());
  assert.equal(again.cache.state, "writing");
  await again.close(false);
});

test("local files load by the same rules, and nothing of them is cached", async () => {
  const named = (names) => names.map((name, i) => new File([SHARDS[i]], name));
  const shards = ["shard-aa", "shard-ab", "shard-ac"];
  const manifest = new File([JSON.stringify(MANIFEST)], "manifest.json");
  const bare = await load(named(shards).reverse());
  assertUploaded(bare.gpu);
  assert.deepEqual(bare.source.cache, { state: "local", reason: "" });
  assert.equal((await load([...named(shards), manifest])).source.verified, true);
  assertUploaded((await load([new File([WHOLE], "model.gguf")])).gpu);
  await assert.rejects(load([...named(shards).slice(0, 2), manifest]), { code: "shard-missing" });
  const wrong = [
    new File([SHARDS[0].map((byte) => byte ^ 1)], "shard-aa"),
    ...named(shards).slice(1),
    manifest,
  ];
  await assert.rejects(load(wrong), { code: "shard-altered" });
  await assert.rejects(load([new File([WHOLE], "a.gguf"), new File([WHOLE], "b.gguf")]), {
    code: "model-missing",
  });
  await assert.rejects(load([new File([], "a.gguf")]), { code: "not-gguf" });
  assert.equal(store.files.size, 0);
});

test("a split GGUF is one stream a file, complete in the cache only when all were read", async () => {
  server.files.set("m-00001-of-00002.gguf", WHOLE);
  server.files.set("m-00002-of-00002.gguf", SHARDS[0]);
  const model = {
    name: "split",
    files: [SHARDS[0], WHOLE].map((bytes, i) => {
      const name = `m-0000${2 - i}-of-00002.gguf`;
      return { name, url: server.url + name, bytes: bytes.length };
    }),
  };
  const source = await openSource(model, options());
  assert.deepEqual(
    source.streams.map(({ bytes }) => bytes),
    [WHOLE.length, SHARDS[0].length],
  );
  await source.upload(new FakeGpu(), 0, PLAN);
  await source.upload(new FakeGpu(), 1, new Float64Array(0));
  await source.close(true);
  assert.equal((await listCached(store))[0].complete, true);
  await assert.rejects(openSource({ name: "gap", files: model.files.slice(0, 1) }, options()), {
    code: "shard-missing",
  });
});

test("reads outside the stream and plans that make no sense are refused before anything is fetched", async () => {
  const source = await openSource(entry(), options());
  server.requests.length = 0;
  for (const [offset, length] of [
    [0, 9401],
    [-1, 4],
    [0.5, 4],
    [9400, 1],
  ]) {
    await assert.rejects(source.read(0, offset, length), { code: "gguf-invalid" });
  }
  for (const plan of [
    [0, 0, 1, 0, -1],
    [0, 9401, 1, 0, -1],
    [8, 8, 1, 0, -1, 4, 8, 1, 0, -1],
    [0, 8, 1, 0],
  ]) {
    await assert.rejects(source.upload(new FakeGpu(), 0, Float64Array.from(plan)), { code: "internal" });
  }
  assert.deepEqual(server.requests, []);
  await source.close(false);
});

test("what has arrived is told even when nothing comes after it", async () => {
  const seen = [];
  const source = await openSource(entry(), options({ onProgress: (progress) => seen.push(progress) }));
  for (let at = 0; at < 3000; at += CHUNK) await source.read(0, at, CHUNK);
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.equal(seen.at(-1).loadedBytes, 3000);
  await source.close(false);
});

test("progress never goes back, ends at the whole, and comes at most ten times a second", async () => {
  const seen = [];
  const started = performance.now();
  await load(entry(), { onProgress: (progress) => seen.push(progress) });
  const loaded = seen.map(({ loadedBytes }) => loadedBytes);
  assert.deepEqual(
    loaded,
    [...loaded].sort((a, b) => a - b),
  );
  assert.equal(loaded.at(-1), WHOLE.length);
  assert.ok(seen.length <= 2 + (performance.now() - started) / 100);
});
