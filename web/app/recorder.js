// A recording from a microphone as 16 kHz mono samples, untouched by the browser's voice processing.

import { SAMPLE_RATE } from "./audio_file.js";
import { VoxtabError } from "./errors.js";

/** Longer recordings end by themselves: an hour is 230 MB of samples. */
export const MAX_SECONDS = 3600;

/** @returns {Promise<MediaDeviceInfo[]>} microphones; without labels until one was allowed */
export async function listMicrophones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId !== "");
}

export class Recorder {
  #stream;
  #context;
  #tap;
  /** @type {Float32Array<ArrayBuffer>[]} */
  #blocks = [];
  #samples = 0;
  #ended;

  /**
   * Use Recorder.start().
   * @param {MediaStream} stream @param {AudioContext} context @param {AudioWorkletNode} tap
   * @param {(peak: number, seconds: number) => void} onBlock
   */
  constructor(stream, context, tap, onBlock) {
    this.#stream = stream;
    this.#context = context;
    this.#tap = tap;
    this.#ended = new Promise((resolve) => {
      tap.port.onmessage = ({ data }) => {
        if (data === null) return resolve(null);
        this.#blocks.push(data.samples);
        this.#samples += data.samples.length;
        onBlock(data.peak, this.#samples / context.sampleRate);
      };
    });
  }

  /**
   * Asks for the microphone and starts at once.
   * @param {object} options
   * @param {string} [options.deviceId] empty for the default one
   * @param {(peak: number, seconds: number) => void} options.onBlock ten times a second: peak 0..1, length so far
   * @param {() => void} options.onEnded the microphone went away, or MAX_SECONDS are full
   * @returns {Promise<Recorder>}
   * @throws {VoxtabError} no-secure-context, mic-refused or mic-absent
   */
  static async start({ deviceId, onBlock, onEnded }) {
    const stream = await openMicrophone(deviceId);
    try {
      const { context, source } = await openContext(stream);
      const tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
      const recorder = new Recorder(stream, context, tap, (peak, seconds) => {
        onBlock(peak, seconds);
        if (seconds >= MAX_SECONDS) onEnded();
      });
      for (const track of stream.getTracks()) track.addEventListener("ended", onEnded);
      source.connect(tap);
      return recorder;
    } catch (cause) {
      for (const track of stream.getTracks()) track.stop();
      throw cause;
    }
  }

  /** @returns {Promise<Float32Array<ArrayBuffer>>} 16 kHz mono, from the start until now */
  async stop() {
    this.#tap.port.postMessage("stop");
    await Promise.race([this.#ended, new Promise((resolve) => setTimeout(resolve, 1000))]);
    for (const track of this.#stream.getTracks()) track.stop();
    const { sampleRate } = this.#context;
    await this.#context.close();
    const pcm = new Float32Array(this.#samples);
    let at = 0;
    for (const block of this.#blocks) {
      pcm.set(block, at);
      at += block.length;
    }
    this.#blocks = [];
    return sampleRate === SAMPLE_RATE || pcm.length === 0 ? pcm : resample(pcm, sampleRate);
  }
}

/** @param {string} [deviceId] @returns {Promise<MediaStream>} */
async function openMicrophone(deviceId) {
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
        "Allow it for this page beside the address bar (and for the browser in the system's settings), then record again.",
        cause,
      );
    }
    if (name === "NotReadableError" || name === "AbortError") {
      throw new VoxtabError(
        "mic-absent",
        "The microphone could not be opened.",
        "Another program may be using it. Close that, or choose another microphone, then record again.",
        cause,
      );
    }
    throw new VoxtabError(
      "mic-absent",
      "There is no such microphone.",
      "Connect one or choose another, then record again.",
      cause,
    );
  }
}

/**
 * Firefox can't feed a microphone into a context of another rate: there it is recorded at its own and resampled after.
 * @param {MediaStream} stream
 */
async function openContext(stream) {
  for (const options of [{ sampleRate: SAMPLE_RATE }, {}]) {
    const context = new AudioContext(options);
    try {
      await context.audioWorklet.addModule(new URL("recorder_worklet.js", import.meta.url));
      await context.resume();
      return { context, source: context.createMediaStreamSource(stream) };
    } catch (error) {
      await context.close();
      if (!(error instanceof DOMException && error.name === "NotSupportedError")) throw error;
    }
  }
  throw new VoxtabError(
    "mic-absent",
    "The microphone's sample rate is not supported.",
    "Choose another microphone.",
  );
}

/** @param {Float32Array<ArrayBuffer>} pcm @param {number} rate of the samples */
async function resample(pcm, rate) {
  const context = new OfflineAudioContext(1, Math.ceil((pcm.length * SAMPLE_RATE) / rate), SAMPLE_RATE);
  const buffer = context.createBuffer(1, pcm.length, rate);
  buffer.copyToChannel(pcm, 0);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.start();
  return (await context.startRendering()).getChannelData(0);
}
