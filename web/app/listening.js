// From the microphone to captions, while somebody speaks: the page's one action of that kind, and its card.

import { element } from "./dom.js";
import { throwIfCancelled } from "./errors.js";
import { formatNumber } from "./format.js";
import { ListeningSession } from "./listening_session.js";
import { MicPanel } from "./mic_panel.js";
import { Microphone } from "./microphone.js";
import { unlessAborted } from "./unless_aborted.js";

/** @typedef {import("./errors.js").VoxtabError} VoxtabError */
/** @typedef {import("./mic_panel.js").MicState} MicState */

const TASK = "speech-to-text";
const LISTENING = "Listening…";
/** So many seconds of sound may wait before the page speaks of it, and again when it has caught up. */
const BEHIND = 5;
const CAUGHT_UP = 1;

export class Listening {
  #engine;
  #actions;
  #transcript;
  #delay;
  #onBegin;
  #onKept;
  #onError;
  #normalise = element("normalise", HTMLInputElement);
  #panel = new MicPanel({
    onStart: () => this.#actions.run((signal) => this.#listen(signal)),
    onPause: () => this.#pause(),
    onResume: () => this.#resume(),
    onStop: () => this.#stop(),
    onCancel: () => this.#actions.cancel(),
  });
  /** @type {Microphone | null} */
  #microphone = null;
  /** @type {ListeningSession | null} */
  #session = null;
  /** Why the microphone gives no more. @type {VoxtabError | null} */
  #lost = null;
  /** @type {MicState} */
  #state = "idle";
  #behind = false;

  /**
   * @param {object} parts
   * @param {import("./page_engine.js").PageEngine} parts.engine
   * @param {import("./one_at_a_time.js").OneAtATime} parts.actions
   * @param {import("./transcript.js").TranscriptView} parts.transcript
   * @param {import("./delay_slider.js").DelaySlider} parts.delay
   * @param {() => void} parts.onBegin captions begin; what was shown before goes
   * @param {(recording: {name: string, file: Blob}) => void} parts.onKept they have ended, and their sound was kept
   * @param {(error: VoxtabError) => void} parts.onError something ended listening early; what was heard is being written
   */
  constructor({ engine, actions, transcript, delay, onBegin, onKept, onError }) {
    this.#engine = engine;
    this.#actions = actions;
    this.#transcript = transcript;
    this.#delay = delay;
    this.#onBegin = onBegin;
    this.#onKept = onKept;
    this.#onError = onError;
  }

  /** @param {boolean} busy */
  setBusy(busy) {
    this.#panel.setBusy(busy);
  }

  /** Another delay is set. @param {number} ms */
  setDelay(ms) {
    this.#session?.setDelay(ms);
  }

  /** @param {AbortSignal} signal */
  async #listen(signal) {
    const name = `captions ${new Date().toLocaleString("sv").replaceAll(":", "-")}`;
    this.#lost = null;
    this.#say("opening", "Waiting for the microphone…");
    try {
      this.#microphone = await this.#openMicrophone(signal);
      this.#panel.listDevices(); // now with names
      const vox = await this.#loadedEngine(signal);
      await this.#caption(name, vox, signal);
    } catch (thrown) {
      const why = signal.aborted && !this.#lost ? "Cancelled." : "It did not work.";
      if (!this.#session) this.#transcript.setStatus(why);
      throw this.#lost ?? thrown;
    } finally {
      this.#session = null;
      await this.#microphone?.close();
      this.#microphone = null;
      this.#state = "idle";
      this.#panel.setState("idle");
    }
  }

  /** @param {AbortSignal} signal */
  async #openMicrophone(signal) {
    const opening = Microphone.open({
      deviceId: this.#panel.deviceId,
      onBlock: (block) => this.#feed((session) => session.feed(block, this.#normalise.checked)),
      onLevel: (peak) => this.#panel.setLevel(peak),
      onLost: (error) => this.#endEarly(error),
    });
    try {
      return await unlessAborted(opening, signal);
    } catch (thrown) {
      opening.then(
        (late) => late.close(), // allowed too late: nobody waits for it
        () => {},
      );
      throw thrown;
    }
  }

  /** @param {AbortSignal} signal */
  async #loadedEngine(signal) {
    const vox = await this.#engine.open(signal);
    if (!this.#engine.loaded(TASK)) {
      this.#transcript.setStatus("Loading the model first…");
      await this.#engine.load(TASK, signal);
    }
    return vox;
  }

  /** @param {string} name @param {import("./voxtab.js").Voxtab} vox @param {AbortSignal} signal */
  async #caption(name, vox, signal) {
    const transcript = this.#transcript;
    const session = new ListeningSession({ keep: this.#panel.keep });
    this.#session = session;
    this.#onBegin();
    transcript.startLive(name);
    addEventListener("beforeunload", askBeforeLeaving);
    try {
      this.#resume();
      const live = await vox.listen({ delayMs: this.#delay.ms, signal });
      session.open(live);
      for await (const { text, words, heardSeconds } of session.heard()) {
        transcript.add(text, words, heardSeconds);
        this.#showFigures(session);
      }
      throwIfCancelled(signal);
      await live.result;
      this.#showFigures(session);
      transcript.finishLive();
      await this.#engine.showMemory();
    } catch (thrown) {
      transcript.stop(signal.aborted ? "Cancelled." : "It did not work.");
      throw thrown;
    } finally {
      removeEventListener("beforeunload", askBeforeLeaving);
      if (session.kept?.bytes) this.#onKept({ name, file: session.kept.file() });
    }
  }

  async #pause() {
    this.#say("paused", "Paused.");
    await this.#microphone?.pause();
    this.#feed((session) => session.pause(this.#delay.ms));
  }

  #resume() {
    this.#say("listening", LISTENING);
    this.#microphone?.run();
  }

  /** The last blocks, then the last words. */
  async #stop() {
    this.#say("ending", "Writing the last words…");
    await this.#microphone?.close();
    this.#session?.close();
  }

  /** @param {VoxtabError} error */
  #endEarly(error) {
    if (this.#lost) return;
    this.#lost = error;
    this.#onError(error);
    if (this.#session) this.#stop();
    else this.#actions.cancel();
  }

  /** @param {(session: ListeningSession) => void} give hands it sound */
  #feed(give) {
    const session = this.#session;
    if (!session) return;
    try {
      give(session);
    } catch (thrown) {
      this.#endEarly(/** @type {VoxtabError} */ (thrown));
    }
    this.#panel.setElapsed(session.fedSeconds);
    if (session.kept) this.#panel.setKept(session.kept.bytes, session.kept.full);
    this.#showFigures(session);
  }

  /** @param {ListeningSession} session */
  #showFigures(session) {
    const { words, p50, p95 } = session.latency;
    const { backlogSeconds: backlog, rtf } = session;
    this.#transcript.showFigures({
      "stat-audio": `${formatNumber(session.fedSeconds)} s`,
      "stat-backlog": `${backlog.toFixed(1)} s`,
      ...(rtf === 0 ? {} : { "stat-rtf": formatNumber(rtf) }),
      ...(words === 0 ? {} : { "stat-p50": `${p50.toFixed(2)} s`, "stat-p95": `${p95.toFixed(2)} s` }),
    });
    const behind = backlog > (this.#behind ? CAUGHT_UP : BEHIND);
    if (this.#state !== "listening" || behind === this.#behind) return;
    this.#say(
      "listening",
      behind ? "The GPU is behind: what is said waits, and is written later." : LISTENING,
    );
    this.#behind = behind;
  }

  /** @param {MicState} state @param {string} status */
  #say(state, status) {
    if (state !== this.#state) this.#panel.setState(state);
    this.#state = state;
    this.#behind = false;
    this.#transcript.setStatus(status);
  }
}

/** @param {BeforeUnloadEvent} event */
function askBeforeLeaving(event) {
  event.preventDefault();
}
