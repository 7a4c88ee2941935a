// One model's entry in the store: `stream-0.part` ... hold the bytes and mean nothing by themselves; `verified.json`,
// written last, says that they are all there and lists the SHA-256 of every chunk. A .part left by a tab that died is
// resumed where its chunks still match their hashes; one left by a cancelled or failed load is deleted.

/** @typedef {import("./cache.js").Store} Store */
/** @typedef {import("./layout.js").Stream} Stream */
/** @typedef {import("./layout.js").Chunk} Chunk */
/** @typedef {"complete" | "writing" | "off"} CacheState */
/** @typedef {{name: string, bytes: number, streams: string[][]}} Marker */

const MARKER = "verified.json";
const MARKER_FORMAT = 1;
const MAX_MARKER_BYTES = 4 * 1024 * 1024;
/** Left free for everything else the origin stores. */
const SPARE_BYTES = 64 * 1024 * 1024;

export class ModelCache {
  /** @type {CacheState} */
  state = "off";
  /** Why the cache is not used: "unsupported", "no-identity", "quota-full", "busy", "failed" or "". */
  reason = "";
  #store;
  #key;
  #name;
  #streams;
  /** @type {(string | undefined)[][]} */
  #hashes;

  /** @param {Store | null} store @param {string} key @param {string} name @param {Stream[]} streams */
  constructor(store, key, name, streams) {
    this.#store = store;
    this.#key = key;
    this.#name = name;
    this.#streams = streams;
    this.#hashes = streams.map((stream) => stream.chunks.map((chunk) => chunk.sha256 ?? undefined));
  }

  /**
   * @param {Store | null} store null where the browser has none
   * @param {string} key folder name; empty when nothing identifies the bytes, and then nothing is kept
   * @param {string} name for people
   * @param {Stream[]} streams their chunks get the hashes of a complete entry where they have none
   * @param {() => Promise<number>} freeBytes how much the origin may still store
   * @returns {Promise<ModelCache>}
   */
  static async open(store, key, name, streams, freeBytes) {
    const cache = new ModelCache(store, key, name, streams);
    if (!store) return cache.#turnOff("unsupported");
    if (!key) return cache.#turnOff("no-identity");
    try {
      const marker = await cache.#marker();
      if (marker) {
        cache.state = "complete";
        streams.forEach((stream, s) => {
          for (const chunk of stream.chunks) chunk.sha256 ??= marker.streams[s][chunk.index];
        });
        return cache;
      }
      let bytes = 0;
      for (const [s, stream] of streams.entries())
        bytes += stream.bytes - Math.max(0, await store.size(key, part(s)));
      if ((await freeBytes()) < bytes + SPARE_BYTES) return cache.#turnOff("quota-full");
      cache.state = "writing";
    } catch (error) {
      cache.#stop(error);
    }
    return cache;
  }

