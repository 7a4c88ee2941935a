// Reads one file over HTTP in order, resuming by Range when the connection is cut. Consecutive reads share one
// response, so the browser's own flow control is the backpressure. A response of the wrong length is refused
// before its bytes are used; whether they are the right bytes is the caller's to check.

import { cancelled, throwIfCancelled, VoxtabError } from "../app/errors.js";
import { BodyReader } from "./body_reader.js";

const TRIES = 5;
const FIRST_PAUSE_MS = 400;
const STALL_MS = 30_000;

/** @typedef {import("./layout.js").Part} Part */
/** @typedef {(bytes: number) => void} OnBytes bytes of the current read that have arrived so far */

export class HttpReader {
  #part;
  #signal;
  #pauseMs;
  #stallMs;
  /** @type {string | null} */
  #etag = null;
  /** @type {BodyReader | null} */
  #body = null;
  /** @type {AbortController | null} */
  #attempt = null;
  /** @type {Uint8Array<ArrayBuffer>} */
  #left = new Uint8Array(0);
  #position = 0;
  #end = 0;

  /**
   * @param {Part} part with a url
   * @param {AbortSignal} signal
   * @param {{pauseMs?: number, stallMs?: number}} [timing] first pause between tries, and how long silence counts as a cut
   */
  constructor(part, signal, { pauseMs = FIRST_PAUSE_MS, stallMs = STALL_MS } = {}) {
    this.#part = part;
    this.#signal = signal;
    this.#pauseMs = pauseMs;
    this.#stallMs = stallMs;
  }

  /**
   * Fills `into` with the file's bytes from `offset` on.
   * @param {number} offset @param {Uint8Array<ArrayBuffer>} into
   * @param {{alone?: boolean, onBytes?: OnBytes}} [options] `alone` asks the server for this range only
   * @throws {VoxtabError} shard-missing, shard-altered, model-unreachable or cancelled
   */
  async read(offset, into, { alone = false, onBytes } = {}) {
    const { length } = into;
    if (this.#body && (alone || offset !== this.#position)) this.close();
    const end = alone ? offset + length : this.#part.bytes;
    let filled = 0;
    for (let failures = 0; ; ) {
      try {
        if (!this.#body) await this.#open(offset + filled, end);
        while (filled < length) {
          const piece = await this.#next(length - filled);
          into.set(piece, filled);
          filled += piece.length;
          failures = 0;
          onBytes?.(filled);
        }
        if (this.#position === this.#end) await this.#finish();
        return;
      } catch (error) {
        this.close();
        if (this.#signal.aborted) throw cancelled();
        if (error instanceof VoxtabError) throw error;
        failures += 1;
        if (failures >= TRIES) throw this.#unreachable(error);
        await pause(this.#pauseMs * 2 ** (failures - 1), this.#signal);
      }
    }
  }

  /** Lets go of the connection; a later read opens another. */
  close() {
    this.#attempt?.abort();
    this.#body?.cancel();
    this.#attempt = null;
    this.#body = null;
    this.#left = new Uint8Array(0);
  }

  /** The last byte asked for has come: so must the end of the answer, or it was not the file that was announced. */
  async #finish() {
    if (this.#left.length > 0 || (await this.#pull())) throw this.#wrongLength("goes on after its end");
    this.#body = null;
    this.#attempt = null;
  }

  /** @param {number} offset @param {number} end */
  async #open(offset, end) {
    const { name, url, bytes } = this.#part;
    const attempt = new AbortController();
    this.#attempt = attempt;
    /** @type {Record<string, string>} */
    const headers = {};
    const partial = offset > 0 || end < bytes;
    if (partial) headers.Range = `bytes=${offset}-${end - 1}`;
    if (partial && this.#etag && !this.#etag.startsWith("W/")) headers["If-Range"] = this.#etag;
    const response = await this.#within(
      fetch(String(url), {
        headers,
        cache: "no-store", // the verified copy is kept in OPFS; the HTTP cache would only be a second one
        signal: AbortSignal.any([this.#signal, attempt.signal]),
      }),
    );
    const { status } = response;
    if (status === 404 || status === 410) {
      throw new VoxtabError(
        "shard-missing",
        `${name} is not on the server (HTTP ${status}).`,
        "Put every file of the model where the others are, then load again.",
      );
    }
    if (status === 416) throw this.#wrongLength("does not reach that far");
    if (status !== 200 && status !== 206) {
      const error = new Error(`HTTP ${status}`);
      if (status >= 500 || status === 408 || status === 429) throw error; // passing trouble: tried again
      throw this.#unreachable(error);
    }
    const etag = response.headers.get("etag");
    if (this.#etag && etag && etag !== this.#etag) {
      throw new VoxtabError(
        "shard-altered",
        `${name} changed on the server while it was being read.`,
        "Load again to read the new one from its beginning.",
      );
    }
    this.#etag ??= etag;
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
    if (status === 206 && range) {
      if (Number(range[2]) !== bytes) throw this.#wrongLength(`is ${range[2]} bytes long`);
      if (Number(range[1]) !== offset)
        throw this.#wrongLength(`was sent from byte ${range[1]}, not ${offset},`);
    }
    const length = response.headers.get("content-length");
    if (status === 200 && length && !response.headers.get("content-encoding") && Number(length) !== bytes) {
      throw this.#wrongLength(`is ${length} bytes long`);
    }
    if (!response.body) throw new Error("an empty answer");
    this.#body = new BodyReader(response.body);
    this.#position = status === 206 ? offset : 0;
    this.#end = status === 206 ? end : bytes;
    while (this.#position < offset) await this.#next(offset - this.#position); // a server without Range
  }

  /** @param {number} most @returns {Promise<Uint8Array<ArrayBuffer>>} the next bytes, at most that many */
  async #next(most) {
    while (this.#left.length === 0) {
      const bytes = await this.#pull();
      if (!bytes)
        throw new Error(`the connection closed after ${this.#position} of ${this.#part.bytes} bytes`);
      this.#left = bytes;
    }
    const piece = this.#left.subarray(0, most);
    this.#left = this.#left.subarray(piece.length);
    this.#position += piece.length;
    return piece;
  }

  /** @returns {Promise<Uint8Array<ArrayBuffer> | null>} */
  async #pull() {
    if (!this.#body) throw new Error("the connection is closed");
    return this.#within(this.#body.read());
  }

  /**
   * A connection can also die without a word; then the promise would never settle.
   * @template T @param {Promise<T>} promise @returns {Promise<T>}
   */
  async #within(promise) {
    const attempt = this.#attempt;
    const timer = setTimeout(() => attempt?.abort(new Error("no bytes for a while")), this.#stallMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param {string} how */
  #wrongLength(how) {
    return new VoxtabError(
      "shard-altered",
      `${this.#part.name} ${how}, but ${this.#part.bytes} bytes were announced.`,
      "The file on the server is damaged or was replaced. Check it with: voxtab-shards verify DIR",
    );
  }

  /** @param {unknown} cause */
  #unreachable(cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new VoxtabError(
      "model-unreachable",
      `${this.#part.name} could not be read: ${why}.`,
      "Check that the server is running and the network works, then load again.",
      cause,
    );
  }
}

/** @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} rejects with "cancelled" at once on abort */
function pause(ms, signal) {
  throwIfCancelled(signal);
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(cancelled());
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
