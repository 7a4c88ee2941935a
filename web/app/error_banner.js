// Where errors are told: what happened, what to do, and the code for programs as data-code; where one click helps, the
// button for it.

import { element, setText } from "./dom.js";

/** @typedef {import("./errors.js").VoxtabError} VoxtabError */
/** @typedef {{label: string, accept: () => void}} Offer */

export class ErrorBanner {
  #box = element("error", HTMLDivElement);
  #message = element("error-message", HTMLParagraphElement);
  #hint = element("error-hint", HTMLParagraphElement);
  #accept = element("error-offer", HTMLButtonElement);
  #offerFor;
  /** @type {Offer | null} */
  #offer = null;

  /** @param {{offerFor?: (error: VoxtabError) => Offer | null}} [actions] offerFor: what would help, asked as it is told */
  constructor({ offerFor = () => null } = {}) {
    this.#offerFor = offerFor;
    this.#accept.addEventListener("click", () => this.#offer?.accept());
    element("error-dismiss", HTMLButtonElement).addEventListener("click", () => this.clear());
  }

  /** @param {VoxtabError} error */
  show(error) {
    this.#box.hidden = false; // first: a live region announces what changes while it is shown
    this.#box.dataset.code = error.code;
    this.#message.textContent = error.message;
    this.#hint.textContent = error.hint;
    this.#offer = this.#offerFor(error);
    setText(this.#accept, this.#offer?.label ?? "");
    if (error.code === "internal") console.error(error, error.cause);
  }

  clear() {
    this.#box.hidden = true;
    delete this.#box.dataset.code;
    this.#message.textContent = "";
    this.#hint.textContent = "";
    setText(this.#accept, "");
  }
}
