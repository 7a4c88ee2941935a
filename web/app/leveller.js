// Brings a quiet microphone up while it is heard. A recording's level is known before it is transcribed, live sound's is
// not: here the loudest sound counts, and is slowly forgotten.

const FULL = 0.95;
/** How long until the loudest sound counts half, in seconds. */
const HALF_LIFE = 20;
/** Softer is taken for the room, and gets no louder than by this. */
const MOST_GAIN = 20;
/** Before anything was heard: a microphone that is neither quiet nor loud. */
const FIRST_LOUDEST = 0.3;

export class Leveller {
  #rate;
  #loudest = FIRST_LOUDEST;
  #gain = FULL / FIRST_LOUDEST;

  /** @param {number} rate of the samples in Hz */
  constructor(rate) {
    this.#rate = rate;
  }

  /** @param {Float32Array} samples the next ones @returns {Float32Array<ArrayBuffer>} the same, evened out */
  level(samples) {
    let peak = 0;
    for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
    const forgotten = 0.5 ** (samples.length / this.#rate / HALF_LIFE);
    this.#loudest = Math.max(peak, this.#loudest * forgotten, FULL / MOST_GAIN);
    const from = this.#gain;
    const to = FULL / this.#loudest;
    this.#gain = to;
    // Louder sound is turned down before it is there, softer sound up along the block.
    return Float32Array.from(samples, (sample, i) => {
      const gain = to < from ? to : from + ((to - from) * i) / samples.length;
      return sample * gain;
    });
  }
}
