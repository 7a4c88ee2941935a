// Any audio the browser can decode, as 16 kHz mono samples. A 16 kHz WAV is read by the engine instead, so that its
// samples are exactly those of the file.

import { VoxtabError } from "./errors.js";

export const SAMPLE_RATE = 16000;

/** Longer WAVs (17 minutes) go through the browser as well: read by the engine they would fill its heap for good. */
const MAX_EXACT_BYTES = 32 * 1024 * 1024;

/**
 * @param {Blob} file
 * @param {(bytes: Uint8Array) => Promise<{sampleRate: number, pcm: Float32Array<ArrayBuffer>}>} decodeWav
 * @returns {Promise<Float32Array<ArrayBuffer>>} 16 kHz mono
 * @throws {VoxtabError} audio-undecodable or audio-empty
 */
export async function decodeAudio(file, decodeWav) {
  const bytes = await file.arrayBuffer().catch((cause) => {
    throw new VoxtabError("audio-undecodable", "The file could not be read.", "Pick it again.", cause);
  });
  if (bytes.byteLength === 0) {
    throw new VoxtabError("audio-empty", "The file is empty.", "Pick a file with sound in it.");
  }
  const read = isWav(bytes) && bytes.byteLength <= MAX_EXACT_BYTES;
  const exact = read ? await decodeWav(new Uint8Array(bytes)).catch(() => null) : null;
  if (exact?.sampleRate === SAMPLE_RATE) return someSound(exact.pcm);
  return someSound(mixToMono(await decodeByBrowser(bytes)));
}

/** @param {ArrayBuffer} bytes */
function isWav(bytes) {
  const head = new TextDecoder("latin1").decode(bytes.slice(0, 12));
  return head.startsWith("RIFF") && head.endsWith("WAVE");
}

/** @param {ArrayBuffer} bytes @returns {Promise<AudioBuffer>} resampled to 16 kHz */
async function decodeByBrowser(bytes) {
  try {
    return await new OfflineAudioContext(1, 1, SAMPLE_RATE).decodeAudioData(bytes);
  } catch (cause) {
    throw new VoxtabError(
      "audio-undecodable",
      "This browser cannot decode the file as audio.",
      "Pick a WAV, MP3, FLAC, Ogg, Opus or M4A file, or convert it to one of them.",
      cause,
    );
  }
}

/** @param {AudioBuffer} audio @returns {Float32Array<ArrayBuffer>} the mean of the channels */
export function mixToMono(audio) {
  const mono = audio.getChannelData(0).slice();
  for (let channel = 1; channel < audio.numberOfChannels; channel++) {
    const samples = audio.getChannelData(channel);
    for (let i = 0; i < mono.length; i++) mono[i] += samples[i];
  }
  if (audio.numberOfChannels > 1) for (let i = 0; i < mono.length; i++) mono[i] /= audio.numberOfChannels;
  return mono;
}

/** @param {Float32Array<ArrayBuffer>} pcm */
function someSound(pcm) {
  if (pcm.length === 0) {
    throw new VoxtabError("audio-empty", "There is no sound in the file.", "Pick a file with sound in it.");
  }
  return pcm;
}
