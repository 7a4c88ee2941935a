// Sound goes in as it comes, text comes out as it is understood.

import { SAMPLE_RATE } from "./audio_file.js";
import { asVoxtabError, VoxtabError } from "./errors.js";

/** @typedef {import("./voxtab_types.js").Heard} Heard */
/** @typedef {import("./voxtab_types.js").ListenOptions} ListenOptions */
/** @typedef {import("./voxtab_types.js").ListenResult} ListenResult */
/** @typedef {{resolve: (next: IteratorResult<Heard, undefined>) => void, reject: (error: unknown) => void}} Waiting */
/** @typedef {{resolve: (heard: Heard) => void, reject: (error: unknown) => void}} Step */
/** @typedef {{stream: number, mostBacklogSeconds: number}} Opened */

/** Pieces of text that are kept apart; a string that was put together from more takes ten times the memory of its letters. */
const MOST_PIECES = 1000;

/**
 * A stream that listens until it is closed. `for await (const { text } of live)` tells what is new; what nobody waited for
 * comes in one piece. Leaving the loop leaves the stream open.
 *
 * One that was opened stepwise works only when told to:
 *
 *     live.feed(pcm);
 *     while (!live.idle) show((await live.step()).text);
 *     live.close();
 *     while (!live.done) show((await live.step()).text);
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
  /** The text so far, all but its latest pieces in the first. */
  #pieces = [""];
  /** Told as it is now, where a step brought nothing. @type {Heard} */
  #latest = {
    text: "",
    words: [],
    tokens: [],
    heardSeconds: 0,
    fedSeconds: 0,
    backlogSeconds: 0,
    rtf: 0,
  };
  #idle = false;
  #done = false;
  /** Asked for, in order. @type {Step[]} */
  #steps = [];
  #iterated = false;
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
        error.partialText = this.#pieces.join("");
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

  /**
   * Work on at most `budget` tokens (80 ms each) of sound, in a stream that was opened stepwise. A step that finds nothing
   * to do brings no text.
   * @param {number} [budget] 64 where none is given, and at most
   * @returns {Promise<Heard>} what is new; rejects with option-invalid, or with what ended the stream
   */
  step(budget) {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.done) return Promise.resolve(this.#latest);
    return new Promise((resolve, reject) => {
      const step = { resolve, reject };
      this.#steps.push(step);
      this.#rpc.call("step", { stream: this.#opened.stream, budget }).catch((error) => {
        this.#steps = this.#steps.filter((other) => other !== step);
        reject(error);
      });
    });
  }

  /** @returns {boolean} whether it was closed and all has been written, or something else ended it */
  get done() {
    return this.#done || this.#ended;
  }

  /** @returns {boolean} whether a step would find nothing to do before more sound is fed */
  get idle() {
    return (
      this.done || (this.#idle && !this.#closed && this.#fed - this.#latest.fedSeconds < 0.5 / SAMPLE_RATE)
    );
  }

  /**
   * No more sound comes.
   * @returns {Promise<ListenResult>} when the last words are out; of a stepwise stream that takes steps
   */
  close() {
    if (!this.#closed && !this.#ended) {
      this.#closed = true;
      this.#rpc.call("closeStream", { stream: this.#opened.stream }).catch(() => {}); // it had ended: result tells
    }
    return this.result;
  }

  [Symbol.asyncIterator]() {
    this.#iterated = true;
    return this;
  }

  /** @returns {Promise<IteratorResult<Heard, undefined>>} */
  next() {
    this.#iterated = true;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#settle();
    });
  }

  /** @param {Heard & {idle: boolean, done: boolean}} told */
  #hear({ idle, done, ...heard }) {
    this.#keep(heard.text);
    this.#latest = { ...heard, text: "", words: [], tokens: [] };
    this.#idle = idle;
    this.#done = done;
    this.#begun = heard.fedSeconds - heard.backlogSeconds;
    const step = this.#steps.shift();
    if (step) step.resolve(heard);
    if (this.#iterated || !(step || this.#onDelta)) this.#add(heard);
    this.#settle();
    this.#onDelta?.(heard.text, heard);
  }

  /** @param {string} text */
  #keep(text) {
    if (text !== "") this.#pieces.push(text);
    if (this.#pieces.length > MOST_PIECES) this.#pieces = [this.#pieces.join("")];
  }

  /** To what the iteration has not been told yet. @param {Heard} heard */
  #add(heard) {
    /** @type {Pick<Heard, "text" | "words" | "tokens">} */
    const { text, words, tokens } = this.#news ?? { text: "", words: [], tokens: [] };
    words.push(...heard.words);
    tokens.push(...heard.tokens);
    this.#news = { ...heard, text: text + heard.text, words, tokens };
  }

  #end() {
    this.#ended = true;
    for (const { resolve, reject } of this.#steps.splice(0)) {
      if (this.#failure) reject(this.#failure);
      else resolve(this.#latest);
    }
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
