// Runs on the audio thread: hands the microphone's sound on in blocks of 80 ms while it is asked to, and always its
// level. Blocks that the page has not taken are counted: beyond MOST_UNTAKEN it gives up and says so.

import { BLOCK_SECONDS, BlockCutter } from "./block_cutter.js";

/** @typedef {import("./block_cutter.js").Order} Order */

/** Five minutes: as much as the engine itself lets wait. */
const MOST_UNTAKEN = 300 / BLOCK_SECONDS;
/** More would only make the meter late. */
const MOST_LEVELS_UNTAKEN = 20;

class MicrophoneTap extends AudioWorkletProcessor {
  #cutter = new BlockCutter(sampleRate);
  #running = false;
  #stopped = false;
  #untaken = 0;
  #peak = 0;
  #untilLevel = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => this.#obey(data);
  }

  /** @param {Order} order */
  #obey(order) {
    if (order === "taken") {
      this.#untaken--;
    } else if (order === "run") {
      this.#running = true;
    } else {
      if (this.#running) this.#handOn(this.#cutter.flush());
      this.#running = false;
      this.#stopped = order === "stop";
      this.port.postMessage({ done: true });
    }
  }

  /** @param {Float32Array[][]} inputs @returns {boolean} whether to go on */
  process([channels]) {
    if (this.#stopped) return false;
    for (const sample of channels[0] ?? []) this.#peak = Math.max(this.#peak, Math.abs(sample));
    this.#untilLevel -= channels[0]?.length ?? 0;
    if (this.#untilLevel <= 0) this.#tellLevel();
    if (this.#running) this.#handOn(this.#cutter.push(channels));
    return true;
  }

  #tellLevel() {
    if (this.#untaken < MOST_LEVELS_UNTAKEN) this.port.postMessage({ peak: Math.min(1, this.#peak) });
    this.#peak = 0;
    this.#untilLevel = sampleRate * BLOCK_SECONDS;
  }

  /** @param {Float32Array<ArrayBuffer>[]} blocks */
  #handOn(blocks) {
    for (const samples of blocks) {
      if (this.#untaken >= MOST_UNTAKEN) {
        this.#running = false;
        this.port.postMessage({ full: true });
        return;
      }
      this.#untaken++;
      this.port.postMessage({ samples, at: Date.now() }, [samples.buffer]);
    }
  }
}

registerProcessor("microphone-tap", MicrophoneTap);
