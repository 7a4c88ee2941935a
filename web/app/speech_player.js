// Plays speech while it is being made. The sound itself is a SpeechSound; the queue on the audio thread holds a copy of
// what is still to be heard, so that going back is sending it again from there.

import { VoxtabError } from "./errors.js";
import { inTime } from "./in_time.js";
import { Resampler } from "./resampler.js";
import { SPEECH_RATE, SpeechSound } from "./speech_sound.js";

/** @typedef {import("./play_queue.js").PlayState} PlayState */
/** @typedef {import("./play_queue.js").Order} Order */
/** @typedef {import("./play_queue.js").Report} Report */

/** In seconds; see play_queue.js. */
const LENGTHS = { fade: 0.005, start: 0.16, most: 10 };
/** What was handed to the audio output is heard by then. */
const REST_MS = 500;
/** How fast a new volume is taken on, in seconds. */
const VOLUME_GLIDE = 0.015;

export class SpeechPlayer {
  #onChange;
  #onError;
  #sound = new SpeechSound();
  #volume = 1;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {Promise<void> | null} */
  #opening = null;
  /** @type {AudioWorkletNode | null} */
  #node = null;
  /** What its sound goes through, for whoever wants to listen in. @type {GainNode | null} */
  output = null;
  /** @type {Resampler | null} */
  #resampler = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #rest;
  #wanted = false;
  #take = 0;
  /** @type {{state: PlayState, position: number, gaps: number}} */
  #now = { state: "paused", position: 0, gaps: 0 };

  /**
   * @param {object} actions
   * @param {() => void} actions.onChange the state or the position is another; up to 30 times a second
   * @param {(error: VoxtabError) => void} actions.onError speaker-absent: nothing is heard, but all is kept
   */
  constructor({ onChange, onError }) {
    this.#onChange = onChange;
    this.#onError = onError;
  }

  /** @returns {PlayState} */
  get state() {
    return this.#now.state;
  }

  /** @returns {number} of what is heard, in seconds from the beginning */
  get position() {
    return this.#now.position;
  }

  /** @returns {number} how often the sound had to wait for its continuation since it was begun, or gone back in */
  get gaps() {
    return this.#now.gaps;
  }

  /** @returns {number} 0..1 */
  get volume() {
    return this.#volume;
  }

