// One stretch of listening, from the microphone's first block to the last word: sound goes in block by block, what was
// heard comes out, and neither waits for the other.

import { BLOCK_SECONDS, LISTENING_RATE } from "./block_cutter.js";
import { VoxtabError } from "./errors.js";
import { KeptSound } from "./kept_sound.js";
import { Leveller } from "./leveller.js";
import { WordLatency } from "./word_latency.js";

/** @typedef {import("./block_cutter.js").Block} Block */
/** @typedef {import("./live_session.js").LiveSession} LiveSession */
/** @typedef {import("./voxtab.js").Heard} Heard */

/** With the delay, what the model wants to hear behind a word before it writes it, in seconds. */
const RIGHT_PAD_SECONDS = 11 * 0.08;
/** Blocks that may wait for the engine to open its ear: five minutes, as much as it lets wait itself. */
const MOST_UNHEARD = 300 / BLOCK_SECONDS;

export class ListeningSession {
  /** @type {LiveSession | null} */
  #live = null;
  /** Sound from before it was there. @type {Float32Array[]} */
  #unheard = [];
  #leveller = new Leveller(LISTENING_RATE);
  #latency = new WordLatency();
  #fedSeconds = 0;
  /** @type {Heard | null} */
  #last = null;
  /** Set meanwhile. @type {number | null} */
  #delayMs = null;
  #closed = false;
  #refused = false;

  /** @param {{keep: boolean}} options keep: the sound, too */
  constructor({ keep }) {
    this.kept = keep ? new KeptSound(LISTENING_RATE) : null;
  }

  /** The engine listens from now on, to what was said before too. @param {LiveSession} live */
  open(live) {
    this.#live = live;
    for (const samples of this.#unheard) live.feed(samples);
    this.#unheard = [];
    if (this.#delayMs !== null) this.setDelay(this.#delayMs);
    if (this.#closed) this.#finish();
  }

  /**
   * What the microphone heard.
   * @param {Block} block
   * @param {boolean} even whether quiet sound is brought up
   * @throws {VoxtabError} backlog-full; nothing more is taken then
   */
  feed({ samples, at }, even) {
    if (this.#closed || this.#refused) return;
    const evened = this.#leveller.level(samples);
    try {
      this.#give(even ? evened : samples);
    } catch (thrown) {
      this.#refused = true; // else what comes next would join what came long before
      throw thrown;
    }
    this.kept?.add(samples);
    this.#fedSeconds += samples.length / LISTENING_RATE;
    this.#latency.heard(this.#fedSeconds, at);
  }

  /** @param {Float32Array} samples */
  #give(samples) {
    if (this.#live) return this.#live.feed(samples);
    if (this.#unheard.length >= MOST_UNHEARD) {
      throw new VoxtabError("backlog-full", "Five minutes of sound wait for the engine.", "Start again.");
    }
    this.#unheard.push(samples);
  }

  /**
   * Nothing is said for a while: silence follows at once, in which the words so far come out.
   * @param {number} delayMs that is set
   * @throws {VoxtabError} backlog-full
   */
  pause(delayMs) {
    const seconds = delayMs / 1000 + RIGHT_PAD_SECONDS;
    this.feed({ samples: new Float32Array(Math.ceil(seconds * LISTENING_RATE)), at: Date.now() }, false);
  }

  /** The words that follow come with this delay. @param {number} ms */
  setDelay(ms) {
    this.#delayMs = ms;
    if (!this.#closed) this.#live?.setDelay(ms).catch(() => {}); // refused only once it has ended
  }

  /** What comes out, until close() and the last word. */
  async *heard() {
    if (!this.#live) return;
    for await (const heard of this.#live) {
      yield heard;
      this.#latency.shown(heard.text, heard.words, heard.heardSeconds, Date.now());
      this.#last = heard;
    }
  }

  /** No more sound; the last words come out. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#finish();
  }

  #finish() {
    this.#live?.close().catch(() => {}); // heard() rejects with the same
  }

  /** @returns {number} of sound that went in */
  get fedSeconds() {
    return this.#fedSeconds;
  }

  /** @returns {number} seconds of sound that wait, those included that the engine does not know of yet */
  get backlogSeconds() {
    const { fedSeconds, backlogSeconds } = this.#last ?? { fedSeconds: 0, backlogSeconds: 0 };
    return this.#fedSeconds - fedSeconds + backlogSeconds;
  }

  /** @returns {number} work on the GPU / length of the sound; 0 before there was any */
  get rtf() {
    return this.#last?.rtf ?? 0;
  }

  /** @returns {{words: number, p50: number, p95: number}} sound to screen, in seconds */
  get latency() {
    const { count } = this.#latency;
    return {
      words: count,
      p50: this.#latency.percentile(0.5) / 1000,
      p95: this.#latency.percentile(0.95) / 1000,
    };
  }
}
