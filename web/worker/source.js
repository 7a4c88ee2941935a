// A model's bytes, wherever they are: on the server, in the cache, in local files. They flow in order, 8 MiB at a
// time: fetched -> checked against their SHA-256 -> kept in the cache -> written to the GPU. Python sees only what it
// reads of the header, and the memory in use is a few chunks whatever the model's size.

import { cancelled, throwIfCancelled, VoxtabError } from "../app/errors.js";
import { HttpReader } from "./download.js";
import { RowGather } from "./gather.js";
import { chunksCovering, layOut, layOutManifest, recognise } from "./layout.js";
import { ModelCache } from "./model_cache.js";
import { ProgressMeter } from "./progress.js";

/** @typedef {import("./layout.js").Part} Part */
/** @typedef {import("./layout.js").Stream} Stream */
/** @typedef {import("./layout.js").Chunk} Chunk */
/** @typedef {import("./layout.js").Manifest} Manifest */
/** @typedef {import("./cache.js").Store} Store */
/** @typedef {import("./progress.js").Progress} Progress */

const DRAIN_BYTES = 64 * 1024 * 1024;
const KEPT_CHUNKS = 4;
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/**
 * @typedef {object} ModelEntry an entry of /api/models, or the same shape made by a page
 * @property {string} name
 * @property {string | null} [manifest] URL of manifest.json
 * @property {{name: string, url: string, bytes: number}[]} [files] needed when there is no manifest
 *
 * @typedef {object} LoaderGpu the part of gpu.js that loading needs
 * @property {(bufferId: number, offset: number, bytes: Uint8Array<ArrayBuffer>) => void} write
 * @property {(programId: number, times: number) => unknown} run
 * @property {() => Promise<unknown>} drain
 *
 * @typedef {object} SourceOptions
 * @property {AbortSignal} signal
 * @property {(progress: Progress) => void} [onProgress]
 * @property {(text: string) => Manifest} checkManifest throws a VoxtabError "manifest-invalid"
 * @property {Store | null} [store] null: nothing is cached
 * @property {() => Promise<number>} [freeBytes]
 * @property {{pauseMs?: number, stallMs?: number}} [timing]
 */

/**
 * Finds out what a model consists of: reads its manifest (if it has one), the sizes, and the state of the cache.
 * @param {ModelEntry | File[]} model
 * @param {SourceOptions} options
 * @returns {Promise<Source>}
 */
export async function openSource(model, options) {
  throwIfCancelled(options.signal);
  const local = Array.isArray(model);
  /** @type {Part[]} */
  const files = local
    ? model.map((file) => ({ name: file.name, bytes: file.size, blob: file }))
    : (model.files ?? []).map(({ name, url, bytes }) => ({ name, url: absolute(url), bytes }));
  if (!local && model.manifest)
    files.push({ name: "manifest.json", url: absolute(model.manifest), bytes: -1 });
  if (files.length === 0) {
    throw new VoxtabError("model-missing", "This model has no files.", "Pick another model.");
  }
  const found = recognise(files);
  let name = local ? found.parts[0]?.name : model.name;
  /** @type {Stream[]} */
  let streams;
  let key = "";
  if (found.manifest) {
    const manifest = options.checkManifest(await readManifest(found.manifest, options.signal));
    name = manifest.model.name;
    const base = found.manifest.url;
    streams = [
      layOutManifest(manifest, (shard, bytes) => {
        if (base) return { name: shard, bytes, url: new URL(shard, base).href };
        const part = found.parts.find((candidate) => candidate.name === shard);
        if (!part) throw missing(shard);
        if (part.bytes !== bytes) throw resized(part, bytes);
        return part;
      }),
    ];
    // The key says what the bytes are, so two copies of a model share an entry and no manifest can claim another's.
    const identity = [manifest.chunk_bytes, manifest.shards.map((shard) => [shard.bytes, shard.chunks])];
    key = `sha256-${await sha256Hex(new TextEncoder().encode(JSON.stringify(identity)))}`;
  } else {
    for (const part of found.parts) {
      if (!(Number.isSafeInteger(part.bytes) && part.bytes > 0)) throw resized(part, 1);
    }
    streams = found.kind === "shards" ? [layOut(found.parts)] : found.parts.map((part) => layOut([part]));
    key = local || !options.store ? "" : await identify(found.parts, options.signal);
  }
  const usage = options.freeBytes ?? freeBytes;
  const store = local ? null : (options.store ?? null);
  const cache = await ModelCache.open(store, key, name, streams, usage);
  return new Source({ name, local, verified: found.manifest !== null, streams, cache }, options);
}

export class Source {
  /** The last error thrown by a read or upload, for whoever lost it on the way. @type {VoxtabError | null} */
  failure = null;
  #signal;
  #timing;
  #cache;
  #local;
  #meter;
  /** @type {Map<Part, HttpReader>} */
  #readers = new Map();
  /** @type {Map<Chunk, Uint8Array<ArrayBuffer>>} */
  #kept = new Map();
  /** @type {Set<Chunk>} */
  #seen = new Set();
  #seenBytes = 0;

