// A model's bytes, wherever they are: on the server, in the cache, in local files. They flow in order, 8 MiB at a
// time: fetched -> checked against their SHA-256 -> kept in the cache -> written to the GPU. Python sees only what it
// reads of the header, and the memory in use is a few chunks whatever the model's size.

import { cancelled, throwIfCancelled, VoxtabError } from "../app/errors.js";
import { HttpReader } from "./download.js";
import { RowGather } from "./gather.js";
import { chunksCovering } from "./layout.js";
import { ProgressMeter } from "./progress.js";
import { sha256Hex } from "./sha256.js";

/** @typedef {import("./layout.js").Part} Part */
/** @typedef {import("./layout.js").Stream} Stream */
/** @typedef {import("./layout.js").Chunk} Chunk */
/** @typedef {import("./progress.js").Progress} Progress */

const DRAIN_BYTES = 64 * 1024 * 1024;
const KEPT_CHUNKS = 4;

/**
 * @typedef {object} LoaderGpu the part of gpu.js that loading needs
 * @property {(bufferId: number, offset: number, bytes: Uint8Array<ArrayBuffer>) => void} write
 * @property {(programId: number, times: number) => unknown} run
 * @property {() => Promise<unknown>} drain
 *
 * @typedef {object} Found what open_source.js found out about a model
 * @property {string} name
 * @property {boolean} local files of the user's, not fetched and not cached
 * @property {boolean} verified whether a manifest vouches for every byte
 * @property {Stream[]} streams
 * @property {import("./model_cache.js").ModelCache} cache
 * @property {() => Promise<Uint8Array | null>} tekken the tekken.json beside the weights, if there is one
 *
 * @typedef {object} Flow
 * @property {AbortSignal} signal
 * @property {(progress: Progress) => void} [onProgress]
 * @property {{pauseMs?: number, stallMs?: number}} [timing] of retries; see HttpReader
 */

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
  /** Buffers of chunks that are done with, for those to come. @type {ArrayBuffer[]} */
  #spare = [];

  /** @param {Found} found @param {Flow} flow */
  constructor(found, { signal, onProgress, timing }) {
    /** @type {string} */
    this.name = found.name;
    /** @type {Stream[]} */
    this.streams = found.streams;
    /** @type {boolean} */
    this.verified = found.verified;
    /** @type {number} */
    this.bytes = found.streams.reduce((sum, stream) => sum + stream.bytes, 0);
    this.tekken = found.tekken;
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
        if (!this.#kept.has(chunk)) this.#spare.push(data.buffer);
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
          this.#spare.push(bytes.buffer);
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
    this.#meter.stop();
    this.#kept.clear();
    this.#spare = [];
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
    const bytes = this.#buffer(chunk.bytes);
    if ((await this.#cache.get(s, chunk, bytes)) && (await sha256Hex(bytes)) === chunk.sha256) {
      this.#cache.keep(s, chunk);
      this.#count(chunk, "cache");
      return bytes;
    }
    for (let tries = 1; ; tries++) {
      await this.#fetch(chunk, bytes, alone || tries > 1);
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

  /** @param {Chunk} chunk @param {Uint8Array<ArrayBuffer>} into @param {boolean} alone */
  async #fetch({ part, partOffset, bytes }, into, alone) {
    if (part.blob) {
      try {
        into.set(new Uint8Array(await part.blob.slice(partOffset, partOffset + bytes).arrayBuffer()));
        return;
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
    await reader.read(partOffset, into, { alone, onBytes });
  }

  /** @param {number} bytes @returns {Uint8Array<ArrayBuffer>} */
  #buffer(bytes) {
    const fits = this.#spare.findIndex((buffer) => buffer.byteLength >= bytes);
    const buffer = fits < 0 ? new ArrayBuffer(bytes) : this.#spare.splice(fits, 1)[0];
    return new Uint8Array(buffer, 0, bytes);
  }

  /** @param {Chunk} chunk @param {Progress["phase"]} [phase] */
  #count(chunk, phase) {
    if (this.#seen.has(chunk)) return;
    this.#seen.add(chunk);
    this.#seenBytes += chunk.bytes;
    this.#meter.update(this.#seenBytes, phase ?? (this.#local ? "file" : "cache"));
  }
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
