// From what a page names (an entry of /api/models, or files the user picked) to a Source: reads the manifest if there
// is one, settles sizes and order, and finds the cache entry.

import { throwIfCancelled, VoxtabError } from "../app/errors.js";
import { layOut, layOutManifest, recognise } from "./layout.js";
import { ModelCache } from "./model_cache.js";
import { sha256Hex } from "./sha256.js";
import { Source } from "./source.js";

/** @typedef {import("./layout.js").Part} Part */
/** @typedef {import("./layout.js").Stream} Stream */
/** @typedef {import("./cache.js").Store} Store */

const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const MAX_TOKENIZER_BYTES = 64 * 1024 * 1024;
const TOKENIZER = "tekken.json";

/**
 * @typedef {object} ModelEntry an entry of /api/models, or the same shape made by a page
 * @property {string} name
 * @property {string | null} [manifest] URL of manifest.json
 * @property {{name: string, url: string, bytes: number}[]} [files] needed when there is no manifest
 * @property {string | null} [tokenizer] URL of a tekken.json beside them, for a GGUF that holds no tokenizer
 *
 * @typedef {import("./source.js").Flow & {
 *   checkManifest: (text: string) => import("./layout.js").Manifest,
 *   store?: Store | null,
 *   freeBytes?: () => Promise<number>}} SourceOptions checkManifest throws a VoxtabError "manifest-invalid";
 *   without a store nothing is cached; freeBytes is how much the origin may still store
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
    const manifest = options.checkManifest(
      await readText(found.manifest, options.signal, MAX_MANIFEST_BYTES, "manifest-invalid"),
    );
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
      if (!(Number.isSafeInteger(part.bytes) && part.bytes > 0)) throw empty(part);
    }
    streams = found.kind === "shards" ? [layOut(found.parts)] : found.parts.map((part) => layOut([part]));
    key = local || !options.store ? "" : await identify(found.parts, options.signal);
  }
  const usage = options.freeBytes ?? freeBytes;
  const store = local ? null : (options.store ?? null);
  const cache = await ModelCache.open(store, key, name, streams, usage);
  const beside = local
    ? (files.find((file) => file.name === TOKENIZER) ?? null)
    : model.tokenizer
      ? { name: TOKENIZER, url: absolute(model.tokenizer), bytes: -1 }
      : null;
  const tekken = async () => {
    if (!beside) return null;
    const text = await readText(beside, options.signal, MAX_TOKENIZER_BYTES, "tokenizer-invalid");
    return new TextEncoder().encode(text);
  };
  return new Source({ name, local, verified: found.manifest !== null, streams, cache, tekken }, options);
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

/**
 * A small file beside the weights, whole.
 * @param {Part} part @param {AbortSignal} signal @param {number} most bytes @param {string} invalid code when it is larger
 * @returns {Promise<string>}
 */
async function readText({ url, blob, name }, signal, most, invalid) {
  const oversized = new VoxtabError(invalid, `${name} is larger than any real one.`, "Pick another model.");
  try {
    if (blob) {
      if (blob.size > most) throw oversized;
      return await blob.text();
    }
    const response = await fetch(String(url), { cache: "no-cache", signal });
    if (!response.ok) {
      throw new VoxtabError(
        response.status === 404 ? "model-missing" : "model-unreachable",
        `The model's ${name} is not on the server (HTTP ${response.status}).`,
        "Reload the page to see which models the server has now.",
      );
    }
    if (Number(response.headers.get("content-length") ?? 0) > most) throw oversized;
    const text = await response.text();
    if (text.length > most) throw oversized;
    return text;
  } catch (cause) {
    throwIfCancelled(signal);
    if (cause instanceof VoxtabError) throw cause;
    const hint = "Check that the server is running and the network works, then load again.";
    throw new VoxtabError("model-unreachable", `The model's ${name} could not be read.`, hint, cause);
  }
}

/** @param {string} url */
function absolute(url) {
  return new URL(url, globalThis.location?.href).href;
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
  return new VoxtabError(
    "shard-altered",
    `${part.name} has ${part.bytes} bytes where manifest.json says ${bytes}.`,
    "Get the file again.",
  );
}

/** @param {Part} part */
function empty({ name }) {
  return new VoxtabError("not-gguf", `${name} is empty.`, "Get the file again, or pick another.");
}
