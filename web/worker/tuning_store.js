// Where the choice of tiles for this device is kept between visits: a small file of this origin. Python makes and checks
// what is in it (web/voxtab/tuning).

import { OpfsStore } from "./cache.js";

const FOLDER = "voxtab-tuning";
const KEY = "choices";
const MOST_BYTES = 1 << 16;

export class TuningStore {
  /** Whether it is worth it for any model, however small. @type {boolean} */
  always;
  #files = OpfsStore.supported ? new OpfsStore(FOLDER) : null;

  /** @param {boolean} always */
  constructor(always) {
    this.always = always;
  }

  /** @param {string} name @returns {Promise<string | undefined>} undefined too for what cannot be read */
  async read(name) {
    try {
      const size = (await this.#files?.size(KEY, name)) ?? -1;
      if (size <= 0 || size > MOST_BYTES) return undefined;
      const bytes = new Uint8Array(size);
      return (await this.#files?.read(KEY, name, 0, bytes)) ? new TextDecoder().decode(bytes) : undefined;
    } catch {
      return undefined; // a private window, say
    } finally {
      this.#files?.close(KEY);
    }
  }

  /** What cannot be kept is chosen anew at the next visit. @param {string} name @param {string} text */
  async write(name, text) {
    try {
      await this.#files?.write(KEY, name, 0, new TextEncoder().encode(text));
    } catch {
      // no room, or another tab is at it
    } finally {
      this.#files?.close(KEY);
    }
  }
}
