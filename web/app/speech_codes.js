// The codes that a speech was made of, for those who want to look: a line for each frame of 80 ms, the semantic code first.

import { element } from "./dom.js";

export class SpeechCodes {
  #details = element("speech-details", HTMLDetailsElement);
  #text = element("speech-codes", HTMLElement);
  /** @type {number[][]} */
  #codes = [];

  constructor() {
    this.#details.addEventListener("toggle", () => this.#write());
  }

  /** @param {number[][]} codes */
  offer(codes) {
    this.#codes = codes;
    this.#details.hidden = false;
    this.#write();
  }

  clear() {
    this.#codes = [];
    this.#details.hidden = true;
    this.#write();
  }

  /** Only for those who look: those of a long text are many. */
  #write() {
    const shown = this.#details.open ? this.#codes : [];
    this.#text.textContent = shown.map((frame) => frame.join(" ")).join("\n");
  }
}