  /**
   * Fills `into` with what the cache has for a chunk; whether it is right is the caller's to check.
   * @param {number} s stream @param {Chunk} chunk @param {Uint8Array<ArrayBuffer>} into
   * @returns {Promise<boolean>} false when it has nothing
   */
  async get(s, chunk, into) {
    if (this.state === "off" || !this.#store || !chunk.sha256) return false;
    try {
      return await this.#store.read(this.#key, part(s), chunk.offset, into);
    } catch (error) {
      this.#stop(error);
      return false;
    }
  }

  /**
   * Keeps a verified chunk. A full disk or another tab's lock ends the caching, not the load.
   * @param {number} s @param {Chunk} chunk @param {Uint8Array<ArrayBuffer>} bytes @param {string} sha256
   */
  async put(s, chunk, bytes, sha256) {
    if (this.state === "off" || !this.#store) return;
    try {
      await this.#store.write(this.#key, part(s), chunk.offset, bytes);
      this.#hashes[s][chunk.index] = sha256;
    } catch (error) {
      this.#stop(error);
      if (this.reason !== "busy") await this.abandon();
    }
  }

  /** Notes that a chunk already in the .part file matched its hash. @param {number} s @param {Chunk} chunk */
  keep(s, chunk) {
    this.#hashes[s][chunk.index] = chunk.sha256 ?? undefined;
  }

  /** Ends a load that read every chunk: the marker is written, and from now on the entry counts. */
  async complete() {
    if (this.state === "writing" && this.#store) {
      /** @type {Marker & {version: number}} */
      const marker = {
        version: MARKER_FORMAT,
        name: this.#name,
        bytes: this.#streams.reduce((sum, stream) => sum + stream.bytes, 0),
        streams: this.#hashes.map((hashes) => hashes.map((hash) => hash ?? "")),
      };
      if (marker.streams.flat().includes("")) return this.abandon();
      try {
        await this.#store.write(this.#key, MARKER, 0, new TextEncoder().encode(JSON.stringify(marker)));
        this.state = "complete";
      } catch (error) {
        this.#stop(error);
        await this.abandon();
      }
    }
    this.release();
  }

  /** Ends a load that failed: what it wrote goes, what was complete before stays. */
  async abandon() {
    const mine = this.state === "writing" || ["quota-full", "failed"].includes(this.reason);
    if (mine && this.#store && this.#key) {
      if (this.state === "writing") this.#turnOff("failed");
      await this.#store.delete(this.#key).catch(() => {}); // locked by another tab: it is that tab's now
    }
    this.release();
  }

  release() {
    this.#store?.close(this.#key);
  }

  /** @returns {Promise<Marker | null>} when the entry is complete and is this model */
  async #marker() {
    const store = /** @type {Store} */ (this.#store);
    const marker = await readMarker(store, this.#key);
    if (marker?.streams.length !== this.#streams.length) return null;
    for (const [s, stream] of this.#streams.entries()) {
      const hashes = marker.streams[s];
      const same = stream.chunks.every(
        (chunk) => chunk.sha256 === null || chunk.sha256 === hashes[chunk.index],
      );
      if (hashes.length !== stream.chunks.length || !same) return null;
      if ((await store.size(this.#key, part(s))) !== stream.bytes) return null;
    }
    return marker;
  }

  /** @param {string} reason */
  #turnOff(reason) {
    this.state = "off";
    this.reason = reason;
    return this;
  }

  /** @param {unknown} error */
  #stop(error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "QuotaExceededError") this.#turnOff("quota-full");
    else if (name === "NoModificationAllowedError") this.#turnOff("busy");
    else if (name === "SecurityError")
      this.#turnOff("unsupported"); // some browsers' private windows
    else this.#turnOff("failed");
  }
}

/**
 * @param {Store} store
 * @returns {Promise<{key: string, name: string, bytes: number, complete: boolean}[]>} what is kept, for people to see
 */
export async function listCached(store) {
  const models = [];
  for (const { key, bytes } of await store.list()) {
    const marker = await readMarker(store, key).catch(() => null); // null too while another tab writes it
    store.close(key);
    models.push({ key, name: marker?.name ?? "", bytes, complete: marker !== null });
  }
  return models;
}

/** @param {Store} store @param {string} key @returns {Promise<Marker | null>} null when there is none that makes sense */
async function readMarker(store, key) {
  const length = await store.size(key, MARKER);
  if (length <= 0 || length > MAX_MARKER_BYTES) return null;
  const text = new Uint8Array(length);
  if (!(await store.read(key, MARKER, 0, text))) return null;
  try {
    const marker = JSON.parse(new TextDecoder().decode(text));
    const sound =
      marker.version === MARKER_FORMAT &&
      typeof marker.name === "string" &&
      Array.isArray(marker.streams) &&
      marker.streams.every(Array.isArray);
    return sound ? marker : null;
  } catch {
    return null;
  }
}

/** @param {number} s */
function part(s) {
  return `stream-${s}.part`;
}