  /**
   * @param {{name: string, local: boolean, verified: boolean, streams: Stream[], cache: ModelCache}} found
   * @param {SourceOptions} options
   */
  constructor(found, { signal, onProgress, timing }) {
    /** @type {string} */
    this.name = found.name;
    /** @type {Stream[]} */
    this.streams = found.streams;
    /** Whether a manifest vouches for every byte. @type {boolean} */
    this.verified = found.verified;
    /** @type {number} */
    this.bytes = found.streams.reduce((sum, stream) => sum + stream.bytes, 0);
    this.#local = found.local;
    this.#cache = found.cache;
    this.#signal = signal;
    this.#timing = timing;
    this.#meter = new ProgressMeter(this.bytes, onProgress ?? (() => {}));
  }

  /** What the cache did, and if it is off, why. @returns {{state: string, reason: string}} */
  get cache() {
    return {
      state: this.#local ? "local" : this.#cache.state,
      reason: this.#local ? "" : this.#cache.reason,
    };
  }

  /**
   * @param {number} stream @param {number} offset @param {number} length bytes; meant for headers
   * @returns {Promise<Uint8Array<ArrayBuffer>>} verified where there are hashes
   */
  async read(stream, offset, length) {
    return this.#remember(async () => {
      const bytes = new Uint8Array(length);
      for (const chunk of chunksCovering(this.streams[stream], offset, length)) {
        const data = await this.#chunk(stream, chunk, true);
        if (this.#kept.size < KEPT_CHUNKS) this.#kept.set(chunk, data);
        const from = Math.max(0, offset - chunk.offset);
        const to = Math.min(chunk.bytes, offset + length - chunk.offset);
        bytes.set(data.subarray(from, to), chunk.offset + from - offset);
      }
      return bytes;
    });
  }

  /**
   * Streams a stream once, from its first byte to its last, and puts each row of the plan where it belongs.
   * @param {LoaderGpu} gpu
   * @param {number} stream
   * @param {Float64Array} plan rows of [fileOffset, nbytes, bufferId, bufferOffset, programId or -1], sorted
   */
  async upload(gpu, stream, plan) {
    return this.#remember(async () => {
      let undrained = 0;
      const gather = new RowGather(
        Float64Array.from(plan),
        this.streams[stream].bytes,
        (bytes, bufferId, bufferOffset, programId) => {
          gpu.write(bufferId, bufferOffset, bytes);
          if (programId >= 0) gpu.run(programId, 1);
          undrained += bytes.length;
        },
      );
      // Every chunk is needed to fill the cache; otherwise only those the plan names.
      const filling = this.#cache.state === "writing";
      const wanted = this.streams[stream].chunks.filter(
        (chunk) => filling || gather.wants(chunk.offset, chunk.bytes),
      );
      let ahead = wanted.length > 0 ? this.#chunk(stream, wanted[0]) : null;
      for (const [i, chunk] of wanted.entries()) {
        const bytes = /** @type {Uint8Array<ArrayBuffer>} */ (await ahead);
        ahead = i + 1 < wanted.length ? this.#chunk(stream, wanted[i + 1]) : null;
        ahead?.catch(() => {}); // it is awaited next turn; until then it must not count as unhandled
        try {
          this.#kept.delete(chunk);
          gather.push(chunk.offset, bytes);
          if (undrained >= DRAIN_BYTES) {
            await gpu.drain();
            undrained = 0;
          }
        } catch (error) {
          await ahead?.catch(() => {});
          throw error;
        }
      }
      await gpu.drain();
      if (!gather.done) throw new VoxtabError("internal", "The loading plan was not carried out to its end.");
      for (const chunk of this.streams[stream].chunks) this.#count(chunk);
    });
  }

  /**
   * Ends the use of the source. Call it once, whatever happened.
   * @param {boolean} loaded whether the model was loaded; if not, what the cache got is thrown away
   */
  async close(loaded) {
    for (const reader of this.#readers.values()) reader.close();
    this.#kept.clear();
    if (loaded) await this.#cache.complete();
    else await this.#cache.abandon();
  }

  /** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  async #remember(work) {
    try {
      throwIfCancelled(this.#signal);
      return await work();
    } catch (error) {
      this.failure = this.#signal.aborted ? cancelled() : error instanceof VoxtabError ? error : null;
      throw this.failure ?? error;
    }
  }

  /**
   * The bytes of a chunk, verified, from the nearest place that has them right.
   * @param {number} s @param {Chunk} chunk @param {boolean} [alone] only this chunk is wanted now
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  async #chunk(s, chunk, alone = false) {
    throwIfCancelled(this.#signal);
    const kept = this.#kept.get(chunk);
    if (kept) return kept;
    const cached = await this.#cache.get(s, chunk);
    if (cached && (await sha256Hex(cached)) === chunk.sha256) {
      this.#cache.keep(s, chunk);
      this.#count(chunk, "cache");
      return cached;
    }
    for (let tries = 1; ; tries++) {
      const bytes = await this.#fetch(chunk, alone || tries > 1);
      throwIfCancelled(this.#signal);
      const wantsHash = chunk.sha256 !== null || this.#cache.state === "writing";
      const sha256 = wantsHash ? await sha256Hex(bytes) : "";
      if (chunk.sha256 === null || sha256 === chunk.sha256) {
        await this.#cache.put(s, chunk, bytes, sha256);
        this.#count(chunk, this.#local ? "file" : "download");
        return bytes;
      }
      if (tries === 2 || this.#local) throw altered(chunk, tries);
    }
  }

  /** @param {Chunk} chunk @param {boolean} alone */
  async #fetch({ part, partOffset, bytes }, alone) {
    if (part.blob) {
      try {
        return new Uint8Array(await part.blob.slice(partOffset, partOffset + bytes).arrayBuffer());
      } catch (cause) {
        throw new VoxtabError(
          "shard-missing",
          `${part.name} can no longer be read.`,
          "Pick the file again.",
          cause,
        );
      }
    }
    let reader = this.#readers.get(part);
    if (!reader) {
      reader = new HttpReader(part, this.#signal, this.#timing);
      this.#readers.set(part, reader);
    }
    const onBytes = (/** @type {number} */ arrived) =>
      this.#meter.update(this.#seenBytes + arrived, "download");
    return reader.read(partOffset, bytes, { alone, onBytes });
  }

  /** @param {Chunk} chunk @param {Progress["phase"]} [phase] */
  #count(chunk, phase) {
    if (this.#seen.has(chunk)) return;
    this.#seen.add(chunk);
    this.#seenBytes += chunk.bytes;
    this.#meter.update(this.#seenBytes, phase ?? (this.#local ? "file" : "cache"));
  }
}

