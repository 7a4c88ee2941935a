// The transcript card: text as it comes, then words with their times, and what to do with them.

import { element, offerDownload } from "./dom.js";
import { formatNumber } from "./format.js";

/** @typedef {import("./voxtab.js").Word} Word */
/** @typedef {import("./voxtab.js").Transcript} Transcript */

export class TranscriptView {
  #box = element("transcript", HTMLDivElement);
  #status = element("status", HTMLParagraphElement);
  #running = element("transcribing", HTMLDivElement);
  #bar = element("transcribe-progress", HTMLProgressElement);
  #percent = element("transcribe-percent", HTMLSpanElement);
  #copy = element("copy", HTMLButtonElement);
  #download = element("download", HTMLButtonElement);
  #stats = element("stats", HTMLElement);
  #said = element("said", HTMLParagraphElement);
  #saidText = element("said-text", HTMLQuoteElement);
  #details = element("details", HTMLDetailsElement);
  #tokens = element("tokens", HTMLElement);
  #name = "transcript";

  /** @param {{onCancel: () => void}} actions */
  constructor({ onCancel }) {
    element("transcribe-cancel", HTMLButtonElement).addEventListener("click", onCancel);
    this.#copy.addEventListener("click", () => this.#copyText());
    const times = element("show-times", HTMLButtonElement);
    times.addEventListener("click", () => {
      const shown = this.#box.classList.toggle("timed");
      times.setAttribute("aria-pressed", String(shown));
    });
    this.#download.addEventListener("click", () => this.#downloadText());
  }

  /** @param {string} text */
  setStatus(text) {
    this.#status.textContent = text;
  }

  /** @param {string} name of the recording, for the file to download */
  start(name) {
    this.#name = name;
    this.#box.replaceChildren();
    this.#box.dataset.state = "running";
    this.#box.setAttribute("aria-busy", "true"); // announced once, when it is complete
    this.#running.hidden = false;
    this.#bar.value = 0;
    this.#percent.textContent = "";
    this.#stats.hidden = true;
    this.#said.hidden = true;
    this.#details.hidden = true;
    this.#offer(false);
    this.setStatus(`Transcribing ${name}…`);
    this.#box.scrollIntoView({ block: "nearest" }); // on a phone it is below the fold
  }

  /** @param {string} text what came in @param {number} doneSeconds @param {number} seconds of sound */
  add(text, doneSeconds, seconds) {
    if (text !== "") {
      const atEnd = this.#box.scrollTop + this.#box.clientHeight >= this.#box.scrollHeight - 4;
      this.#box.append(text);
      if (atEnd) this.#box.scrollTop = this.#box.scrollHeight;
    }
    const done = seconds > 0 ? Math.min(1, doneSeconds / seconds) : 0;
    this.#bar.value = done;
    this.#percent.textContent = `${Math.floor(100 * done)}% of ${formatNumber(seconds)} s`;
  }

  /** @param {Transcript} transcript @param {{text: string}} [said] what it should be, where that is known */
  finish({ text, words, tokens, stats }, said) {
    this.#box.replaceChildren(...wordNodes(text, words));
    this.#saidText.textContent = said?.text ?? "";
    this.#said.hidden = said === undefined;
    this.#tokens.textContent = tokens.join(" ");
    this.#details.hidden = false;
    const seconds = (stats.encode_ms + stats.decode_ms) / 1000;
    const figures = {
      "stat-audio": `${formatNumber(stats.audio_s)} s`,
      "stat-time": `${formatNumber(seconds)} s`,
      "stat-rtf": formatNumber(stats.rtf),
      "stat-tokens-per-s": formatNumber(stats.tokens_per_s),
    };
    for (const [id, figure] of Object.entries(figures)) element(id, HTMLElement).textContent = figure;
    this.#stats.hidden = false;
    this.#end("done", text === "" ? "Done: the model heard no words." : "Done.");
  }

  /** Ends early; the text so far stays. @param {string} why */
  stop(why) {
    this.#end("partial", this.text === "" ? why : `${why} The text so far is kept.`);
  }

  /** @returns {string} */
  get text() {
    return this.#box.textContent ?? "";
  }

  /** @param {string} state @param {string} status */
  #end(state, status) {
    this.#box.dataset.state = state;
    this.#box.setAttribute("aria-busy", "false");
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
      await navigator.clipboard.writeText(this.text.trim());
      this.setStatus("Copied.");
    } catch {
      getSelection()?.selectAllChildren(this.#box);
      this.setStatus("The browser did not let the page copy; the text is selected, so Ctrl+C copies it.");
    }
  }

  #downloadText() {
    const file = new Blob([`${this.text.trim()}\n`], { type: "text/plain" });
    offerDownload(file, `${this.#name.replace(/\.[^.]*$/, "")}.txt`);
  }
}

/**
 * The text again, with each word in a span that knows its times.
 * @param {string} text @param {Word[]} words in the order of the text
 * @returns {(string | HTMLSpanElement)[]}
 */
function wordNodes(text, words) {
  /** @type {(string | HTMLSpanElement)[]} */
  const nodes = [];
  let at = 0;
  for (const { text: word, start, end } of words) {
    const found = word === "" ? -1 : text.indexOf(word, at);
    if (found < 0) continue;
    if (found > at) nodes.push(text.slice(at, found));
    const span = document.createElement("span");
    span.className = "word";
    span.textContent = word;
    span.dataset.testid = "word";
    span.dataset.start = start.toFixed(2);
    span.dataset.end = end.toFixed(2);
    span.title = `${start.toFixed(2)} to ${end.toFixed(2)} s`;
    nodes.push(span);
    at = found + word.length;
  }
  nodes.push(text.slice(at));
  return nodes;
}
