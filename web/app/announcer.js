// Tells screen readers what was said: whole words, a few at a time, into a polite live region that nobody sees.

/** @typedef {import("./voxtab.js").Word} Word */

const WORDS_AT_A_TIME = 6;
/** Or fewer, once the speaker has been silent for so long, in seconds. */
const SILENCE = 1.5;
/** Phrases left in the page; what was announced is of no more use. */
const KEPT = 20;

export class Announcer {
  #region;
  /** @type {Word[]} */
  #waiting = [];

  /** @param {HTMLElement} region with aria-live */
  constructor(region) {
    this.#region = region;
  }

  /** @param {Word[]} words the next ones; may be none @param {number} seconds of the sound that are transcribed */
  add(words, seconds) {
    this.#waiting.push(...words);
    const last = this.#waiting.at(-1);
    if (last && (this.#waiting.length >= WORDS_AT_A_TIME || seconds - last.end >= SILENCE)) this.flush();
  }

  flush() {
    if (this.#waiting.length === 0) return;
    const phrase = document.createElement("p");
    phrase.textContent = this.#waiting.map(({ text }) => text).join(" ");
    this.#region.append(phrase);
    this.#waiting = [];
    while (this.#region.children.length > KEPT) this.#region.firstElementChild?.remove();
  }

  clear() {
    this.#waiting = [];
    this.#region.replaceChildren();
  }
}
