// Sound at whatever rate the microphone has, as mono 16 kHz in blocks of 80 ms: what one token of the model stands for.

import { Resampler } from "./resampler.js";

export const LISTENING_RATE = 16000;
export const BLOCK_SECONDS = 0.08;
const BLOCK = LISTENING_RATE * BLOCK_SECONDS;

/**
 * What crosses over to the audio thread: "run", "pause" (ends with a Done once all that was heard before is handed on),
 * "stop" (so too, for good), "taken" (one block).
 * @typedef {"run" | "pause" | "stop" | "taken"} Order
 * And back; `at`: when the block was complete, in milliseconds as Date.now() gives them; peak: 0..1
 * @typedef {{samples: Float32Array<ArrayBuffer>, at: number}} Block
 * @typedef {Block | {peak: number} | {done: true} | {full: true}} Report
 */

export class BlockCutter {
  #rate;
  /** What came in and was not yet resampled. @type {Float32Array} */
  #gathered;
  #filled = 0;
  /** @type {Resampler | null} */
  #resampler;
  /** What is settled and too short for a block. */
  #rest = new Float32Array(0);

  /** @param {number} rate in Hz, whole */
  constructor(rate) {
    this.#rate = rate;
    this.#gathered = new Float32Array(Math.round(rate * BLOCK_SECONDS));
    this.#resampler = this.#newResampler();
  }

  /**
   * @param {Float32Array[]} channels of equal length
   * @returns {Float32Array<ArrayBuffer>[]} blocks that are complete now; most often none
   */
  push(channels) {
    const blocks = [];
    const frames = channels[0]?.length ?? 0;
    for (let i = 0; i < frames; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.#gathered[this.#filled++] = sum / channels.length;
      if (this.#filled === this.#gathered.length) blocks.push(...this.#cut(this.#take()));
    }
    return blocks;
  }

  /** @returns {Float32Array<ArrayBuffer>[]} the rest of the sound, its last block shorter; the next push begins another */
  flush() {
    const blocks = this.#cut(this.#take());
    if (this.#resampler) blocks.push(...this.#cut(this.#resampler.flush()));
    if (this.#rest.length > 0) blocks.push(this.#rest);
    this.#rest = new Float32Array(0);
    this.#resampler = this.#newResampler();
    return blocks;
  }

  #newResampler() {
    return this.#rate === LISTENING_RATE ? null : new Resampler(this.#rate, LISTENING_RATE);
  }

  /** @returns {Float32Array<ArrayBuffer>} what was gathered, at 16 kHz as far as it is settled */
  #take() {
    const gathered = this.#gathered.slice(0, this.#filled);
    this.#filled = 0;
    return this.#resampler ? this.#resampler.push(gathered) : gathered;
  }

  /** @param {Float32Array} more @returns {Float32Array<ArrayBuffer>[]} */
  #cut(more) {
    const sound = new Float32Array(this.#rest.length + more.length);
    sound.set(this.#rest);
    sound.set(more, this.#rest.length);
    const blocks = [];
    let at = 0;
    for (; at + BLOCK <= sound.length; at += BLOCK) blocks.push(sound.slice(at, at + BLOCK));
    this.#rest = sound.slice(at);
    return blocks;
  }
}
