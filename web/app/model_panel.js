// The model card: a model for each task, how loading goes, the user's own files, what is kept in this browser, and how
// much of the GPU's memory may be used.

import { element } from "./dom.js";
import { formatBytes } from "./format.js";
import { LoadingProgress } from "./loading_progress.js";
import { MemoryLimit } from "./memory_limit.js";
import { ModelSlot } from "./model_slot.js";

/** @typedef {import("./voxtab.js").Model} Model */
/** @typedef {import("./voxtab.js").Problem} Problem */
/** @typedef {import("./voxtab.js").Loaded} Loaded */
/** @typedef {import("./voxtab.js").Task} Task */

/** @type {Task[]} */
export const TASKS = ["speech-to-text", "text-to-speech"];
/** The id of the model that comes with voxtab, which only shows how things work. */
const DEMO = "demo-asr";

export class ModelPanel {
  #demoNote = element("demo-note", HTMLParagraphElement);
  #files = element("model-files", HTMLInputElement);
  #cacheSize = element("cache-size", HTMLSpanElement);
  #cacheClear = element("cache-clear", HTMLButtonElement);
  #limit = new MemoryLimit();
  #tuning = element("tuning", HTMLInputElement);
  #progress;
  #slots;
  #busy = false;
  #cached = 0;

  /**
   * @param {object} actions
   * @param {(task: Task) => void} actions.onLoad
   * @param {(task: Task) => void} actions.onUnload
   * @param {() => void} actions.onChoose other models are offered, or one of them is chosen
   * @param {() => void} actions.onCancel
   * @param {() => void} actions.onClearCache
   */
  constructor({ onLoad, onUnload, onChoose, onCancel, onClearCache }) {
    const slot = (/** @type {string} */ prefix, /** @type {Task} */ task) =>
      new ModelSlot(prefix, {
        onLoad: () => onLoad(task),
        onUnload: () => onUnload(task),
        onChoose: () => {
          this.#describe();
          onChoose();
        },
      });
    this.#progress = new LoadingProgress({ onCancel });
    this.#cacheClear.addEventListener("click", onClearCache);
    this.#files.addEventListener("change", () => {
      const files = [...(this.#files.files ?? [])];
      this.#files.value = ""; // so that the same files can be picked again
      if (files.length > 0) onLoad(this.chooseFiles(files));
    });
    this.#slots = {
      "speech-to-text": slot("", "speech-to-text"),
      "text-to-speech": slot("speech-", "text-to-speech"),
    };
  }

  /** @param {Model[]} models in the server's order @param {Problem[]} problems listed too, so that they can be asked about */
  setModels(models, problems) {
    const choices = models.map((model) => {
      const size = model.bytes ? ` (${formatBytes(model.bytes)})` : "";
      return { id: model.id ?? model.name, label: `${model.name}${size}`, model };
    });
    const speaks = (/** @type {{model: Model}} */ { model }) => model.task === "text-to-speech";
    this.#slots["text-to-speech"].setChoices(choices.filter(speaks));
    this.#slots["speech-to-text"].setChoices([
      ...choices.filter((choice) => !speaks(choice)), // which task a bare GGUF is for, loading it tells
      ...problems.map((problem, i) => {
        return { id: `problem ${i}`, label: `${problem.where} (not usable)`, model: null, problem };
      }),
    ]);
  }

  /** Makes the user's own files the chosen model. @param {File[]} files @returns {Task} whose model they are taken for */
  chooseFiles(files) {
    const size = formatBytes(files.reduce((sum, file) => sum + file.size, 0));
    const name = files.length === 1 ? files[0].name : `${files.length} files`;
    this.#slots["speech-to-text"].add({
      id: "local files",
      label: `Your own: ${name} (${size})`,
      model: files,
    });
    return "speech-to-text";
  }

  /** A model's task is known now. @param {Model | File[]} model @param {Task} task */
  place(model, task) {
    for (const other of TASKS) {
      const choice = this.#slots[other].choiceOf(model);
      if (other === task || !choice) continue;
      this.#slots[task].add(choice);
      this.#slots[other].remove(choice);
    }
  }

  /** @param {Task} task @returns {boolean} whether there is a model for it */
  offers(task) {
    return !this.#slots[task].empty;
  }

  /** What is chosen for a task; the same object until the choice changes. @param {Task} task */
  chosen(task) {
    return this.#slots[task].model;
  }

  /** @param {Task} task @throws {VoxtabError} model-missing, or what the problem is with the one chosen */
  usable(task) {
    return this.#slots[task].usable;
  }

  /** @returns {number | null} bytes of GPU memory that may be used in all; null: no limit but the GPU's */
  get memoryLimit() {
    return this.#limit.bytes;
  }

  /** @returns {boolean | null} for Voxtab.setTuning() */
  get tuning() {
    return this.#tuning.checked ? null : false;
  }

  /** @param {import("./voxtab.js").Adapter} adapter */
  setAdapter({ memoryBytes }) {
    this.#limit.setGpu(memoryBytes);
  }

  /** @param {boolean} busy */
  setBusy(busy) {
    this.#busy = busy;
    for (const task of TASKS) this.#slots[task].setBusy(busy);
    this.#files.disabled = busy;
    this.#cacheClear.disabled = busy || this.#cached === 0;
  }

  /** @param {Task} task */
  startLoading(task) {
    this.#progress.start();
    this.#slots[task].setLoading("Waiting for the engine…");
  }

  /** The engine is there; the model's first bytes are not. @param {Task} task */
  setAsked(task) {
    this.#slots[task].setLoading("Asking for the model…");
  }

  /** @param {Task} task @param {import("./voxtab.js").Progress} progress */
  setProgress(task, progress) {
    this.#slots[task].setLoading(this.#progress.show(progress));
  }

  endLoading() {
    this.#progress.end();
  }

  /** @param {Record<Task, Loaded | null>} loaded @param {string} [why] there is none */
  setLoaded(loaded, why = "No model is loaded.") {
    for (const task of TASKS) {
      const model = loaded[task];
      if (model) this.#slots[task].setLoaded(model);
      else this.#slots[task].setUnloaded(why);
    }
  }

  /** @param {{bytes: number}[]} models */
  setCached(models) {
    const bytes = models.reduce((sum, model) => sum + model.bytes, 0);
    this.#cached = models.length;
    this.#cacheSize.textContent = models.length === 0 ? "no model" : formatBytes(bytes);
    this.#cacheClear.disabled = this.#busy || models.length === 0;
  }

  #describe() {
    const chosen = this.chosen("speech-to-text");
    this.#demoNote.hidden = !chosen || !("id" in chosen) || chosen.id !== DEMO;
    this.#slots["text-to-speech"].setShown(this.offers("text-to-speech"));
  }
}