  /** @param {number} volume 0..1 */
  set volume(volume) {
    this.#volume = Math.max(0, Math.min(1, volume));
    const { output } = this;
    output?.gain.setTargetAtTime(this.#volume, output.context.currentTime, VOLUME_GLIDE);
  }

  /**
   * Begins a sound that is still empty, or plays a finished one from its start. To be called, the first time at least,
   * while the user clicks or presses a key: browsers let a page sound only then.
   * @param {SpeechSound} sound tell add() and complete() when there is more in it
   */
  play(sound) {
    this.#sound = sound;
    this.#wanted = true;
    this.#goTo(0);
    this.#wake();
  }

  /** There is another chunk at the end of the sound. @param {Float32Array} chunk */
  add(chunk) {
    this.#push(chunk);
  }

  /** The sound is complete. */
  complete() {
    if (this.#resampler) this.#send({ push: this.#resampler.flush() });
    this.#send("complete");
  }

  pause() {
    this.#wanted = false;
    this.#send("pause");
  }

  /** Goes on; from the start if it had ended. Again a click or a key. */
  resume() {
    this.#wanted = true;
    if (this.state === "ended") this.#goTo(0);
    this.#wake();
  }

  /** Falls silent and goes back to the start. */
  stop() {
    this.pause();
    this.#goTo(0);
  }

  /** @param {number} seconds from the beginning, of what was made already; goes on playing from there, after the end too */
  seek(seconds) {
    this.#goTo(Math.round(seconds * SPEECH_RATE));
    if (this.#wanted) this.#wake();
  }

  /** Gives the audio output back. The player can be used again. */
  async close() {
    const context = this.#context;
    this.#forget();
    await context?.close();
  }

  /** @param {number} sample of the sound, from which on it is to be heard */
  #goTo(sample) {
    const at = Math.max(0, Math.min(this.#sound.length, sample));
    this.#take++;
    const state = this.#wanted ? "waiting" : "paused";
    this.#now = { state, position: at / SPEECH_RATE, gaps: 0 };
    this.#reload(at);
    this.#onChange();
  }

  /** Sends all there is from a sample on. @param {number} at */
  #reload(at) {
    const context = this.#context;
    if (!context || !this.#node) return;
    const { sampleRate } = context;
    this.#resampler = sampleRate === SPEECH_RATE ? null : new Resampler(SPEECH_RATE, sampleRate);
    this.#send({ load: Math.round((at * sampleRate) / SPEECH_RATE), take: this.#take });
    for (const chunk of this.#sound.from(at)) this.#push(chunk);
    if (this.#sound.complete) this.complete();
  }

  /** @param {Float32Array} chunk */
  #push(chunk) {
    if (!this.#node) return; // all is sent once it is there
    this.#send({ push: this.#resampler ? this.#resampler.push(chunk) : chunk.slice() });
  }

  /** @param {Order} order */
  #send(order) {
    const transfer = typeof order === "object" && "push" in order ? [order.push.buffer] : [];
    this.#node?.port.postMessage(order, /** @type {ArrayBuffer[]} */ (transfer));
  }

  /** Lets the audio output run, opening it where it is not open. */
  #wake() {
    clearTimeout(this.#rest);
    this.#opening ??= this.#open();
    const context = this.#context;
    const waking = Promise.all([this.#opening, inTime(context?.resume())]);
    this.#send("play");
    waking.catch((cause) => {
      if (context !== this.#context) return; // told already
      this.#fail(cause);
    });
  }

  async #open() {
    const context = newContext();
    this.#context = context;
    context.addEventListener("error", () => this.#context === context && this.#fail(context));
    await inTime(
      Promise.all([
        context.resume(),
        context.audioWorklet.addModule(new URL("speech_player_worklet.js", import.meta.url)),
      ]),
    );
    if (this.#context !== context) return; // closed meanwhile
    const samples = (/** @type {number} */ seconds) => Math.round(seconds * context.sampleRate);
    const node = new AudioWorkletNode(context, "speech-player", {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: Object.fromEntries(Object.entries(LENGTHS).map(([name, s]) => [name, samples(s)])),
    });
    node.port.onmessage = ({ data }) => this.#hear(data, context);
    node.addEventListener("processorerror", (event) => this.#context === context && this.#fail(event));
    const output = new GainNode(context, { gain: this.#volume });
    node.connect(output).connect(context.destination);
    this.#node = node;
    this.output = output;
    this.#reload(Math.round(this.position * SPEECH_RATE));
    if (this.#wanted) this.#send("play");
  }

  /** @param {Report} report @param {AudioContext} context */
  #hear({ take, state, position, gaps, silent }, context) {
    if (context !== this.#context || take !== this.#take) return; // of before the last jump
    this.#now = { state, position: position / context.sampleRate, gaps };
    if (silent && (!this.#wanted || state === "ended")) {
      clearTimeout(this.#rest);
      this.#rest = setTimeout(() => context.suspend(), REST_MS); // a running context keeps a phone awake
    }
    this.#onChange();
  }

  /** @param {unknown} cause */
  #fail(cause) {
    const context = this.#context;
    this.#forget();
    context?.close().catch(() => {}); // it never was open, maybe
    this.#onError(
      new VoxtabError(
        "speaker-absent",
        "The browser found no way to play the sound here.",
        "Connect or choose a loudspeaker and press Play. The sound is kept: it can be downloaded as well.",
        cause,
      ),
    );
  }

  #forget() {
    clearTimeout(this.#rest);
    this.#context = null;
    this.#opening = null;
    this.#node = null;
    this.#resampler = null;
    this.output = null;
    this.#wanted = false;
    this.#now = { ...this.#now, state: this.state === "ended" ? "ended" : "paused" };
    this.#onChange();
  }
}

/** At the rate of the speech; browsers that refuse it give one of their own. */
function newContext() {
  try {
    return new AudioContext({ sampleRate: SPEECH_RATE, latencyHint: "playback" });
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "NotSupportedError")) throw error;
    return new AudioContext({ latencyHint: "playback" });
  }
}
