// A text on its way to sound: chunks as they are made, then what became of it.

/** @typedef {import("./voxtab_types.js").SpeechResult} SpeechResult */
/** @typedef {{resolve: (next: IteratorResult<Float32Array, undefined>) => void, reject: (error: unknown) => void}} Waiting */

/**
 * Iterate it once: `for await (const chunk of stream)`, 24 kHz mono in -1..1. Leaving the loop ends the speech. Chunks
 * that were made before an error still come, then the error.
 * @implements {AsyncIterableIterator<Float32Array>}
 */
export class SpeechStream {
  #leaving = new AbortController();
  /** @type {Float32Array[]} */
  #chunks = [];
  /** @type {Waiting[]} */
  #waiting = [];
  /** @type {{error: unknown} | null} */
  #ended = null;

  /**
   * @param {AbortSignal | null | undefined} signal
   * @param {(onSound: (chunk: Float32Array) => void, signal: AbortSignal) => Promise<SpeechResult>} speak
   */
  constructor(signal, speak) {
    const { signal: left } = this.#leaving;
    const until = signal instanceof AbortSignal ? AbortSignal.any([signal, left]) : left;
    /** What the whole of it gave. Rejects as the iteration does. @type {Promise<SpeechResult>} */
    this.result = speak((chunk) => this.#add(chunk), until);
    /** @type {Promise<SpeechResult["stats"]>} */
    this.stats = this.result.then(({ stats }) => stats);
    this.stats.catch(() => {}); // the iteration tells, and nobody has to look here
    this.result.then(
      () => this.#end({ error: null }),
      (error) => this.#end({ error }),
    );
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** @returns {Promise<IteratorResult<Float32Array, undefined>>} */
  next() {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#settle();
    });
  }

  /** Ends the speech; what was made and not fetched is dropped. @returns {Promise<IteratorResult<Float32Array, undefined>>} */
  async return() {
    this.#chunks = [];
    this.#end({ error: null });
    this.#leaving.abort();
    return { value: undefined, done: true };
  }

  /** @param {Float32Array} chunk */
  #add(chunk) {
    if (this.#ended) return;
    this.#chunks.push(chunk);
    this.#settle();
  }

  /** @param {{error: unknown}} how the first one counts */
  #end(how) {
    this.#ended ??= how;
    this.#settle();
  }

  #settle() {
    while (this.#waiting.length > 0) {
      const chunk = this.#chunks.shift();
      if (!chunk && !this.#ended) return;
      const { resolve, reject } = /** @type {Waiting} */ (this.#waiting.shift());
      if (chunk) resolve({ value: chunk, done: false });
      else if (this.#ended?.error) {
        reject(this.#ended.error);
        this.#ended = { error: null }; // told once
      } else resolve({ value: undefined, done: true });
    }
  }
}
