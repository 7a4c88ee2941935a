// A paragraph of captions. Near what is seen its words are elements that know their times; far from it, it is one text:
// a day of words would be a hundred thousand nodes.

/** @typedef {import("./voxtab.js").Word} Word */

export class Paragraph {
  element = document.createElement("p");
  /** With where each begins in the text. @type {{word: Word, at: number}[]} */
  #words = [];
  #length = 0;
  #near = true;

  /** @param {string} text no word, or none yet @param {Node | null} before this child; null for the end */
  addText(text, before) {
    if (text === "") return;
    this.element.insertBefore(document.createTextNode(text), before);
    this.#length += text.length;
  }

  /** @param {Word} word @param {Node | null} before */
  addWord(word, before) {
    this.element.insertBefore(wordSpan(word), before);
    this.#words.push({ word, at: this.#length });
    this.#length += word.text.length;
  }

  /** @returns {number} */
  get wordCount() {
    return this.#words.length;
  }

  /** For a paragraph that is whole. @param {boolean} near whether its words shall be elements */
  setNear(near) {
    if (near === this.#near) return;
    this.#near = near;
    const text = this.element.textContent ?? "";
    keepSelection(this.element, () => this.element.replaceChildren(...(near ? this.#pieces(text) : [text])));
  }

  /** @param {string} text @returns {(string | HTMLElement)[]} */
  #pieces(text) {
    let done = 0;
    const pieces = this.#words.flatMap(({ word, at }) => {
      const between = text.slice(done, at);
      done = at + word.text.length;
      return [between, wordSpan(word)];
    });
    return [...pieces, text.slice(done)].filter((piece) => piece !== "");
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

/**
 * What the reader has selected stays so while the same text comes to lie in other nodes.
 * @param {HTMLElement} element around them @param {() => void} exchange
 */
function keepSelection(element, exchange) {
  const selection = getSelection();
  const { anchorNode, anchorOffset, focusNode, focusOffset } = selection ?? {};
  const anchor = charactersBefore(element, anchorNode, anchorOffset);
  const focus = charactersBefore(element, focusNode, focusOffset);
  exchange();
  if (!selection || !anchorNode || !focusNode || (anchor === null && focus === null)) return;
  const [from, fromOffset] = anchor === null ? [anchorNode, anchorOffset ?? 0] : placeOf(element, anchor);
  const [to, toOffset] = focus === null ? [focusNode, focusOffset ?? 0] : placeOf(element, focus);
  selection.setBaseAndExtent(from, fromOffset, to, toOffset);
}

/** @param {HTMLElement} element @param {Node | null} [node] @param {number} [offset] in it @returns {number | null} null: not in `element` */
function charactersBefore(element, node, offset) {
  if (!node || !element.contains(node)) return null;
  const range = document.createRange();
  range.setStart(element, 0);
  range.setEnd(node, offset ?? 0);
  return range.toString().length;
}

/** @param {HTMLElement} element @param {number} characters before the place @returns {[Node, number]} */
function placeOf(element, characters) {
  const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const { length } = /** @type {Text} */ (node);
    if (characters <= length) return [node, characters];
    characters -= length;
  }
  return [element, element.childNodes.length];
}