/** @returns {Promise<number>} */
async function freeBytes() {
  const { quota = 0, usage = 0 } = await navigator.storage.estimate();
  return quota - usage;
}

/**
 * Without a manifest, strong ETags are the only sign that the server still has the same bytes.
 * @param {Part[]} parts @param {AbortSignal} signal
 * @returns {Promise<string>} a key, or "" when some file has none
 */
async function identify(parts, signal) {
  const identity = [];
  for (const { url, bytes } of parts) {
    const head = await fetch(String(url), { method: "HEAD", cache: "no-store", signal }).catch(() => null);
    throwIfCancelled(signal);
    const etag = head?.ok ? head.headers.get("etag") : null;
    if (!etag || etag.startsWith("W/")) return "";
    identity.push([url, bytes, etag]);
  }
  return `etag-${await sha256Hex(new TextEncoder().encode(JSON.stringify(identity)))}`;
}

/** @param {Part} part @param {AbortSignal} signal @returns {Promise<string>} */
async function readManifest({ url, blob, name }, signal) {
  if (blob) {
    if (blob.size > MAX_MANIFEST_BYTES) throw oversized(name);
    return blob.text();
  }
  try {
    const response = await fetch(String(url), { cache: "no-cache", signal });
    if (!response.ok) {
      throw new VoxtabError(
        response.status === 404 ? "model-missing" : "model-unreachable",
        `The model's manifest.json is not on the server (HTTP ${response.status}).`,
        "Reload the page to see which models the server has now.",
      );
    }
    if (Number(response.headers.get("content-length") ?? 0) > MAX_MANIFEST_BYTES) throw oversized(name);
    const text = await response.text();
    if (text.length > MAX_MANIFEST_BYTES) throw oversized(name);
    return text;
  } catch (cause) {
    throwIfCancelled(signal);
    if (cause instanceof VoxtabError) throw cause;
    const hint = "Check that the server is running and the network works, then load again.";
    throw new VoxtabError("model-unreachable", "The model's manifest.json could not be read.", hint, cause);
  }
}

/** @param {BufferSource} bytes @returns {Promise<string>} lower-case hex */
async function sha256Hex(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} url */
function absolute(url) {
  return new URL(url, globalThis.location?.href).href;
}

/** @param {Chunk} chunk @param {number} tries */
function altered({ part, partOffset, bytes }, tries) {
  return new VoxtabError(
    "shard-altered",
    `${part.name}: bytes ${partOffset} to ${partOffset + bytes} do not match their SHA-256` +
      (tries > 1 ? " after two tries." : "."),
    "The file differs from manifest.json. Check it with: voxtab-shards verify DIR",
  );
}

/** @param {string} shard */
function missing(shard) {
  return new VoxtabError(
    "shard-missing",
    `manifest.json lists ${shard}, but it is not among the files.`,
    "Pick all shards of the set together with manifest.json.",
  );
}

/** @param {Part} part @param {number} bytes */
function resized(part, bytes) {
  const message = bytes > 1 ? `has ${part.bytes} bytes where manifest.json says ${bytes}` : "is empty";
  return new VoxtabError("shard-altered", `${part.name} ${message}.`, "Get the file again.");
}

/** @param {string} name */
function oversized(name) {
  return new VoxtabError("manifest-invalid", `${name} is too large to be a manifest.`, "Pick another model.");
}
