// The engine's life on the page: started at page load and again after a failure, loaded with what the model card says,
// its GPU, memory and cache told.

import { element } from "./dom.js";
import { formatBytes } from "./format.js";
import { TASKS } from "./model_panel.js";
import { unlessAborted } from "./unless_aborted.js";
import { Voxtab } from "./voxtab.js";

/** @typedef {import("./errors.js").VoxtabError} VoxtabError */
/** @typedef {import("./voxtab.js").Loaded} Loaded */
/** @typedef {import("./voxtab.js").Task} Task */

const PHASES = { python: "Starting Python…", engine: "Starting the engine…", ready: "Opening the GPU…" };
/** @type {Record<Task, null>} */
const NOTHING = { "speech-to-text": null, "text-to-speech": null };

export class PageEngine {
  #chip = element("engine-state", HTMLParagraphElement);
  #adapter = element("adapter", HTMLElement);
  #memory = element("gpu-memory", HTMLElement);
  #version = element("version", HTMLElement);
  #model;
  #listed;
  #onChange;
  #onLost;
  /** @type {Promise<Voxtab> | null} */
  #engine = null;
  /** What was loaded last for each task, as it was chosen. @type {Map<Task, unknown>} */
  #chosen = new Map();
  /** @type {Record<Task, Loaded | null>} */
  #loaded = NOTHING;
  /** @type {Task} */
  #wanted = "speech-to-text";

  /**
   * @param {object} parts
   * @param {import("./model_panel.js").ModelPanel} parts.model
   * @param {Promise<void>} parts.listed the models are on the card
   * @param {() => void} parts.onChange models came or went
   * @param {(error: VoxtabError) => void} parts.onLost the GPU went away
   */
  constructor({ model, listed, onChange, onLost }) {
    this.#model = model;
    this.#listed = listed;
    this.#onChange = onChange;
    this.#onLost = onLost;
  }

  /** The engine, started where none runs. @param {AbortSignal} [signal] @throws {VoxtabError} */
  open(signal) {
    return signal ? unlessAborted(this.#open(), signal) : this.#open();
  }

  /** @returns {Promise<Voxtab>} */
  async #open() {
    if (this.#engine && (await this.#engine).alive) return this.#engine;
    this.#loaded = NOTHING;
    const starting = this.#start();
    this.#engine = starting;
    starting.catch(() => {
      this.#engine = null;
      this.#say("failed", "Not running");
    });
    return starting;
  }

  /** The model of a task where it is loaded and still the one that is chosen. @param {Task} task @returns {Loaded | null} */
  loaded(task) {
    const chosen = this.#model.chosen(task);
    return chosen && chosen === this.#chosen.get(task) ? this.#loaded[task] : null;
  }

  /** What is loaded, chosen still or not. */
  get models() {
    return TASKS.flatMap((task) => this.#loaded[task] ?? []);
  }

  /** The task that a model was last wanted for. */
  get wanted() {
    return this.#wanted;
  }

  /**
   * Loads what is chosen for a task, in place of what was loaded for it.
   * @param {Task} task @param {AbortSignal} signal
   * @throws {VoxtabError}
   */
  async load(task, signal) {
    this.#wanted = task;
    await unlessAborted(this.#listed, signal); // a click may come before it
    const chosen = this.#model.usable(task);
    this.#model.startLoading(task);
    /** @type {Voxtab | null} */
    let vox = null;
    try {
      vox = await this.open(signal);
      this.#model.setAsked(task);
      vox.setMemoryLimit(this.#model.memoryLimit);
      vox.setTuning(this.#model.tuning);
      const loaded = await vox.load(chosen, {
        signal,
        onProgress: (progress) => this.#model.setProgress(task, progress),
      });
      this.#chosen.set(loaded.task, chosen);
      this.#model.place(chosen, loaded.task);
      this.#showAdapter(vox);
    } finally {
      this.#model.endLoading();
      await this.#show(vox); // a load that failed may have taken the model before along
    }
  }

  /** @param {Task} task @throws {VoxtabError} */
  async unload(task) {
    const vox = await this.open();
    try {
      await vox.unload(task);
    } finally {
      await this.#show(vox);
    }
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

  /** How much of the GPU's memory is in use now. */
  async showMemory() {
    const vox = await this.#engine?.catch(() => null);
    const memory = await vox?.memory().catch(() => null);
    this.#memory.textContent = formatBytes(memory?.gpuBytes ?? 0);
  }

  async #start() {
    const vox = await Voxtab.create({ onBoot: ({ phase }) => this.#say("starting", PHASES[phase]) });
    vox.addEventListener("devicelost", (event) => {
      this.#loaded = NOTHING;
      this.#model.setLoaded(NOTHING, "The GPU was lost; the next action loads the model again.");
      this.#say("failed", "GPU lost");
      this.#onChange();
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

  /** What there is now. @param {Voxtab | null} vox null: it was not waited for, or did not start */
  async #show(vox) {
    if (vox) this.#loaded = vox.alive ? vox.loaded : NOTHING;
    this.#model.setLoaded(this.#loaded);
    this.#onChange();
    await this.showMemory();
    if (vox) await this.#showCache(vox);
  }

  /** @param {Voxtab} vox */
  #showAdapter({ adapter }) {
    const { name, software } = adapter;
    this.#adapter.textContent = software ? `${name} (software, slow)` : name;
    this.#model.setAdapter(adapter);
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
