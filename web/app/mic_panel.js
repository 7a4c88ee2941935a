// The microphone's controls: which one, record, level and time, stop.

import { element } from "./dom.js";
import { asVoxtabError, cancelled } from "./errors.js";
import { formatClock } from "./format.js";
import { listMicrophones, Recorder } from "./recorder.js";

/** The meter shows decibels: this is its left end. */
const FLOOR_DB = -60;

export class MicPanel {
  #device = element("mic-device", HTMLSelectElement);
  #record = element("mic-record", HTMLButtonElement);
  #stop = element("mic-stop", HTMLButtonElement);
  #live = element("mic-live", HTMLDivElement);
  #level = element("mic-level", HTMLMeterElement);
  #elapsed = element("mic-elapsed", HTMLSpanElement);
  #actions;
  /** @type {Recorder | null} */
  #recorder = null;
  /** Stands for the recording that is wanted, from the click on. @type {object | null} */
  #wanted = null;

  /**
   * @param {object} actions
   * @param {() => boolean} actions.onStart asked before the microphone opens; false keeps it closed
   * @param {() => void} actions.onOpened the microphone is open, the recording runs
   * @param {(pcm: Float32Array) => void} actions.onRecorded 16 kHz mono
   * @param {(error: import("./errors.js").VoxtabError) => void} actions.onError
   */
  constructor(actions) {
    this.#actions = actions;
    this.#record.addEventListener("click", () => this.#start());
    this.#stop.addEventListener("click", () => (this.#recorder ? this.#finish() : this.#giveUp(cancelled())));
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#listDevices());
    this.#listDevices();
  }

  /** @param {boolean} busy */
  setBusy(busy) {
    this.#record.disabled = busy;
    this.#device.disabled = busy;
  }

  async #start() {
    if (!this.#actions.onStart()) return;
    const wanted = {};
    this.#wanted = wanted;
    this.#toggle(true); // permission may be long in coming: until then the button gives up
    this.#stop.textContent = "Cancel";
    this.#stop.focus();
    let recorder = null;
    try {
      recorder = await Recorder.start({
        deviceId: this.#device.value,
        onBlock: (peak, seconds) => this.#wanted === wanted && this.#show(peak, seconds),
        onEnded: () => this.#wanted === wanted && this.#finish(),
      });
    } catch (thrown) {
      if (this.#wanted === wanted) this.#giveUp(asVoxtabError(thrown));
      return;
    }
    if (this.#wanted !== wanted) {
      recorder.stop().catch(() => {}); // allowed too late; nobody waits for its sound
      return;
    }
    this.#recorder = recorder;
    this.#show(0, 0);
    this.#stop.textContent = "Stop and transcribe";
    this.#live.hidden = false;
    this.#actions.onOpened();
    this.#listDevices(); // now with names
  }

  /** Ends what was not yet a recording. @param {import("./errors.js").VoxtabError} why */
  #giveUp(why) {
    this.#wanted = null;
    this.#actions.onError(why);
    this.#toggle(false);
    this.#record.focus();
  }

  async #finish() {
    const recorder = this.#recorder;
    if (!recorder) return;
    this.#recorder = null;
    this.#wanted = null;
    try {
      const pcm = await recorder.stop();
      this.#actions.onRecorded(pcm);
    } catch (thrown) {
      this.#actions.onError(asVoxtabError(thrown));
    }
    this.#toggle(false);
    this.#record.focus();
  }

  /** @param {boolean} recording */
  #toggle(recording) {
    this.#record.hidden = recording;
    this.#stop.hidden = !recording;
    this.#live.hidden = true; // until the microphone is open
  }

  /** @param {number} peak @param {number} seconds */
  #show(peak, seconds) {
    const decibels = 20 * Math.log10(Math.max(peak, 1e-6));
    this.#level.value = Math.max(0, 1 - decibels / FLOOR_DB);
    this.#elapsed.textContent = formatClock(seconds);
  }

  async #listDevices() {
    const chosen = this.#device.value;
    const devices = (await listMicrophones().catch(() => [])).filter(
      ({ deviceId }) => deviceId !== "default",
    );
    const options = devices.map(
      ({ deviceId, label }, i) => new Option(label || `Microphone ${i + 1}`, deviceId),
    );
    this.#device.replaceChildren(new Option("Default microphone", ""), ...options);
    this.#device.value = devices.some(({ deviceId }) => deviceId === chosen) ? chosen : "";
  }
}
