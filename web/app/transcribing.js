// From a recording to its transcript, with the delay and level that are set.

import { element } from "./dom.js";
import { soundOf } from "./recording.js";

/** @typedef {import("./recording.js").Recording} Recording */

const TASK = "speech-to-text";

export class Transcribing {
  #engine;
  #actions;
  #onRecording;
  #transcript;
  #player;
  #delay;
  #normalise = element("normalise", HTMLInputElement);
  #again = element("transcribe-again", HTMLButtonElement);
  /** @type {Recording | null} */
  #last = null;

  /**
   * @param {object} parts
   * @param {import("./page_engine.js").PageEngine} parts.engine
   * @param {import("./one_at_a_time.js").OneAtATime} parts.actions
   * @param {import("./transcript.js").TranscriptView} parts.transcript
   * @param {import("./player.js").Player} parts.player
   * @param {import("./delay_slider.js").DelaySlider} parts.delay
   * @param {(recording: Recording) => void} parts.onRecording this one is being transcribed now
   */
  constructor({ engine, actions, transcript, player, delay, onRecording }) {
    this.#engine = engine;
    this.#actions = actions;
    this.#onRecording = onRecording;
    this.#transcript = transcript;
    this.#player = player;
    this.#delay = delay;
    this.#again.addEventListener("click", () => this.#last && this.transcribe(this.#last));
  }

  /** @param {boolean} busy */
  setBusy(busy) {
    this.#again.disabled = busy || this.#last === null;
  }

  /** What there is to play, and to transcribe again. @param {Recording | null} recording */
  offer(recording) {
    this.#last = recording;
    if (recording?.file) this.#player.show(recording.name, recording.file);
    else this.#player.clear();
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
        const pcm = await soundOf(recording, vox, signal);
        this.offer(recording);
        if (!this.#engine.loaded(TASK)) {
          transcript.setStatus("Loading the model first…");
          await this.#engine.load(TASK, signal);
        }
        transcript.start(recording.name);
        started = true;
        const result = await vox.transcribe(pcm, {
          delayMs: this.#delay.ms,
          normalizePeak: this.#normalise.checked,
          onDelta: (text, { doneSeconds, seconds }) => {
            transcript.add(text, [], doneSeconds);
            transcript.setProgress(doneSeconds, seconds);
          },
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
