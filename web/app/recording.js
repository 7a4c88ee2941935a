// A recording to be transcribed, whatever it began as.

import { fetchSample } from "./samples.js";
import { unlessAborted } from "./unless_aborted.js";

/**
 * A file, the kept sound of captions too, or one of the server's samples. What is not there yet is filled in on the way.
 * @typedef {{name: string, file?: Blob, sample?: import("./samples.js").Sample, pcm?: Float32Array}} Recording
 */

/**
 * Its sound as the engine hears it; as the browser plays it, it is in `file` from then on.
 * @param {Recording} recording @param {import("./voxtab.js").Voxtab} vox @param {AbortSignal} signal
 * @returns {Promise<Float32Array>} 16 kHz mono
 */
export async function soundOf(recording, vox, signal) {
  if (recording.sample) recording.file ??= await fetchSample(recording.sample, signal);
  recording.pcm ??= await unlessAborted(vox.decode(/** @type {Blob} */ (recording.file)), signal);
  return recording.pcm;
}
