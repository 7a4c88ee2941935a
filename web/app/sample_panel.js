// A button for each recorded sample: one click and its words appear.

import { element, setText } from "./dom.js";

/** @typedef {import("./samples.js").Sample} Sample */

export class SamplePanel {
  #box = element("samples", HTMLDivElement);
  #list = element("sample-list", HTMLDivElement);
  #note = element("sample-note", HTMLParagraphElement);
  #onPick;
  #busy = false;

  /** @param {{onPick: (sample: Sample) => void}} actions */
  constructor({ onPick }) {
    this.#onPick = onPick;
  }

  /** @param {Sample[]} samples */
  setSamples(samples) {
    this.#list.replaceChildren(...samples.map((sample) => this.#button(sample)));
    this.#box.hidden = false;
    this.setBusy(this.#busy);
  }

  /** Marks what is being, or was last, transcribed. @param {Sample | undefined} sample */
  setCurrent(sample) {
    for (const button of this.#list.querySelectorAll("button")) {
      button.setAttribute("aria-current", String(button.dataset.file === sample?.file));
    }
  }

  /** There are none to offer; the page does without. @param {import("./errors.js").VoxtabError} error */
  setFailed(error) {
    setText(this.#note, `No samples to try: ${error.message}`);
    this.#box.hidden = false;
  }

  /** @param {boolean} busy */
  setBusy(busy) {
    this.#busy = busy;
    for (const button of this.#list.querySelectorAll("button")) button.disabled = busy;
  }

  /** @param {Sample} sample */
  #button(sample) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sample";
    button.dataset.testid = "sample";
    button.dataset.file = sample.file;
    button.title = sample.licence;
    const title = document.createElement("span");
    title.textContent = sample.title;
    const voice = document.createElement("span");
    voice.className = "soft";
    voice.textContent = sample.voice;
    button.append(title, voice);
    button.addEventListener("click", () => this.#onPick(sample));
    return button;
  }
}
