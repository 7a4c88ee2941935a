// An open microphone: blocks of 16 kHz mono sound while it runs, its level all the time. Everything between the sound
// and onBlock works on messages, so that it goes on in a hidden tab, where timers and drawing are held back.

import { VoxtabError } from "./errors.js";
import { openGraph, openStream } from "./open_microphone.js";

/** @typedef {import("./block_cutter.js").Block} Block */
/** @typedef {import("./block_cutter.js").Report} Report */
/** @typedef {import("./block_cutter.js").Order} Order */

/** An audio thread that has not answered by then is gone with its device. */
const PATIENCE_MS = 1000;

export class Microphone {
  #stream;
  #context;
  #tap;
  /** Told once what was heard so far is handed on. @type {() => void} */
  #onDone = () => {};
  #closed = false;

  /**
   * Use Microphone.open().
   * @param {MediaStream} stream @param {AudioContext} context @param {AudioWorkletNode} tap
   */
  constructor(stream, context, tap) {
    this.#stream = stream;
    this.#context = context;
    this.#tap = tap;
  }

  /**
   * Opens it; no block comes before run().
   * @param {object} options
   * @param {string} options.deviceId empty for the default one
   * @param {(block: Block) => void} options.onBlock 80 ms, the last before a pause or the end less
   * @param {(peak: number) => void} options.onLevel 0..1, of 80 ms each
   * @param {(error: VoxtabError) => void} options.onLost it gives no more; close() it
   * @returns {Promise<Microphone>}
   * @throws {VoxtabError} no-secure-context, mic-refused or mic-absent
   */
  static async open({ deviceId, onBlock, onLevel, onLost }) {
    const stream = await openStream(deviceId);
    try {
      const { context, source } = await openGraph(stream);
      const tap = new AudioWorkletNode(context, "microphone-tap", { numberOfOutputs: 0 });
      const microphone = new Microphone(stream, context, tap);
      tap.port.onmessage = ({ data }) => microphone.#take(data, { onBlock, onLevel, onLost });
      for (const track of stream.getTracks()) track.addEventListener("ended", () => onLost(unplugged()));
      tap.addEventListener("processorerror", () => onLost(unplugged()));
      // A phone call, for one, takes the audio device for a while.
      context.addEventListener("statechange", () => microphone.#closed || context.resume().catch(() => {}));
      source.connect(tap);
      return microphone;
    } catch (cause) {
      for (const track of stream.getTracks()) track.stop();
      throw cause;
    }
  }

  /** From now on it gives blocks. */
  run() {
    this.#order("run");
  }

  /** Blocks end; when this resolves, all that was said before it was called has been given. */
  async pause() {
    await this.#settled("pause");
  }

  /** The same for good: the device is let go. */
  async close() {
    await this.#settled("stop");
    for (const track of this.#stream.getTracks()) track.stop();
    if (this.#closed) return;
    this.#closed = true;
    await this.#context.close();
  }

  /** @param {"pause" | "stop"} order @returns {Promise<void>} */
  #settled(order) {
    return new Promise((resolve) => {
      this.#onDone = resolve;
      setTimeout(resolve, PATIENCE_MS);
      this.#order(order);
    });
  }

  /** @param {Order} order */
  #order(order) {
    this.#tap.port.postMessage(order);
  }

  /**
   * @param {Report} report
   * @param {{onBlock: (block: Block) => void, onLevel: (peak: number) => void, onLost: (error: VoxtabError) => void}} to
   */
  #take(report, { onBlock, onLevel, onLost }) {
    if ("samples" in report) {
      this.#order("taken");
      onBlock(report);
    } else if ("peak" in report) {
      onLevel(report.peak);
    } else if ("done" in report) {
      this.#onDone();
    } else {
      onLost(
        new VoxtabError(
          "backlog-full",
          "This tab stood still for five minutes, so listening ended: no more sound can wait.",
          "What was heard until then is written. Close what keeps the machine busy, then start again.",
        ),
      );
    }
  }
}

function unplugged() {
  return new VoxtabError(
    "mic-absent",
    "The microphone went away: it was unplugged, or its permission was withdrawn.",
    "What it heard is written. Connect it or choose another, then start again.",
  );
}
