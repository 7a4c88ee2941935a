// Who may use the GPU. Sessions run side by side; loading and unloading want it for themselves. Nobody waits: a model
// takes a minute to load, and a stream may go on for hours, so whoever comes at the wrong time is told at once.

import { VoxtabError } from "../app/errors.js";

export class Turns {
  #exchanging = false;
  #sessions = 0;

  /**
   * For a transcription, a speech or a stream.
   * @template T @param {() => Promise<T>} work @returns {Promise<T>} @throws {VoxtabError} busy
   */
  async beside(work) {
    if (this.#exchanging) throw busy("A model is being loaded or unloaded.");
    this.#sessions += 1;
    try {
      return await work();
    } finally {
      this.#sessions -= 1;
    }
  }

  /**
   * For loading and unloading.
   * @template T @param {() => Promise<T>} work @returns {Promise<T>} @throws {VoxtabError} busy
   */
  async alone(work) {
    if (this.#exchanging) throw busy("Another model is being loaded or unloaded.");
    if (this.#sessions > 0) throw busy("A transcription, a stream or a speech is still running.");
    this.#exchanging = true;
    try {
      return await work();
    } finally {
      this.#exchanging = false;
    }
  }
}

/** @param {string} message */
function busy(message) {
  return new VoxtabError("busy", message, "Cancel it, or wait for it.");
}
