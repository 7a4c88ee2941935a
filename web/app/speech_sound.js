// The speech that was made so far, in the chunks it came in.

/** Hz, of all speech. */
export const SPEECH_RATE = 24000;

export class SpeechSound {
  /** @type {Float32Array[]} */
  #chunks = [];
  /** Samples. */
  length = 0;
  /** Whether nothing more comes. */
  complete = false;

  /** @returns {number} */
  get seconds() {
    return this.length / SPEECH_RATE;
  }

  /** @param {Float32Array} chunk the samples that follow; kept, not copied */
  add(chunk) {
    this.#chunks.push(chunk);
    this.length += chunk.length;
  }

  /** @param {number} at a sample @returns {Float32Array[]} what there is from it on */
  from(at) {
    /** @type {Float32Array[]} */
    const rest = [];
    let start = 0;
    for (const chunk of this.#chunks) {
      if (start + chunk.length > at) rest.push(chunk.subarray(Math.max(0, at - start)));
      start += chunk.length;
    }
    return rest;
  }

  /** @returns {Float32Array<ArrayBuffer>} all of it in one piece */
  whole() {
    const samples = new Float32Array(this.length);
    let at = 0;
    for (const chunk of this.#chunks) {
      samples.set(chunk, at);
      at += chunk.length;
    }
    return samples;
  }
}
