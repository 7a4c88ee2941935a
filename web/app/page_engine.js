// The engine's life on the page: started at page load and again after a failure, loaded with what the model card says,
// its GPU, memory and cache told.

import { element } from "./dom.js";
import { VoxtabError } from "./errors.js";
import { formatBytes } from "./format.js";
import { unlessAborted } from "./unless_aborted.js";
import { Voxtab } from "./voxtab.js";

const PHASES = { python: "Starting Python…", engine: "Starting the engine…", ready: "Opening the GPU…" };

export class PageEngine {
  #chip = element("engine-state", HTMLParagraphElement);
  #adapter = element("adapter", HTMLElement);
  #memory = element("gpu-memory", HTMLElement);
  #version = element("version", HTMLElement);
  #model;
  #onLost;
  /** @type {Promise<Voxtab> | null} */
  #engine = null;
  /** What is on the GPU now, as it was chosen. @type {unknown} */
  #loaded = null;

  #listed;

  /**
   * @param {object} parts
   * @param {import("./model_panel.js").ModelPanel} parts.model
   * @param {Promise<void>} parts.listed the models are on the card
   * @param {(error: VoxtabError) => void} parts.onLost the GPU went away
   */
  constructor({ model, listed, onLost }) {
    this.#model = model;
    this.#listed = listed;
    this.#onLost = onLost;
  }

  /** The engine, started where none runs. @param {AbortSignal} [signal] @throws {VoxtabError} */
  open(signal) {
    return signal ? unlessAborted(this.#open(), signal) : this.#open();
  }

  /** @returns {Promise<Voxtab>} */
  async #open() {
    if (this.#engine && (await this.#engine).alive) return this.#engine;
    this.#loaded = null;
    const starting = this.#start();
    this.#engine = starting;
    starting.catch(() => {
      this.#engine = null;
      this.#say("failed", "Not running");
    });
    return starting;
  }

  /** Loads what is chosen. @param {AbortSignal} signal @throws {VoxtabError} */
  async load(signal) {
    await unlessAborted(this.#listed, signal); // a click may come before it
    const chosen = this.#model.chosen;
    if (!chosen)
      throw new VoxtabError("model-missing", "No model is chosen.", "Choose one, or open model files.");
    this.#loaded = null;
    this.#model.startLoading();
    /** @type {Voxtab | null} */
    let vox = null;
    try {
      vox = await this.open(signal);
      this.#model.setAsked();
      const result = await vox.load(chosen, {
        signal,
        onProgress: (progress) => this.#model.setProgress(progress),
      });
      this.#loaded = chosen;
      this.#model.setLoaded(result);
      this.#showAdapter(vox);
      this.showMemory(result.gpu_bytes);
    } catch (thrown) {
      this.#model.setUnloaded("No model is loaded.");
      this.showMemory(0);
      throw thrown;
    } finally {
      if (vox) await this.#showCache(vox); // a load that failed may have left or deleted something too
    }
  }

  /** Whether what is chosen is loaded. */
  get ready() {
    return this.#loaded !== null && this.#loaded === this.#model.chosen;
  }

  /** Deletes the models kept in this browser. @throws {VoxtabError} */
  async clearCache() {
    const vox = await this.open();
    try {
      await vox.clearCache();
    } finally {
      await this.#showCache(vox);
    }
  }

  /** @param {number} bytes on the GPU, in all */
  showMemory(bytes) {
    this.#memory.textContent = formatBytes(bytes);
  }

  async #start() {
    const vox = await Voxtab.create({ onBoot: ({ phase }) => this.#say("starting", PHASES[phase]) });
    vox.addEventListener("devicelost", (event) => {
      this.#loaded = null;
      this.#model.setUnloaded("The GPU was lost; the next action loads the model again.");
      this.#say("failed", "GPU lost");
      this.#onLost(/** @type {CustomEvent<VoxtabError>} */ (event).detail);
    });
    try {
      this.#showAdapter(vox);
      this.#version.textContent = vox.version;
      await this.#showCache(vox);
    } catch (error) {
      vox.close(); // the next try starts a worker of its own
      throw error;
    }
    return vox;
  }

  /** @param {Voxtab} vox */
  #showAdapter({ adapter: { name, software } }) {
    this.#adapter.textContent = software ? `${name} (software, slow)` : name;
    this.#say("ready", "Ready");
  }

  /** Never fails: what is kept is only told. @param {Voxtab} vox */
  async #showCache(vox) {
    this.#model.setCached(await vox.cached().catch(() => []));
  }

  /** @param {string} state @param {string} text */
  #say(state, text) {
    this.#chip.dataset.state = state;
    this.#chip.textContent = text;
  }
}
