// Words on the screen, for recordings and live sound alike. Text is only ever appended; once words are settled they
// know their times. Follows the end unless the reader has scrolled away from it, and tells screen
// readers whole words, a few at a time.

import { Announcer } from "./announcer.js";
import { Paragraph } from "./caption_paragraph.js";
import { element } from "./dom.js";

/** @typedef {import("./voxtab.js").Word} Word */

/** A silence of so many seconds, or so many words, and a paragraph ends: long texts are laid out piece by piece. */
const PARAGRAPH_PAUSE = 3;
const PARAGRAPH_WORDS = 100;
/** And so many characters of text without a settled word: a recording's words come all at its end. */
const PARAGRAPH_UNSETTLED = 1000;
/** Pixels from the end within which the reader counts as being there. */
const NEAR = 24;
/** How far from the box's view words are still elements: some screens up and down, so that scrolling finds them there. */
const WORDS_AROUND = "4000px 0px";

export class Captions {
  #box = element("transcript", HTMLDivElement);
  #latest = element("captions-latest", HTMLButtonElement);
  #announcer = new Announcer(element("captions-announced", HTMLDivElement));
  /** The last one. @type {Paragraph | null} */
  #paragraph = null;
  /** Those before it. @type {Map<Element, Paragraph>} */
  #whole = new Map();
  #nearness = new IntersectionObserver(
    (changes) => {
      for (const { target, isIntersecting } of changes) this.#whole.get(target)?.setNear(isIntersecting);
    },
    { root: this.#box, rootMargin: WORDS_AROUND },
  );
  /** What is not settled yet: always the last text of the last paragraph. */
  #tail = tentative();
  /** More of it, in the paragraphs before. @type {HTMLElement[]} */
  #earlierTails = [];
  /** @type {Word[]} */
  #words = [];
  #following = true;

  /** @param {{onWord: (start: number) => void}} actions a word was clicked that begins so many seconds into the sound */
  constructor({ onWord }) {
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
    this.#tail = tentative();
    this.#earlierTails = [];
    this.#paragraph = null;
    this.#whole.clear();
    this.#nearness.disconnect();
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
      if (!this.#paragraph) this.#beginParagraph();
      else if (this.#unsettled.length > PARAGRAPH_UNSETTLED && text.startsWith(" ")) this.#breakTail();
      this.#tail.append(text);
      this.#tail.normalize();
    }
    if (words.length > 0) this.#settle(words);
    this.#announcer.add(words, seconds);
    if (text !== "" || words.length > 0) this.#follow();
  }

  /**
   * Nothing more comes.
   * @param {"done" | "partial"} state
   * @param {number} seconds of the sound that are transcribed: where text ends that did not come to be a word
   */
  end(state, seconds) {
    this.#joinTails();
    const rest = this.#unsettled.trim();
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

  /** @returns {string} */
  get #unsettled() {
    return this.#tail.textContent ?? "";
  }

  /** @param {Word[]} words */
  #settle(words) {
    this.#joinTails();
    let pending = this.#unsettled;
    for (const word of words) {
      const found = word.text === "" ? -1 : pending.indexOf(word.text);
      const pause = word.start - (this.#words.at(-1)?.end ?? word.start);
      this.#words.push(word);
      if (found < 0 || !this.#paragraph) continue;
      this.#paragraph.addText(pending.slice(0, found), this.#tail);
      const paragraph =
        pause >= PARAGRAPH_PAUSE || this.#paragraph.wordCount >= PARAGRAPH_WORDS
          ? this.#beginParagraph()
          : this.#paragraph;
      paragraph.addWord(word, this.#tail);
      pending = pending.slice(found + word.text.length);
    }
    if (pending !== this.#unsettled) this.#tail.textContent = pending;
  }

  /** The one before is whole: its words may become one text. */
  #beginParagraph() {
    const whole = this.#paragraph;
    this.#paragraph = new Paragraph();
    this.#paragraph.element.append(this.#tail);
    this.#box.append(this.#paragraph.element);
    if (!whole) return this.#paragraph;
    this.#whole.set(whole.element, whole);
    if (document.hidden) whole.setNear(false); // the observer sleeps then
    this.#nearness.observe(whole.element);
    return this.#paragraph;
  }

  /** Leaves what is not settled where it is, and goes on in a new paragraph: long ones are slow to lay out again. */
  #breakTail() {
    this.#earlierTails.push(this.#tail);
    this.#tail = tentative();
    const paragraph = document.createElement("p");
    paragraph.append(this.#tail);
    this.#box.append(paragraph);
  }

  /** Takes #breakTail back. */
  #joinTails() {
    const tails = [...this.#earlierTails, this.#tail];
    const text = tails.map(({ textContent }) => textContent).join("");
    for (const tail of tails.slice(1)) tail.parentElement?.remove();
    [this.#tail] = tails;
    this.#earlierTails = [];
    if (text !== this.#unsettled) this.#tail.textContent = text;
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

function tentative() {
  const span = document.createElement("span");
  span.className = "tentative";
  return span;
}
