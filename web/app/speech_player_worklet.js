// Runs on the audio thread: a PlayQueue, told by messages what to play, telling where it is.

import { PlayQueue } from "./play_queue.js";

/** @typedef {import("./play_queue.js").Order} Order */

/** A playhead needs no more than this many reports a second. */
const REPORTS = 30;

class SpeechPlayer extends AudioWorkletProcessor {
  #queue;
  #take = 0;
  #told = "";
  #untilReport = 0;

  /** @param {{processorOptions: import("./play_queue.js").Lengths}} options */
  constructor({ processorOptions }) {
    super();
    this.#queue = new PlayQueue(processorOptions);
    this.port.onmessage = ({ data }) => this.#obey(data);
  }

  /** @param {Order} order */
  #obey(order) {
    if (order === "complete") this.#queue.complete();
    else if (order === "play") this.#queue.play();
    else if (order === "pause") this.#queue.pause();
    else if ("push" in order) this.#queue.push(order.push);
    else {
      this.#take = order.take;
      this.#queue.load(order.load);
    }
  }

  /** @param {Float32Array[][]} _inputs @param {Float32Array[][]} outputs @returns {boolean} whether to go on */
  process(_inputs, [[block]]) {
    this.#queue.pull(block);
    this.#untilReport -= block.length;
    const { state, position, gaps, silent } = this.#queue;
    const turn = `${this.#take} ${state} ${silent}`;
    if (turn !== this.#told || (state === "playing" && this.#untilReport <= 0)) {
      this.#told = turn;
      this.#untilReport = sampleRate / REPORTS;
      this.port.postMessage({ take: this.#take, state, position, gaps, silent });
    }
    return true;
  }
}

registerProcessor("speech-player", SpeechPlayer);
