// The loudest sample of every 10 ms, kept while sound comes in: all that drawing it needs.

import { SPEECH_RATE } from "./speech_sound.js";

/** Samples that share one peak. */
const GRAIN = SPEECH_RATE / 100;

export class Peaks {
  /** @type {number[]} */
  #peaks = [];
  /** Samples that came in. */
  length = 0;

  /** @param {Float32Array} chunk the samples that follow */
  add(chunk) {
    for (const sample of chunk) {
      const grain = Math.floor(this.length++ / GRAIN);
      this.#peaks[grain] = Math.max(this.#peaks[grain] ?? 0, Math.abs(sample));
    }
  }

  /**
   * @param {number} count of bars
   * @param {number} samples that the bars stand for together; those beyond `length` are not there yet
   * @returns {number[]} the peak under each bar that has any sound, 0..1
   */
  bars(count, samples) {
    const bars = [];
    const width = samples / GRAIN / count; // of a bar, in grains
    for (let i = 0; i < count && i * width < this.#peaks.length; i++) {
      const first = Math.floor(i * width);
      const last = Math.max(first + 1, Math.floor((i + 1) * width));
      bars.push(Math.min(1, Math.max(...this.#peaks.slice(first, last))));
    }
    return bars;
  }
}
