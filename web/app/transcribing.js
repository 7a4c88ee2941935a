// From a recording to its transcript, with the delay and level that are set.

import { element } from "./dom.js";
import { Player } from "./player.js";
import { soundOf } from "./recording.js";
import { TranscriptView } from "./transcript.js";

/** @typedef {import("./recording.js").Recording} Recording */

const TASK = "speech-to-text";
const DELAYS_MS = [...Array.from({ length: 15 }, (_, i) => 80 * (i + 1)), 2400];
const DEFAULT_DELAY_MS = 480;

export class Transcribing {
  #engine;
  #actions;
  #onRecording;
  #transcript;
  #player = new Player();
  #delay = element("delay-select", HTMLSelectElement);
  #normalise = element("normalise", HTMLInputElement);
  #again = element("transcribe-again", HTMLButtonElement);
  /** @type {Recording | null} */
  #last = null;

  /**
   * @param {object} parts
   * @param {import("./page_engine.js").PageEngine} parts.engine
   * @param {import("./one_at_a_time.js").OneAtATime} parts.actions
   * @param {(recording: Recording) => void} parts.onRecording this one is being transcribed now
   */
  constructor({ engine, actions, onRecording }) {
    this.#engine = engine;
    this.#actions = actions;
    this.#onRecording = onRecording;
    this.#transcript = new TranscriptView({ onCancel: () => actions.cancel() });
    for (const ms of DELAYS_MS) this.#delay.append(new Option(`${ms} ms`, String(ms)));
    this.#delay.value = String(DEFAULT_DELAY_MS);
    this.#again.addEventListener("click", () => this.#last && this.transcribe(this.#last));
  }

  /** @param {boolean} busy */
  setBusy(busy) {
    this.#again.disabled = busy || this.#last === null;
  }

  /** @param {string} text */
  setStatus(text) {
    this.#transcript.setStatus(text);
  }

  /** Loads the model first where that was not done. @param {Recording} recording */
  transcribe(recording) {
    return this.#actions.run(async (signal) => {
      const transcript = this.#transcript;
      transcript.setStatus(`Reading ${recording.name}…`);
      this.#onRecording(recording);
      let started = false;
      try {
        const vox = await this.#engine.open(signal);
        const { pcm, file } = await soundOf(recording, vox, signal);
        this.#last = recording;
        this.#player.show(recording.name, file);
        if (!this.#engine.loaded(TASK)) {
          transcript.setStatus("Loading the model first…");
          await this.#engine.load(TASK, signal);
        }
        transcript.start(recording.name);
        started = true;
        const result = await vox.transcribe(pcm, {
          delayMs: Number(this.#delay.value),
          normalizePeak: this.#normalise.checked,
          onDelta: (text, { doneSeconds, seconds }) => transcript.add(text, doneSeconds, seconds),
          signal,
        });
        transcript.finish(result, recording.sample);
        await this.#engine.showMemory();
      } catch (thrown) {
        const why = signal.aborted ? "Cancelled." : "It did not work.";
        if (started) transcript.stop(why);
        else transcript.setStatus(why); // what is shown is of an earlier recording
        throw thrown;
      }
    });
  }
}
