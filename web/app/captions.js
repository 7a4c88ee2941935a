// Words on the screen, for recordings and live sound alike. Text is only ever appended; once words are settled they
// become spans that know their times. Follows the end unless the reader has scrolled away from it, and tells screen
// readers whole words, a few at a time.

import { Announcer } from "./announcer.js";
import { element } from "./dom.js";

/** @typedef {import("./voxtab.js").Word} Word */

/** A silence of so many seconds, or so many words, and a paragraph ends: long texts are laid out piece by piece. */
const PARAGRAPH_PAUSE = 3;
const PARAGRAPH_WORDS = 100;
/** Pixels from the end within which the reader counts as being there. */
const NEAR = 24;

export class Captions {
  #box = element("transcript", HTMLDivElement);
  #latest = element("captions-latest", HTMLButtonElement);
  #announcer = new Announcer(element("captions-announced", HTMLDivElement));
  #paragraph = document.createElement("p");
  #paragraphWords = 0;
  /** What is not settled yet: always the last text of the last paragraph. */
  #tail = document.createElement("span");
  /** @type {Word[]} */
  #words = [];
  #following = true;

  /** @param {{onWord: (start: number) => void}} actions a word was clicked that begins so many seconds into the sound */
  constructor({ onWord }) {
    this.#tail.className = "tentative";
    this.#box.addEventListener("click", ({ target }) => {
      if (target instanceof HTMLElement && target.dataset.start && getSelection()?.isCollapsed !== false) {
        onWord(Number(target.dataset.start));
      }
    });
    this.#box.addEventListener("scroll", () => this.#setFollowing(this.#atEnd()));
    this.#latest.addEventListener("click", () => {
      this.#box.scrollTop = this.#box.scrollHeight;
      this.#setFollowing(true);
      this.#box.focus({ preventScroll: true });
    });
    for (const [id, style] of [
      ["show-times", "timed"],
      ["large-type", "large"],
      ["high-contrast", "contrast"],
    ]) {
      const button = element(id, HTMLButtonElement);
      button.addEventListener("click", () => {
        button.setAttribute("aria-pressed", String(this.#box.classList.toggle(style)));
        this.#follow();
      });
    }
    this.clear();
  }

  /** Begins anew, and brings it into view: on a phone it is below the fold. */
  start() {
    this.clear();
    this.#setState("running");
    this.#box.scrollIntoView({ block: "nearest" });
  }

  clear() {
    this.#words = [];
    this.#tail.textContent = "";
    this.#paragraph.remove();
    this.#box.replaceChildren();
    this.#announcer.clear();
    this.#setFollowing(true);
  }

  /**
   * @param {string} text what comes next; may be ""
   * @param {Word[]} words settled by now, in the order of the text
   * @param {number} seconds of the sound that are transcribed
   */
  add(text, words, seconds) {
    if (text !== "") {
      if (!this.#paragraph.isConnected) this.#beginParagraph();
      this.#tail.append(text);
      this.#tail.normalize();
    }
    for (const word of words) this.#settle(word);
    this.#announcer.add(words, seconds);
    if (text !== "" || words.length > 0) this.#follow();
  }

  /**
   * Nothing more comes.
   * @param {"done" | "partial"} state
   * @param {number} seconds of the sound that are transcribed: where text ends that did not come to be a word
   */
  end(state, seconds) {
    const rest = this.#tail.textContent?.trim() ?? "";
    const start = this.#words.at(-1)?.end ?? 0;
    if (rest !== "") this.add("", [{ text: rest, start, end: Math.max(start, seconds) }], seconds);
    this.#announcer.flush();
    this.#setState(state);
  }

  /** @param {boolean} playable whether there is sound to play from a word */
  setPlayable(playable) {
    this.#box.classList.toggle("playable", playable);
  }

  /** @returns {string} paragraph by paragraph */
  get text() {
    return [...this.#box.children].map(({ textContent }) => textContent?.trim()).join("\n\n");
  }

  /** @returns {Word[]} those that are settled */
  get words() {
    return this.#words;
  }

  /** For whom the page does not let copy. */
  select() {
    getSelection()?.selectAllChildren(this.#box);
  }

  /** @param {Word} word */
  #settle(word) {
    const pending = this.#tail.textContent ?? "";
    const found = word.text === "" ? -1 : pending.indexOf(word.text);
    const pause = word.start - (this.#words.at(-1)?.end ?? word.start);
    this.#words.push(word);
    if (found < 0) return;
    this.#tail.before(pending.slice(0, found));
    if (pause >= PARAGRAPH_PAUSE || this.#paragraphWords >= PARAGRAPH_WORDS) this.#beginParagraph();
    this.#tail.before(wordSpan(word));
    this.#tail.textContent = pending.slice(found + word.text.length);
    this.#paragraphWords++;
  }

  #beginParagraph() {
    this.#paragraph = document.createElement("p");
    this.#paragraphWords = 0;
    this.#paragraph.append(this.#tail);
    this.#box.append(this.#paragraph);
  }

  #atEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.#box;
    return scrollTop + clientHeight >= scrollHeight - NEAR;
  }

  #follow() {
    if (this.#following) this.#box.scrollTop = this.#box.scrollHeight;
  }

  /** @param {boolean} following */
  #setFollowing(following) {
    this.#following = following;
    this.#latest.hidden = following;
  }

  /** @param {string} state */
  #setState(state) {
    this.#box.dataset.state = state;
  }
}

/** @param {Word} word */
function wordSpan({ text, start, end }) {
  const span = document.createElement("span");
  span.className = "word";
  span.textContent = text;
  span.dataset.testid = "word";
  span.dataset.start = start.toFixed(2);
  span.dataset.end = end.toFixed(2);
  span.title = `${start.toFixed(2)} to ${end.toFixed(2)} s`;
  return span;
}
