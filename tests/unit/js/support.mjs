// A model server that can be told to misbehave, a store in memory, and a GPU that remembers what it was given.

import { createHash } from "node:crypto";
import { createServer } from "node:http";

export const CHUNK = 1000;

/** @param {number} length bytes that differ everywhere */
export function noise(length) {
  const bytes = new Uint8Array(length);
  let state = 12345;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    bytes[i] = state >> 16;
  }
  return bytes;
}

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** @param {Uint8Array[]} shards */
export function manifestOf(shards) {
  const chunksOf = (bytes) => {
    const hashes = [];
    for (let at = 0; at < bytes.length; at += CHUNK) hashes.push(sha256(bytes.subarray(at, at + CHUNK)));
    return hashes;
  };
  return {
    model: { name: "Test model" },
    file: { bytes: shards.reduce((sum, shard) => sum + shard.length, 0) },
    chunk_bytes: CHUNK,
    shards: shards.map((bytes, i) => ({
      name: `shard-a${"abcdefg"[i]}`,
      bytes: bytes.length,
      chunks: chunksOf(bytes),
    })),
  };
}

/**
 * Serves `files` (name -> bytes). `cut(name, from)` may name a number of bytes after which the connection breaks.
 * @returns {Promise<{url: string, requests: {method: string, name: string, range: string, ifRange: string}[],
 *   files: Map<string, Uint8Array>, tellLength: boolean, cut: (name: string, from: number) => number, close: () => void}>}
 */
export async function serve(files) {
  const state = {
    files: new Map(Object.entries(files)),
    requests: [],
    cut: () => Infinity,
    tellLength: true,
    url: "",
    close: () => {},
  };
  const server = createServer((request, response) => {
    const name = request.url.slice(1);
    const range = request.headers.range ?? "";
    state.requests.push({ method: request.method, name, range, ifRange: request.headers["if-range"] ?? "" });
    const bytes = state.files.get(name);
    if (!bytes) return response.writeHead(404).end();
    const etag = `"${sha256(bytes).slice(0, 16)}"`;
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    const current = !request.headers["if-range"] || request.headers["if-range"] === etag;
    const from = first && current ? Number(first) : 0;
    const to = first && current ? Math.min(Number(last) + 1, bytes.length) : bytes.length;
    const headers = state.tellLength ? { etag, "content-length": to - from } : { etag };
    if (first && current) headers["content-range"] = `bytes ${from}-${to - 1}/${bytes.length}`;
    response.writeHead(first && current ? 206 : 200, headers);
    if (request.method === "HEAD") return response.end();
    const most = state.cut(name, from);
    if (most >= to - from) return response.end(bytes.subarray(from, to));
    response.write(bytes.subarray(from, from + most), () => setTimeout(() => response.destroy(), 20));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  state.url = `http://127.0.0.1:${server.address().port}/`;
  state.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return state;
}

/** The five verbs in memory; `capacity` is how much fits. */
export class MemoryStore {
  files = new Map();
  capacity = Infinity;
  locked = false;

  async read(key, name, offset, into) {
    const bytes = this.files.get(`${key}/${name}`) ?? new Uint8Array(0);
    if (bytes.length < offset + into.length) return false;
    into.set(bytes.subarray(offset, offset + into.length));
    return true;
  }

  async write(key, name, offset, bytes) {
    if (this.locked) throw new DOMException("locked", "NoModificationAllowedError");
    const old = this.files.get(`${key}/${name}`) ?? new Uint8Array(0);
    if (offset + bytes.length > this.capacity) throw new DOMException("full", "QuotaExceededError");
    const grown = new Uint8Array(Math.max(old.length, offset + bytes.length));
    grown.set(old);
    grown.set(bytes, offset);
    this.files.set(`${key}/${name}`, grown);
  }

  async size(key, name) {
    return this.files.get(`${key}/${name}`)?.length ?? -1;
  }

  async list() {
    const bytes = new Map();
    for (const [path, data] of this.files) {
      const key = path.split("/")[0];
      bytes.set(key, (bytes.get(key) ?? 0) + data.length);
    }
    return [...bytes].map(([key, total]) => ({ key, bytes: total }));
  }

  async delete(key) {
    for (const path of this.files.keys()) if (path.startsWith(`${key}/`)) this.files.delete(path);
  }

  close() {}
}

/** Buffers as byte arrays; `log` keeps the order of writes, runs and drains. */
export class FakeGpu {
  buffers = new Map();
  log = [];

  write(id, offset, bytes) {
    if (bytes.length % 4 !== 0) throw new Error("writeBuffer takes multiples of 4");
    this.log.push(`write ${id}`);
    const buffer = this.buffers.get(id) ?? new Uint8Array(20000);
    buffer.set(bytes, offset);
    this.buffers.set(id, buffer);
  }

  run(program, times) {
    this.log.push(`run ${program} x${times}`);
  }

  async drain() {
    this.log.push("drain");
  }
}
