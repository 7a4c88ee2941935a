// How a model's files line up: a model is one or more byte streams (one GGUF each), a stream is the concatenation of
// its parts (shards), and a part is read in chunks of at most 8 MiB that restart at each part. Everything here is
// arithmetic on names and sizes; nothing is fetched.

import { VoxtabError } from "../app/errors.js";

/** Bytes of a chunk where no manifest says otherwise; also the unit of memory of the whole loader. */
export const CHUNK_BYTES = 8 * 1024 * 1024;

/**
 * @typedef {object} Part one file
 * @property {string} name
 * @property {number} bytes
 * @property {string} [url] where to fetch it, or
 * @property {Blob} [blob] the local file
 *
 * @typedef {object} Chunk
 * @property {number} index in its stream
 * @property {Part} part
 * @property {number} partOffset where it starts in its part
 * @property {number} offset where it starts in its stream
 * @property {number} bytes
 * @property {string | null} sha256 lower-case hex, or null when nobody vouches for it
 *
 * @typedef {{bytes: number, parts: Part[], chunks: Chunk[]}} Stream
 *
 * @typedef {object} Manifest what voxtab.formats.manifest accepts; only the fields used here
 * @property {{name: string}} model
 * @property {{bytes: number}} file
 * @property {number} chunk_bytes
 * @property {{name: string, bytes: number, chunks: string[]}[]} shards
 */

/**
 * @param {Part[]} parts in the order of their bytes
 * @param {number} chunkBytes
 * @param {(string | null)[][]} [hashes] SHA-256 of each chunk of each part
 * @returns {Stream}
 */
export function layOut(parts, chunkBytes = CHUNK_BYTES, hashes = []) {
  /** @type {Chunk[]} */
  const chunks = [];
  let offset = 0;
  parts.forEach((part, p) => {
    for (let at = 0, k = 0; at < part.bytes; at += chunkBytes, k++) {
      const bytes = Math.min(chunkBytes, part.bytes - at);
      const sha256 = hashes[p]?.[k] ?? null;
      chunks.push({ index: chunks.length, part, partOffset: at, offset: offset + at, bytes, sha256 });
    }
    offset += part.bytes;
  });
  return { bytes: offset, parts, chunks };
}

/**
 * @param {Manifest} manifest already checked by voxtab.formats.manifest
 * @param {(name: string, bytes: number) => Part} locate where a shard is
 * @returns {Stream}
 */
export function layOutManifest(manifest, locate) {
  const parts = manifest.shards.map((shard) => locate(shard.name, shard.bytes));
  return layOut(
    parts,
    manifest.chunk_bytes,
    manifest.shards.map((shard) => shard.chunks),
  );
}

/**
 * Chunks that hold any byte of [offset, offset + length), in order.
 * @param {Stream} stream @param {number} offset @param {number} length
 * @returns {Chunk[]}
 */
export function chunksCovering(stream, offset, length) {
  if (!(Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0)) {
    throw new VoxtabError("gguf-invalid", `A read at ${offset} for ${length} bytes makes no sense.`);
  }
  if (offset + length > stream.bytes) {
    throw new VoxtabError(
      "gguf-invalid",
      `The model asks for bytes up to ${offset + length}, but it has only ${stream.bytes}.`,
      "The file is cut short or damaged; get it again.",
    );
  }
  return stream.chunks.filter(
    (chunk) => chunk.offset < offset + length && chunk.offset + chunk.bytes > offset,
  );
}

const SPLIT_NAME = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;
const SHARD_NAME = /^shard-([a-z]{2,4})$/;

/**
 * What a heap of files (picked by the user, or listed by a server) is as a model.
 * @param {Part[]} files
 * @returns {{kind: "manifest" | "shards" | "gguf" | "gguf-split", manifest: Part | null, parts: Part[]}}
 *   parts in order; for "manifest" they are all candidates, and the manifest says which are used
 * @throws {VoxtabError} "shard-missing" for a gap, "model-missing" when the files are not one model
 */
export function recognise(files) {
  const byName = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  const manifest = byName.find((file) => file.name === "manifest.json");
  if (manifest) return { kind: "manifest", manifest, parts: byName.filter((file) => file !== manifest) };

  const shards = byName.filter((file) => SHARD_NAME.test(file.name));
  if (shards.length > 0) {
    shards.forEach((shard, i) => {
      const expected = shardName(i, shard.name.length - "shard-".length);
      if (shard.name !== expected) throw gap(expected);
    });
    return { kind: "shards", manifest: null, parts: shards };
  }

  const splits = byName.filter((file) => SPLIT_NAME.test(file.name));
  if (splits.length > 0) {
    const [, prefix, , count] = /** @type {string[]} */ (SPLIT_NAME.exec(splits[0].name));
    for (let i = 1; i <= Number(count); i++) {
      const expected = `${prefix}-${String(i).padStart(5, "0")}-of-${count}.gguf`;
      if (splits[i - 1]?.name !== expected) throw gap(expected);
    }
    if (splits.length > Number(count)) throw mixed();
    return { kind: "gguf-split", manifest: null, parts: splits };
  }

  if (files.length !== 1) throw mixed();
  return { kind: "gguf", manifest: null, parts: [files[0]] };
}

/** @param {number} index @param {number} letters @returns {string} shard-aa, shard-ab, ... as `split` names them */
export function shardName(index, letters = 2) {
  let suffix = "";
  for (let k = 0; k < letters; k++, index = Math.floor(index / 26)) {
    suffix = String.fromCharCode(97 + (index % 26)) + suffix;
  }
  return `shard-${suffix}`;
}

/** @param {string} name */
function gap(name) {
  return new VoxtabError(
    "shard-missing",
    `${name} is missing from the model's files.`,
    "Pick or serve every shard of the set; each one is needed.",
  );
}

function mixed() {
  return new VoxtabError(
    "model-missing",
    "These files are not one model.",
    "Pick one .gguf file, all shard-* files of a set (with its manifest.json if it has one), or all parts of a split.",
  );
}
