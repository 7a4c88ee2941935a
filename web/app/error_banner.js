// Where errors are told: what happened, what to do, and the code for programs as data-code.

import { element } from "./dom.js";

/** @typedef {import("./errors.js").VoxtabError} VoxtabError */

export class ErrorBanner {
  #box = element("error", HTMLDivElement);
  #message = element("error-message", HTMLParagraphElement);
  #hint = element("error-hint", HTMLParagraphElement);

  constructor() {
    element("error-dismiss", HTMLButtonElement).addEventListener("click", () => this.clear());
  }

  /** @param {VoxtabError} error */
  show(error) {
    this.#box.hidden = false; // first: a live region announces what changes while it is shown
    this.#box.dataset.code = error.code;
    this.#message.textContent = error.message;
    this.#hint.textContent = error.hint;
    if (error.code === "internal") console.error(error, error.cause);
  }

  clear() {
    this.#box.hidden = true;
    delete this.#box.dataset.code;
    this.#message.textContent = "";
    this.#hint.textContent = "";
  }
}
