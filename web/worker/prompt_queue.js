// Firefox looks only every 100 ms whether the GPU is done, and besides whenever something is submitted: with a token every
// 80 ms it would never keep up. So while something is waited for, nothing is submitted, often.

const EVERY_MS = 2;

export class PromptQueue {
  #queue;
  #lags;
  #waits = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #nudging;

  /** @param {Pick<GPUQueue, "submit">} queue @param {string} userAgent */
  constructor(queue, userAgent) {
    this.#queue = queue;
    this.#lags = /firefox/i.test(userAgent);
  }

  /** @template T @param {Promise<T>} done settles when the GPU is @returns {Promise<T>} the same, as soon as it is */
  async until(done) {
    if (!this.#lags) return done;
    if (this.#waits++ === 0) this.#nudging = setInterval(() => this.#queue.submit([]), EVERY_MS);
    try {
      return await done;
    } finally {
      if (--this.#waits === 0) clearInterval(this.#nudging);
    }
  }
}
