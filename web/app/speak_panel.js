// The speech card: a text becomes sound that is played while the rest of it is made, drawn, and kept to download.

import { element, offerDownload, setText } from "./dom.js";
import { asVoxtabError } from "./errors.js";
import { formatNumber } from "./format.js";
import { expectedSeconds, fileNameOf, SpeakForm } from "./speak_form.js";
import { SpeechCodes } from "./speech_codes.js";
import { SpeechPlayer } from "./speech_player.js";
import { SPEECH_RATE, SpeechSound } from "./speech_sound.js";
import { wavFile } from "./wav_file.js";
import { Waveform } from "./waveform.js";

/** @typedef {import("./errors.js").VoxtabError} VoxtabError */
/** @typedef {import("./speak_form.js").SpeakRequest} SpeakRequest */

/**
 * @typedef {object} SpeechStats
 * @property {number} audio_s length of the sound
 * @property {number} first_audio_ms from the call to the first chunk
 * @property {number} rtf time taken / length of the sound
 * @property {number} frames of 80 ms
 *
 * @typedef {object} SpeechResult
 * @property {number[][]} codes of each frame
 * @property {SpeechStats} stats
 *
 * @typedef {AsyncIterable<Float32Array> & {result: Promise<SpeechResult>}} SpeechChunks 24 kHz mono, as it is made
 *
 * @typedef {object} Speaker what the panel needs of the client
 * @property {(text: string, options: Omit<SpeakRequest, "text"> & {voice?: string, signal: AbortSignal}) =>
 *   SpeechChunks} speak
 */

export class SpeakPanel {
  #card = element("speech", HTMLElement);
  #form = new SpeakForm({ onSubmit: () => this.#speak() });
  #button = element("speak", HTMLButtonElement);
  #status = element("speak-status", HTMLParagraphElement);
  #making = element("speaking", HTMLDivElement);
  #bar = element("speak-progress", HTMLProgressElement);
  #made = element("speak-made", HTMLSpanElement);
  #rate = element("speak-rate", HTMLSpanElement);
  #toggle = element("speech-toggle", HTMLButtonElement);
  #stop = element("speech-stop", HTMLButtonElement);
  #volume = element("speech-volume", HTMLInputElement);
  #download = element("speech-download", HTMLButtonElement);
  #gaps = element("speech-gaps", HTMLParagraphElement);
  #stats = element("speech-stats", HTMLElement);
  #codes = new SpeechCodes();
  #waveform = new Waveform({ onSeek: (seconds) => this.#player.seek(seconds) });
  #player;
  #actions;
  #sound = new SpeechSound();
  #text = "";
  #busy = false;

