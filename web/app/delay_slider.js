// How far the text may lag behind the sound: 80 ms to 1200 ms in steps of 80 ms, and 2.4 s; what the model can.

import { element } from "./dom.js";

const DELAYS_MS = [...Array.from({ length: 15 }, (_, i) => 80 * (i + 1)), 2400];
const DEFAULT_MS = 480;
/** A slider moves through many values: the one it rests on counts. */
const REST_MS = 300;

export class DelaySlider {
  #slider = element("delay", HTMLInputElement);
  #shown = element("delay-shown", HTMLOutputElement);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #rest;

  /** @param {{onChange: (ms: number) => void}} actions another delay is set, and the slider rests */
  constructor({ onChange }) {
    this.#slider.max = String(DELAYS_MS.length - 1);
    this.#slider.value = String(DELAYS_MS.indexOf(DEFAULT_MS));
    this.#slider.addEventListener("input", () => {
      this.#show();
      clearTimeout(this.#rest);
      this.#rest = setTimeout(() => onChange(this.ms), REST_MS);
    });
    this.#show();
  }

  /** @returns {number} milliseconds */
  get ms() {
    return DELAYS_MS[this.#slider.valueAsNumber];
  }

  #show() {
    const text = this.ms < 1000 ? `${this.ms} ms` : `${this.ms / 1000} s`;
    this.#shown.textContent = text;
    this.#slider.setAttribute("aria-valuetext", text);
  }
}
