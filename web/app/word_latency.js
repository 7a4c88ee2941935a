// How long after its sound a word is on the screen: from the moment the microphone had heard the word's last sample
// until its last letter was shown. Times are milliseconds of one clock, that of Date.now().

/** Words are many in a day; the figures are those of the latest. */
const KEPT = 1000;
/** Sound that no word came of is forgotten when it lies so far behind what was transcribed, in seconds. */
const FORGOTTEN_AFTER = 10;

export class WordLatency {
  /** When the sound up to some second of the stream was there. @type {{seconds: number, at: number}[]} */
  #heard = [];
  /** When the text up to some length was shown. @type {{length: number, at: number}[]} */
  #shown = [];
  #length = 0;
  /** How much of the text the words so far take up. */
  #settled = 0;
  /** Text behind #settled. */
  #tail = "";
  /** @type {number[]} */
  #latencies = [];

  /** The sound up to `seconds` of the stream was heard. @param {number} seconds @param {number} at */
  heard(seconds, at) {
    this.#heard.push({ seconds, at });
  }

  /**
   * Text was shown, and words were settled: they are found in the text in their order.
   * @param {string} text @param {import("./voxtab.js").Word[]} words
   * @param {number} doneSeconds of the stream that are transcribed @param {number} at
   */
  shown(text, words, doneSeconds, at) {
    if (text !== "") {
      this.#length += text.length;
      this.#tail += text;
      this.#shown.push({ length: this.#length, at });
    }
    for (const word of words) this.#settle(word);
    const needed = this.#heard.findIndex(({ seconds }) => seconds >= doneSeconds - FORGOTTEN_AFTER);
    if (needed > 0) this.#heard.splice(0, needed);
  }

  /** @param {import("./voxtab.js").Word} word */
  #settle({ text, end }) {
    const found = this.#tail.indexOf(text);
    if (found < 0) return;
    const upTo = found + text.length;
    this.#tail = this.#tail.slice(upTo);
    this.#settled += upTo;
    const last = this.#shown.findIndex(({ length }) => length >= this.#settled);
    const sound = this.#heard.find(({ seconds }) => seconds >= end - 1e-6);
    const { at } = this.#shown[last];
    this.#shown.splice(0, last);
    if (!sound) return;
    this.#latencies.push(at - (sound.at - (sound.seconds - end) * 1000));
    if (this.#latencies.length > KEPT) this.#latencies.shift();
  }

  /** @returns {number} words measured */
  get count() {
    return this.#latencies.length;
  }

  /**
   * @param {number} share 0..1: 0.5 for the median
   * @returns {number} milliseconds that this share of the words took at most; NaN before the first
   */
  percentile(share) {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  }
}
