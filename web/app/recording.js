// A recording to be transcribed, whatever it began as.

import { SAMPLE_RATE } from "./audio_file.js";
import { fetchSample } from "./samples.js";
import { unlessAborted } from "./unless_aborted.js";
import { wavFile } from "./wav_file.js";

/**
 * A file, one of the server's samples, or samples from the microphone. What is not there yet is filled in on the way.
 * @typedef {{name: string, file?: Blob, sample?: import("./samples.js").Sample, pcm?: Float32Array}} Recording
 */

/**
 * Its sound as the engine hears it and as the browser plays it.
 * @param {Recording} recording @param {import("./voxtab.js").Voxtab} vox @param {AbortSignal} signal
 * @returns {Promise<{pcm: Float32Array, file: Blob}>}
 */
export async function soundOf(recording, vox, signal) {
  if (recording.sample) recording.file ??= await fetchSample(recording.sample, signal);
  recording.pcm ??= await unlessAborted(vox.decode(/** @type {Blob} */ (recording.file)), signal);
  recording.file ??= wavFile(recording.pcm, SAMPLE_RATE);
  return { pcm: recording.pcm, file: recording.file };
}
