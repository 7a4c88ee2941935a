// Cancelling what cannot be stopped itself.

import { cancelled, throwIfCancelled } from "./errors.js";

/**
 * Lets a cancellation through while something waits; what waits goes on, unheard.
 * @template T @param {Promise<T>} promise @param {AbortSignal} signal @returns {Promise<T>}
 */
export async function unlessAborted(promise, signal) {
  throwIfCancelled(signal);
  /** @type {() => void} */
  let stop = () => {};
  /** @type {Promise<never>} */
  const aborted = new Promise((_, reject) => {
    stop = () => reject(cancelled());
  });
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