  /**
   * @param {object} actions
   * @param {(work: (speaker: Speaker, signal: AbortSignal) => Promise<void>) => Promise<void>} actions.run makes the
   *   speech as the page's one action: loads the model where it is not loaded, runs the work, tells what goes wrong
   * @param {() => void} actions.onCancel ends that action
   * @param {(error: VoxtabError) => void} actions.onError goes wrong outside of it, or without ending it
   */
  constructor(actions) {
    this.#actions = actions;
    this.#player = new SpeechPlayer({ onChange: () => this.#showPlaying(), onError: actions.onError });
    this.#button.addEventListener("click", () => this.#speak());
    element("speak-cancel", HTMLButtonElement).addEventListener("click", actions.onCancel);
    this.#toggle.addEventListener("click", () => {
      if (this.#heard) this.#player.pause();
      else this.#player.resume();
      this.#showPlaying();
    });
    this.#stop.addEventListener("click", () => this.#player.stop());
    this.#volume.addEventListener("input", () => {
      this.#player.volume = Number(this.#volume.value);
    });
    this.#download.addEventListener("click", () => {
      offerDownload(wavFile(this.#sound.whole(), SPEECH_RATE), `${fileNameOf(this.#text)}.wav`);
    });
    this.#showPlaying();
  }

  /** @param {boolean} shown */
  setShown(shown) {
    this.#card.hidden = !shown;
    if (!shown) this.#player.stop();
  }

  /** @param {import("./speak_form.js").SpeechModel | null} model null: it is not loaded yet, and its voices are not known */
  setModel(model) {
    this.#form.setModel(model);
  }

  /** @param {string} text what is being done, until there is sound */
  setStatus(text) {
    this.#say(text);
  }

  /** @param {boolean} busy */
  setBusy(busy) {
    this.#busy = busy;
    this.#button.disabled = busy;
  }

  async #speak() {
    if (this.#busy) return;
    /** @type {SpeakRequest} */
    let request;
    try {
      request = this.#form.read();
    } catch (thrown) {
      this.#actions.onError(asVoxtabError(thrown));
      return;
    }
    this.#begin(request.text);
    let outcome = "It did not work.";
    await this.#actions.run(async (speaker, signal) => {
      try {
        await this.#make(speaker, request, signal);
        outcome = "Done.";
      } catch (thrown) {
        if (signal.aborted) outcome = "Cancelled.";
        throw thrown;
      }
    });
    this.#end(outcome);
  }

  /** While the click is being handled: later the browser would not let the page sound. @param {string} text */
  #begin(text) {
    this.#text = text;
    this.#sound = new SpeechSound();
    this.#waveform.start(expectedSeconds(text));
    this.#player.play(this.#sound);
    this.#making.hidden = false;
    this.#bar.removeAttribute("value");
    for (const figure of [this.#made, this.#rate]) figure.textContent = "";
    this.#stats.hidden = true;
    this.#codes.clear();
    this.#download.disabled = true;
    this.#card.setAttribute("aria-busy", "true");
  }

  /** @param {Speaker} speaker @param {SpeakRequest} request @param {AbortSignal} signal */
  async #make(speaker, { text, ...options }, signal) {
    const begun = performance.now();
    const expected = expectedSeconds(text);
    const chunks = speaker.speak(text, { ...options, voice: this.#form.voice, signal });
    chunks.result.catch(() => {}); // the iteration tells
    for await (const chunk of chunks) {
      this.#sound.add(chunk);
      this.#player.add(chunk);
      this.#waveform.add(chunk);
      const { seconds } = this.#sound;
      const taken = (performance.now() - begun) / 1000;
      this.#bar.value = Math.min(1, seconds / expected);
      this.#made.textContent = `${formatNumber(seconds, 2)} s of sound`;
      this.#rate.textContent = `in ${formatNumber(taken, 2)} s`;
      this.#say("Speaking…");
    }
    const { codes, stats } = await chunks.result;
    this.#showStats(stats);
    this.#codes.offer(codes);
  }

  /** @param {string} outcome */
  #end(outcome) {
    this.#sound.complete = true;
    this.#player.complete();
    this.#waveform.complete();
    this.#making.hidden = true;
    const some = this.#sound.length > 0;
    this.#download.disabled = !some;
    if (!some) this.#player.stop();
    this.#say(some && outcome !== "Done." ? `${outcome} The sound so far is kept.` : outcome);
    this.#card.setAttribute("aria-busy", "false");
    this.#showPlaying();
  }

  /** @param {SpeechStats} stats */
  #showStats({ audio_s, first_audio_ms, rtf, frames }) {
    const figures = {
      "speech-stat-audio": `${formatNumber(audio_s)} s`,
      "speech-stat-first": `${formatNumber(first_audio_ms / 1000, 2)} s`,
      "speech-stat-rtf": formatNumber(rtf),
      "speech-stat-frames": formatNumber(frames),
    };
    for (const [id, figure] of Object.entries(figures)) element(id, HTMLElement).textContent = figure;
    this.#stats.hidden = false;
  }

  /** @param {string} text unchanged text is not announced again */
  #say(text) {
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }

  /** @returns {boolean} whether there is sound, or will be as soon as it is made */
  get #heard() {
    return this.#player.state === "playing" || this.#player.state === "waiting";
  }

  #showPlaying() {
    const { state, position, gaps } = this.#player;
    const pending = !this.#making.hidden || this.#sound.length > 0;
    this.#toggle.textContent = this.#heard ? "Pause" : "Play";
    this.#toggle.dataset.state = state;
    this.#toggle.disabled = !pending;
    this.#stop.disabled = !pending || (!this.#heard && position === 0);
    this.#waveform.setPosition(position);
    const times = gaps === 1 ? "once" : `${gaps} times`;
    const told = `The sound had to wait ${times} until more of it was made. Play it again to hear it in one piece.`;
    setText(this.#gaps, gaps > 0 ? told : "");
  }
}
