// A microphone's stream and an audio graph that hears it, untouched by the browser's voice processing; or why there is
// none, in words.

import { LISTENING_RATE } from "./block_cutter.js";
import { VoxtabError } from "./errors.js";
import { AudioLate, inTime } from "./in_time.js";

/** @returns {Promise<MediaDeviceInfo[]>} microphones; without labels until one was allowed */
export async function listMicrophones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId !== "");
}

/**
 * Asks the user, where that was not yet done.
 * @param {string} deviceId empty for the default one
 * @returns {Promise<MediaStream>}
 * @throws {VoxtabError} no-secure-context, mic-refused or mic-absent
 */
export async function openStream(deviceId) {
  if (!navigator.mediaDevices) {
    throw new VoxtabError(
      "no-secure-context",
      "This address is not secure, so the browser does not offer the microphone.",
      "Open the page over https://, or on the same machine as http://localhost.",
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: {
        ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
        channelCount: { ideal: 1 },
        echoCancellation: false,
        noiseSuppression: false,
        autoGainControl: false,
      },
    });
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : "";
    if (name === "NotAllowedError" || name === "SecurityError") {
      throw new VoxtabError(
        "mic-refused",
        "The microphone was not allowed.",
        "Allow it for this page beside the address bar (and for the browser in the system's settings), then start again.",
        cause,
      );
    }
    if (name === "NotReadableError" || name === "AbortError") {
      throw new VoxtabError(
        "mic-absent",
        "The microphone could not be opened.",
        "Another program may be using it. Close that, or choose another microphone, then start again.",
        cause,
      );
    }
    throw new VoxtabError(
      "mic-absent",
      "There is no such microphone.",
      "Connect one or choose another, then start again.",
      cause,
    );
  }
}

/**
 * Some browsers can't feed a microphone into a graph of another rate, Firefox long among them: there the graph has the
 * microphone's own, and the worklet resamples.
 * @param {MediaStream} stream
 * @returns {Promise<{context: AudioContext, source: MediaStreamAudioSourceNode}>} with the worklet's module in it
 * @throws {VoxtabError} mic-absent
 */
export async function openGraph(stream) {
  for (const options of [{ sampleRate: LISTENING_RATE }, {}]) {
    const context = new AudioContext(options);
    try {
      const module = context.audioWorklet.addModule(new URL("microphone_worklet.js", import.meta.url));
      await inTime(Promise.all([module, context.resume()]));
      return { context, source: context.createMediaStreamSource(stream) };
    } catch (error) {
      context.close().catch(() => {}); // not waited for: what never started may never end
      if (error instanceof AudioLate) throw unheard(error);
      if (!(error instanceof DOMException && error.name === "NotSupportedError")) throw error;
    }
  }
  throw new VoxtabError(
    "mic-absent",
    "The microphone's sample rate is not supported.",
    "Choose another microphone.",
  );
}

/** @param {AudioLate} cause */
function unheard(cause) {
  return new VoxtabError(
    "mic-absent",
    "The browser's audio did not start, so the microphone can't be heard.",
    "Connect or choose a loudspeaker or headphones: some browsers need one even to listen. Then start again.",
    cause,
  );
}
