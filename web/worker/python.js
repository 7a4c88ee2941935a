// Calls into Python's voxtab.tab, and what they answer.

import { asVoxtabError, throwIfCancelled } from "../app/errors.js";
import { lostError } from "./device.js";

/** @typedef {import("./boot.js").Tab} Tab */
/** @typedef {import("./gpu.js").Gpu} Gpu */

/** How long a call may take to notice by itself that its GPU is gone. */
const LOST_GRACE_MS = 5000;

/** @param {string} json from voxtab.tab @returns {any} its "ok" @throws {import("../app/errors.js").VoxtabError} its "error" */
export function answer(json) {
  const { ok, error } = JSON.parse(json);
  if (error) throw asVoxtabError(error);
  return ok;
}

/**
 * Runs one of Python's long calls, so that a cancellation reaches it, and the end of the device ends it.
 * @param {Tab} tab
 * @param {(number: number) => Promise<string>} work given the number of the call
 * @param {Gpu} device
 * @param {{id: number, signal: AbortSignal}} call
 * @returns {Promise<any>}
 */
export async function longCall(tab, work, device, { id, signal }) {
  const cancel = () => void tab.cancel(id);
  signal.addEventListener("abort", cancel, { once: true });
  try {
    throwIfCancelled(signal);
    const overdue = device.lost.then(() => {
      cancel(); // it may be waiting for sound, not for the GPU
      return new Promise((resolve) => setTimeout(resolve, LOST_GRACE_MS, ""));
    });
    const json = await Promise.race([work(id), overdue]);
    if (json === "") throw new Error("the device is gone");
    return answer(/** @type {string} */ (json));
  } catch (error) {
    if (device.lostReason === null) throw error;
    throw lostError(device.lostReason);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

/**
 * Samples out of Python: a view into its heap is copied, since the heap can move and can't be transferred.
 * @param {any} samples a Float32Array, or a proxy of a buffer of them @returns {Float32Array<ArrayBuffer>}
 */
export function floats(samples) {
  if (samples instanceof Float32Array) return samples.slice();
  const view = samples.getBuffer("f32");
  const copy = view.data.slice();
  view.release();
  samples.destroy();
  return copy;
}
