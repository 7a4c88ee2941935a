// Sound goes in as it comes, text comes out as it is understood.

import { SAMPLE_RATE } from "./audio_file.js";
import { asVoxtabError, VoxtabError } from "./errors.js";

/** @typedef {import("./voxtab_types.js").Heard} Heard */
/** @typedef {import("./voxtab_types.js").ListenOptions} ListenOptions */
/** @typedef {import("./voxtab_types.js").ListenResult} ListenResult */
/** @typedef {{resolve: (next: IteratorResult<Heard, undefined>) => void, reject: (error: unknown) => void}} Waiting */
/** @typedef {{stream: number, mostBacklogSeconds: number}} Opened */

/**
 * A stream that listens until it is closed. `for await (const { text } of live)` tells what is new; what nobody waited for
 * comes in one piece. Leaving the loop leaves the stream open.
 * @implements {AsyncIterableIterator<Heard>}
 */
export class LiveSession {
  #rpc;
  #onDelta;
  /** @type {Opened} */
  #opened = { stream: 0, mostBacklogSeconds: 0 };
  #fed = 0;
  /** Seconds that work has begun on. */
  #begun = 0;
  #closed = false;
  /** What ended it. @type {VoxtabError | null} */
  #failure = null;
  /** Why the last piece was not taken, to be told with the next one. @type {VoxtabError | null} */
  #refusal = null;
  #text = "";
  /** @type {Heard | null} */
  #news = null;
  /** @type {Waiting[]} */
  #waiting = [];
  #ended = false;
  #told = false;

  /**
   * Use vox.listen().
   * @param {Pick<import("./rpc.js").Rpc, "call">} rpc
   * @param {object} named the options by the engine's names
   * @param {ListenOptions} options
   * @returns {Promise<LiveSession>}
   */
  static open(rpc, named, options) {
    return new Promise((resolve, reject) => {
      const live = new LiveSession(rpc, named, options, () => resolve(live));
      live.result.catch(reject); // before it opened; later there is nobody to tell
    });
  }

  /**
   * @param {Pick<import("./rpc.js").Rpc, "call">} rpc @param {object} named @param {ListenOptions} options
   * @param {() => void} onOpen
   */
  constructor(rpc, named, { signal, onDelta }, onOpen) {
    this.#rpc = rpc;
    this.#onDelta = onDelta;
    const onEvent = (/** @type {string} */ event, /** @type {any} */ data) => {
      if (event === "heard") this.#hear(data);
      if (event === "open") {
        this.#opened = data;
        onOpen();
      }
    };
    /** What became of all of it, once it was closed. Rejects as the iteration does. @type {Promise<ListenResult>} */
    this.result = rpc.call("listen", { options: named }, { signal, onEvent });
    this.result.then(
      () => this.#end(),
      (thrown) => {
        const error = asVoxtabError(thrown);
        error.partialText = this.#text;
        this.#failure = error;
        this.#end();
      },
    );
  }

  /**
   * @param {Float32Array} pcm 16 kHz mono in -1..1, as much as there is; it may be used again at once
   * @throws {VoxtabError} backlog-full: this piece was not taken, and what was before is still worked on. option-invalid
   *   once closed, or for what is no array. audio-undecodable when the piece before held no sound. Whatever ended the stream
   */
  feed(pcm) {
    const refusal = this.#failure ?? this.#refusal;
    this.#refusal = null;
    if (refusal) throw refusal;
    if (!(pcm instanceof Float32Array)) {
      throw new VoxtabError(
        "option-invalid",
        "The sound is no samples.",
        "Pass a Float32Array of 16 kHz mono samples.",
      );
    }
    if (this.#closed) {
      throw new VoxtabError("option-invalid", "This stream was closed.", "Begin another with listen().");
    }
    const seconds = pcm.length / SAMPLE_RATE;
    const { stream, mostBacklogSeconds } = this.#opened;
    if (this.#fed - this.#begun + seconds > mostBacklogSeconds) {
      throw new VoxtabError(
        "backlog-full",
        `More than ${mostBacklogSeconds} s of sound wait to be written down.`,
        "Wait until it has caught up; use a smaller model or a faster GPU if it doesn't.",
      );
    }
    this.#fed += seconds;
    this.#rpc.call("feed", { stream, pcm }).catch((error) => {
      this.#refusal = error;
      this.#fed -= seconds;
    });
  }

  /**
   * How far the text lags, from the next pause on.
   * @param {number} delayMs 80 to 1200 in steps of 80, or 2400
   * @returns {Promise<void>} rejects with option-invalid
   */
  async setDelay(delayMs) {
    await this.#rpc.call("setDelay", { stream: this.#opened.stream, delayMs });
  }

  /** No more sound comes. @returns {Promise<ListenResult>} when the last words are out */
  close() {
    if (!this.#closed && !this.#ended) {
      this.#closed = true;
      this.#rpc.call("closeStream", { stream: this.#opened.stream }).catch(() => {}); // it had ended: result tells
    }
    return this.result;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** @returns {Promise<IteratorResult<Heard, undefined>>} */
  next() {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#settle();
    });
  }

  /** @param {Heard} heard */
  #hear(heard) {
    this.#text += heard.text;
    this.#begun = heard.fedSeconds - heard.backlogSeconds;
    const before = this.#news ?? { text: "", words: [], tokens: [] };
    this.#news = {
      ...heard,
      text: before.text + heard.text,
      words: [...before.words, ...heard.words],
      tokens: [...before.tokens, ...heard.tokens],
    };
    this.#settle();
    this.#onDelta?.(heard.text, heard);
  }

  #end() {
    this.#ended = true;
    this.#settle();
  }

  #settle() {
    while (this.#waiting.length > 0 && (this.#news || this.#ended)) {
      const { resolve, reject } = /** @type {Waiting} */ (this.#waiting.shift());
      if (this.#news) {
        resolve({ value: this.#news, done: false });
        this.#news = null;
      } else if (this.#failure && !this.#told) {
        this.#told = true;
        reject(this.#failure);
      } else resolve({ value: undefined, done: true });
    }
  }
}
