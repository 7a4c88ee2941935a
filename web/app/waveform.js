// The sound as bars that appear while it is made, with a playhead. What can be heard can be clicked: an input of type
// range lies over the drawing, so that keys, touch and screen readers work as on every slider.

import { element } from "./dom.js";
import { formatClock } from "./format.js";
import { Peaks } from "./peaks.js";
import { SPEECH_RATE } from "./speech_sound.js";

/** In CSS pixels. */
const BAR = 3;
const GAP = 1.5;
/** How much of its colour a bar has that was not played yet. */
const UNPLAYED = 0.35;
/** Bars are this much taller than their peak: speech is seldom loud. */
const GAIN = 1.25;

export class Waveform {
  #canvas = element("speech-waveform", HTMLCanvasElement);
  #seek = element("speech-seek", HTMLInputElement);
  #time = element("speech-time", HTMLSpanElement);
  #peaks = new Peaks();
  #expected = 0;
  #complete = false;
  #position = 0;
  #drawing = 0;
  /** @type {{of: string, bars: number[]}} */
  #shape = { of: "", bars: [] };

  /** @param {{onSeek: (seconds: number) => void}} actions */
  constructor({ onSeek }) {
    this.#seek.addEventListener("input", () => {
      const asked = Number(this.#seek.value);
      this.setPosition(Math.min(asked, this.#made));
      onSeek(this.#position);
    });
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    this.start(0);
  }

  /** An empty one. @param {number} seconds that the sound will have, more or less */
  start(seconds) {
    this.#peaks = new Peaks();
    this.#expected = seconds;
    this.#complete = false;
    this.#seek.disabled = true;
    this.setPosition(0);
  }

  /** @param {Float32Array} chunk the samples that follow */
  add(chunk) {
    this.#peaks.add(chunk);
    this.#seek.disabled = this.#peaks.length === 0;
    this.setPosition(this.#position);
  }

  /** The sound ends here. */
  complete() {
    this.#complete = true;
    this.setPosition(this.#position);
  }

  /** @param {number} seconds where the playhead is */
  setPosition(seconds) {
    this.#position = seconds;
    this.#seek.max = this.#total.toFixed(2);
    this.#seek.value = seconds.toFixed(2);
    const clock = `${formatClock(seconds)} of ${formatClock(this.#made)}`;
    if (this.#time.textContent !== clock) {
      this.#time.textContent = clock;
      this.#seek.setAttribute("aria-valuetext", clock);
    }
    this.#draw();
  }

  /** Seconds of sound that are there. */
  get #made() {
    return this.#peaks.length / SPEECH_RATE;
  }

  /** Seconds from the left edge to the right one. */
  get #total() {
    return this.#complete ? this.#made : Math.max(this.#expected, this.#made);
  }

  /** With the next frame, however much changed until then. */
  #draw() {
    if (this.#drawing !== 0) return;
    this.#drawing = requestAnimationFrame(() => {
      this.#drawing = 0;
      this.#paint();
    });
  }

  #paint() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const context = this.#canvas.getContext("2d");
    if (!context || width === 0) return;
    const scale = devicePixelRatio;
    const [deviceWidth, deviceHeight] = [Math.round(width * scale), Math.round(height * scale)];
    if (this.#canvas.width !== deviceWidth || this.#canvas.height !== deviceHeight) {
      this.#canvas.width = deviceWidth;
      this.#canvas.height = deviceHeight;
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    context.fillStyle = getComputedStyle(this.#canvas).color; // follows the page's light and dark
    const count = Math.floor((width + GAP) / (BAR + GAP));
    const playhead = this.#total > 0 ? (this.#position / this.#total) * width : 0;
    for (const [i, peak] of this.#bars(count).entries()) {
      const x = i * (BAR + GAP);
      const tall = Math.max(BAR, Math.min(1, GAIN * peak) * height);
      const played = Math.max(0, Math.min(1, (playhead - x) / BAR));
      context.globalAlpha = UNPLAYED + (1 - UNPLAYED) * played;
      context.beginPath();
      context.roundRect(x, (height - tall) / 2, BAR, tall, BAR / 2);
      context.fill();
    }
    context.globalAlpha = 1;
    if (this.#position > 0) context.fillRect(Math.min(playhead, width - 1.5), 0, 1.5, height);
  }

  /** The bars' heights, worked out anew only where they can differ. @param {number} count */
  #bars(count) {
    const of = `${count} ${this.#peaks.length} ${this.#total}`;
    if (this.#shape.of !== of) {
      this.#shape = { of, bars: this.#peaks.bars(count, this.#total * SPEECH_RATE) };
    }
    return this.#shape.bars;
  }
}
