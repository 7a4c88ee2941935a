// The microphone's controls: which one, start, pause, stop; its level, and how long it has been heard; whether its sound
// is kept.

import { element, setText } from "./dom.js";
import { formatBytes, formatClock } from "./format.js";
import { listMicrophones } from "./open_microphone.js";

/** opening: until sound counts; ending: until the last words are written @typedef {"idle" | "opening" | "listening" | "paused" | "ending"} MicState */

/** The meter shows decibels: this is its left end. */
const FLOOR_DB = -60;
/** When the last words are longer in coming, they can be given up. */
const PATIENCE_MS = 2000;

export class MicPanel {
  #device = element("mic-device", HTMLSelectElement);
  #start = element("mic-start", HTMLButtonElement);
  #pause = element("mic-pause", HTMLButtonElement);
  #stop = element("mic-stop", HTMLButtonElement);
  #live = element("mic-live", HTMLDivElement);
  #level = element("mic-level", HTMLMeterElement);
  #elapsed = element("mic-elapsed", HTMLSpanElement);
  #keep = element("mic-keep", HTMLInputElement);
  #kept = element("mic-kept", HTMLSpanElement);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #patience;
  /** @type {MicState} */
  #state = "idle";

  /**
   * @param {object} actions
   * @param {() => void} actions.onStart
   * @param {() => void} actions.onPause
   * @param {() => void} actions.onResume
   * @param {() => void} actions.onStop
   * @param {() => void} actions.onCancel nothing more is waited for
   */
  constructor({ onStart, onPause, onResume, onStop, onCancel }) {
    this.#start.addEventListener("click", onStart);
    this.#pause.addEventListener("click", () => (this.#state === "paused" ? onResume() : onPause()));
    this.#stop.addEventListener("click", () => {
      const running = this.#state === "listening" || this.#state === "paused";
      return running ? onStop() : onCancel();
    });
    navigator.mediaDevices?.addEventListener("devicechange", () => this.listDevices());
    this.listDevices();
  }

  /** @param {boolean} busy something else runs, or this */
  setBusy(busy) {
    this.#start.disabled = busy;
    this.#device.disabled = busy;
    this.#keep.disabled = busy;
  }

  /** @param {MicState} state */
  setState(state) {
    const before = this.#state;
    this.#state = state;
    const running = state === "listening" || state === "paused";
    this.#start.hidden = state !== "idle";
    this.#stop.hidden = state === "idle";
    this.#stop.textContent = running ? "Stop" : "Cancel";
    this.#pause.hidden = !running;
    this.#pause.textContent = state === "paused" ? "Resume" : "Pause";
    this.#live.hidden = !running;
    this.#stop.disabled = state === "ending"; // or a double click would give up the last words
    clearTimeout(this.#patience);
    if (state === "ending") {
      this.#patience = setTimeout(() => {
        this.#stop.disabled = false;
      }, PATIENCE_MS);
    }
    if (before === "idle" && state === "opening") {
      this.setElapsed(0);
      setText(this.#kept, "");
      this.#stop.focus();
    }
    if (before !== "idle" && state === "idle" && document.activeElement === document.body)
      this.#start.focus();
  }

  /** @returns {string} empty for the default one */
  get deviceId() {
    return this.#device.value;
  }

  /** @returns {boolean} whether the sound is to be kept */
  get keep() {
    return this.#keep.checked;
  }

  /** @param {number} peak 0..1 */
  setLevel(peak) {
    const decibels = 20 * Math.log10(Math.max(peak, 1e-6));
    this.#level.value = Math.max(0, 1 - decibels / FLOOR_DB);
  }

  /** @param {number} seconds heard */
  setElapsed(seconds) {
    const clock = formatClock(seconds);
    if (this.#elapsed.textContent !== clock) this.#elapsed.textContent = clock;
  }

  /** @param {number} bytes of sound kept @param {boolean} full no more is kept */
  setKept(bytes, full) {
    setText(this.#kept, `${formatBytes(bytes)} kept${full ? "; the rest is not" : ""}`);
  }

  async listDevices() {
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
