// "GPU memory at most … MB", remembered in this browser.

import { element } from "./dom.js";

const KEY = "voxtab-memory-limit-mb";

export class MemoryLimit {
  #input = element("memory-limit", HTMLInputElement);
  #megabytes = "";

  constructor() {
    this.#input.value = recall();
    this.#take();
    this.#input.addEventListener("change", () => {
      if (this.#take()) remember(this.#megabytes);
      else this.#input.reportValidity();
    });
  }

  /** @returns {number | null} null: whatever the GPU gives */
  get bytes() {
    return this.#megabytes === "" ? null : Number(this.#megabytes) * 1e6;
  }

  /** What holds without a limit of the user's. @param {number | null} bytes null: the browser does not tell */
  setGpu(bytes) {
    this.#input.placeholder = bytes === null ? "what it has" : String(Math.floor(bytes / 1e6));
  }

  /** @returns {boolean} false: what is in the field is no limit, and the last one stays */
  #take() {
    if (!this.#input.checkValidity()) return false;
    this.#megabytes = this.#input.value;
    return true;
  }
}

/** Storage may be closed to the page; then nothing is remembered. @returns {string} */
function recall() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} megabytes "" forgets */
function remember(megabytes) {
  try {
    if (megabytes === "") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, megabytes);
  } catch {
    // it holds for this visit
  }
}
