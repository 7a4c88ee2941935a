// The transcript card, for recordings and live sound alike: captions, how it stands, figures, and what to do with the
// words.

import { Captions } from "./captions.js";
import { element, offerDownload } from "./dom.js";
import { formatNumber } from "./format.js";

/** @typedef {import("./voxtab.js").Word} Word */
/** @typedef {import("./voxtab.js").Transcript} Transcript */
/** @typedef {"txt" | "srt" | "vtt" | "json"} CaptionFormat */

const MIME = { txt: "text/plain", srt: "application/x-subrip", vtt: "text/vtt", json: "application/json" };

export class TranscriptView {
  #captions;
  #status = element("status", HTMLParagraphElement);
  #running = element("transcribing", HTMLDivElement);
  #bar = element("transcribe-progress", HTMLProgressElement);
  #percent = element("transcribe-percent", HTMLSpanElement);
  #copy = element("copy", HTMLButtonElement);
  #format = element("download-format", HTMLSelectElement);
  #download = element("download", HTMLButtonElement);
  #stats = element("stats", HTMLElement);
  #said = element("said", HTMLParagraphElement);
  #saidText = element("said-text", HTMLQuoteElement);
  #details = element("details", HTMLDetailsElement);
  #tokens = element("tokens", HTMLElement);
  #name = "transcript";
  #seconds = 0;

  /**
   * @param {object} actions
   * @param {() => void} actions.onCancel
   * @param {(start: number) => void} actions.onWord a word was clicked that begins so many seconds into the sound
   * @param {(words: Word[], format: CaptionFormat) => Promise<void>} actions.onDownload
   */
  constructor({ onCancel, onWord, onDownload }) {
    this.#captions = new Captions({ onWord });
    element("transcribe-cancel", HTMLButtonElement).addEventListener("click", onCancel);
    this.#copy.addEventListener("click", () => this.#copyText());
    this.#download.addEventListener("click", () =>
      onDownload(this.#captions.words, /** @type {CaptionFormat} */ (this.#format.value)),
    );
  }

  /** @param {string} text */
  setStatus(text) {
    if (this.#status.textContent !== text) this.#status.textContent = text; // announced once
  }

  /** @param {boolean} playable whether the sound is there, to be played from a word */
  setPlayable(playable) {
    this.#captions.setPlayable(playable);
  }

  /** Text of a recording follows. @param {string} name of it, for the file to download */
  start(name) {
    this.#begin(name);
    this.#running.hidden = false;
    this.#bar.value = 0;
    this.#percent.textContent = "";
    this.setStatus(`Transcribing ${name}…`);
  }

  /** Text of what is being said follows. @param {string} name for the file to download */
  startLive(name) {
    this.#begin(name);
    this.setStatus("Listening…");
  }

  /** @param {string} name */
  #begin(name) {
    this.#name = name;
    this.#seconds = 0;
    this.#captions.start();
    this.#stats.hidden = true;
    this.#said.hidden = true;
    this.#details.hidden = true;
    this.#offer(false);
  }

  /**
   * @param {string} text what came in, to be appended
   * @param {Word[]} words finished by it
   * @param {number} doneSeconds of the sound that are transcribed
   */
  add(text, words, doneSeconds) {
    this.#seconds = doneSeconds;
    this.#captions.add(text, words, doneSeconds);
    if (words.length > 0) this.#offer(true); // captions may go on all day
  }

  /** @param {number} doneSeconds @param {number} seconds of sound */
  setProgress(doneSeconds, seconds) {
    const done = seconds > 0 ? Math.min(1, doneSeconds / seconds) : 0;
    this.#bar.value = done;
    this.#percent.textContent = `${Math.floor(100 * done)}% of ${formatNumber(seconds)} s`;
  }

  /** A recording's text is whole. @param {Transcript} transcript @param {{text: string}} [said] what it should be, where that is known */
  finish({ words, tokens, stats }, said) {
    this.add("", words, stats.audio_s);
    this.#saidText.textContent = said?.text ?? "";
    this.#said.hidden = said === undefined;
    this.#tokens.textContent = tokens.join(" ");
    this.#details.hidden = false;
    this.showFigures({
      "stat-audio": `${formatNumber(stats.audio_s)} s`,
      "stat-time": `${formatNumber((stats.encode_ms + stats.decode_ms) / 1000)} s`,
      "stat-rtf": formatNumber(stats.rtf),
      "stat-tokens-per-s": formatNumber(stats.tokens_per_s),
    });
    this.#end("done", this.text === "" ? "Done: the model heard no words." : "Done.");
  }

  /** What was said live is written. */
  finishLive() {
    this.#end("done", this.text === "" ? "Done: the model heard no words." : "Done.");
  }

  /** Ends early; the text so far stays. @param {string} why */
  stop(why) {
    this.#end("partial", this.text === "" ? why : `${why} The text so far is kept.`);
  }

  /** @param {Record<string, string>} figures by test id; the others are hidden */
  showFigures(figures) {
    for (const figure of this.#stats.querySelectorAll("dd")) {
      const text = figures[figure.dataset.testid ?? ""];
      const box = /** @type {HTMLElement} */ (figure.parentElement);
      box.hidden = text === undefined;
      if (figure.textContent !== text) figure.textContent = text ?? "";
    }
    this.#stats.hidden = false;
  }

  /** Hands words to the user as a file. @param {string} content @param {CaptionFormat} format */
  offerFile(content, format) {
    const name = `${this.#name.replace(/\.[^.]*$/, "")}.${format}`;
    offerDownload(new Blob([content], { type: MIME[format] }), name);
  }

  /** @returns {string} */
  get text() {
    return this.#captions.text;
  }

  /** @param {"done" | "partial"} state @param {string} status */
  #end(state, status) {
    this.#captions.end(state, this.#seconds);
    this.#running.hidden = true;
    this.#offer(this.text !== "");
    this.setStatus(status);
  }

  /** @param {boolean} offered */
  #offer(offered) {
    this.#copy.disabled = !offered;
    this.#download.disabled = !offered;
  }

  async #copyText() {
    try {
      await navigator.clipboard.writeText(this.text);
      this.setStatus("Copied.");
    } catch {
      this.#captions.select();
      this.setStatus("The browser did not let the page copy; the text is selected, so Ctrl+C copies it.");
    }
  }
}
