// The sound of a live session, where it is to be kept: 16 bits a sample, put away minute by minute as blobs, which
// browsers hold on disk rather than in memory.

import { pcm16, wavHeader } from "./wav_file.js";

const PIECE_SECONDS = 60;
const BYTES_PER_SAMPLE = 2;
/** Two hours, 230 MB. What comes after them is not kept. */
export const MAX_KEPT_SECONDS = 7200;

export class KeptSound {
  #rate;
  /** @type {Blob[]} */
  #pieces = [];
  /** @type {ArrayBuffer[]} */
  #latest = [];
  #latestSamples = 0;
  #samples = 0;

  /** @param {number} rate of the samples in Hz */
  constructor(rate) {
    this.#rate = rate;
  }

  /** @param {Float32Array} samples the next ones of the stream */
  add(samples) {
    const room = MAX_KEPT_SECONDS * this.#rate - this.#samples;
    const kept = samples.subarray(0, Math.max(0, room));
    if (kept.length === 0) return;
    this.#latest.push(pcm16(kept));
    this.#latestSamples += kept.length;
    this.#samples += kept.length;
    if (this.#latestSamples >= PIECE_SECONDS * this.#rate) this.#putAway();
  }

  /** @returns {number} */
  get bytes() {
    return this.#samples * BYTES_PER_SAMPLE;
  }

  /** @returns {boolean} whether there was more sound than is kept */
  get full() {
    return this.#samples >= MAX_KEPT_SECONDS * this.#rate;
  }

  /** @returns {Blob} a WAV file of all of it */
  file() {
    this.#putAway();
    return new Blob([wavHeader(this.#samples, this.#rate), ...this.#pieces], { type: "audio/wav" });
  }

  #putAway() {
    this.#pieces.push(new Blob(this.#latest));
    this.#latest = [];
    this.#latestSamples = 0;
  }
}
