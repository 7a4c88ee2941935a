// The GPU, opened at its first use and again after a loss.

import { VoxtabError } from "../app/errors.js";
import { createGpu } from "./gpu.js";

/** @typedef {import("./gpu.js").Gpu} Gpu */

export class Device {
  /** @type {Promise<Gpu> | null} */
  #opened = null;
  #onLost;

  /** @param {(device: Gpu, why: VoxtabError) => void} onLost */
  constructor(onLost) {
    this.#onLost = onLost;
  }

  /** @returns {Promise<Gpu>} rejects with no-webgpu or no-adapter */
  open() {
    if (this.#opened) return this.#opened;
    const opening = createGpu();
    this.#opened = opening;
    const forget = () => {
      if (this.#opened === opening) this.#opened = null;
    };
    opening.then(async (device) => {
      const reason = await device.lost;
      forget();
      this.#onLost(device, lostError(reason));
    }, forget);
    return opening;
  }
}

/** @param {string} reason the browser's */
export function lostError(reason) {
  return new VoxtabError(
    "device-lost",
    `The graphics device was lost (${reason}).`,
    "What was made so far is kept. Carry on: the model is loaded again, from this browser's cache where it is there.",
  );
}
