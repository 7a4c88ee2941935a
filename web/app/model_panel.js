// The model card: which model, how its loading goes, what is kept in this browser.

import { element, setText } from "./dom.js";
import { asVoxtabError } from "./errors.js";
import { formatBytes, formatDuration } from "./format.js";

/** @typedef {import("./errors.js").VoxtabError} VoxtabError */
/** @typedef {import("./voxtab.js").Model} Model */
/** @typedef {import("./voxtab.js").Problem} Problem */
/** @typedef {import("./voxtab.js").Loaded} Loaded */
/** @typedef {import("./voxtab.js").Progress} Progress */

/** The id of the model that comes with voxtab, which only shows how things work. */
const DEMO = "demo-asr";
const LOCAL = "local files";
const PROBLEM = "problem ";
/** Said when a model was loaded but is not kept for the next visit. @type {Record<string, string>} */
const NOT_KEPT = {
  "quota-full": "Not kept in this browser: there is not enough room. The next visit downloads it again.",
  busy: "Not kept in this browser: another tab is busy storing the same model.",
  "no-identity": "Not kept in this browser: the server gives its files no identity.",
  unsupported: "Not kept in this browser: it offers no fast local storage.",
  failed: "Not kept in this browser: its storage failed.",
};

export class ModelPanel {
  #select = element("model-select", HTMLSelectElement);
  #load = element("model-load", HTMLButtonElement);
  #about = element("model-about", HTMLParagraphElement);
  #description = element("model-description", HTMLSpanElement);
  #demoNote = element("demo-note", HTMLSpanElement);
  #licence = element("model-licence", HTMLSpanElement);
  #loading = element("model-loading", HTMLDivElement);
  #bar = element("model-progress", HTMLProgressElement);
  #percent = element("model-percent", HTMLSpanElement);
  #bytes = element("model-bytes", HTMLSpanElement);
  #rate = element("model-rate", HTMLSpanElement);
  #eta = element("model-eta", HTMLSpanElement);
  #state = element("model-state", HTMLParagraphElement);
  #note = element("model-note", HTMLParagraphElement);
  #files = element("model-files", HTMLInputElement);
  #cacheSize = element("cache-size", HTMLSpanElement);
  #cacheClear = element("cache-clear", HTMLButtonElement);
  /** @type {Model[]} */
  #models = [];
  /** @type {Problem[]} */
  #problems = [];
  /** @type {File[] | null} */
  #local = null;
  #busy = false;

  /** @param {{onLoad: () => void, onCancel: () => void, onClearCache: () => void}} actions */
  constructor({ onLoad, onCancel, onClearCache }) {
    this.#load.addEventListener("click", onLoad);
    this.#select.addEventListener("change", () => this.#describe());
    element("model-cancel", HTMLButtonElement).addEventListener("click", onCancel);
    this.#cacheClear.addEventListener("click", onClearCache);
    this.#files.addEventListener("change", () => {
      const files = [...(this.#files.files ?? [])];
      this.#files.value = ""; // so that the same files can be picked again
      if (files.length === 0) return;
      this.chooseFiles(files);
      onLoad();
    });
  }

  /** @param {Model[]} models in the server's order @param {Problem[]} problems listed too, so that they can be asked about */
  setModels(models, problems) {
    this.#models = models;
    this.#problems = problems;
    const first = models.find((model) => model.default) ?? models[0];
    this.#fill(first?.id ?? (problems.length > 0 ? `${PROBLEM}0` : ""));
  }

  /** Makes the user's own files the chosen model. @param {File[]} files */
  chooseFiles(files) {
    this.#local = files;
    this.#fill(LOCAL);
  }

  /**
   * What is chosen; the same object until the choice changes.
   * @returns {Model | File[] | null}
   * @throws {VoxtabError} when it is one of the server's problems
   */
  get chosen() {
    if (this.#select.value.startsWith(PROBLEM)) {
      throw asVoxtabError(this.#problems[Number(this.#select.value.slice(PROBLEM.length))]);
    }
    if (this.#select.value === LOCAL) return this.#local;
    return this.#models.find(({ id }) => id === this.#select.value) ?? null;
  }

  /** @param {boolean} busy */
  setBusy(busy) {
    this.#busy = busy;
    this.#select.disabled = busy || this.#select.value === "";
    this.#load.disabled = busy || this.#select.value === "";
    this.#files.disabled = busy;
    this.#cacheClear.disabled = busy;
  }

  startLoading() {
    this.#loading.hidden = false;
    this.#bar.removeAttribute("value");
    for (const figure of [this.#percent, this.#bytes, this.#rate, this.#eta]) figure.textContent = "";
    this.#tell("loading", "Waiting for the engine…");
    setText(this.#note, "");
  }

  /** The engine is there; the model's first bytes are not. */
  setAsked() {
    this.#tell("loading", "Asking for the model…");
  }

  /** @param {Progress} progress */
  setProgress({ phase, loadedBytes, totalBytes, bytesPerSecond, etaSeconds }) {
    this.#bar.value = loadedBytes / totalBytes;
    this.#percent.textContent = `${Math.floor((100 * loadedBytes) / totalBytes)}%`;
    this.#bytes.textContent = `${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}`;
    this.#rate.textContent = bytesPerSecond === null ? "" : `${formatBytes(bytesPerSecond)}/s`;
    this.#eta.textContent = etaSeconds === null ? "" : `${formatDuration(etaSeconds)} left`;
    const from = { download: "Downloading", cache: "Reading from this browser", file: "Reading the file" }[
      phase
    ];
    this.#tell("loading", loadedBytes < totalBytes ? `${from}…` : "Preparing the GPU…");
  }

  /** @param {Loaded} loaded */
  setLoaded({ source }) {
    const { verified, cache, name, bytes } = source;
    this.#loading.hidden = true;
    this.#tell("loaded", `Loaded: ${name}, ${formatBytes(bytes)}${verified ? ", every byte verified" : ""}.`);
    const unverified = verified
      ? ""
      : "There is no manifest, so damage in these files could not be noticed. ";
    setText(this.#note, unverified + (NOT_KEPT[cache.reason] ?? ""));
  }

  /** @param {string} why */
  setUnloaded(why) {
    this.#loading.hidden = true;
    this.#tell("none", why);
    setText(this.#note, "");
  }

  /** @param {{bytes: number}[]} models */
  setCached(models) {
    const bytes = models.reduce((sum, model) => sum + model.bytes, 0);
    this.#cacheSize.textContent = models.length === 0 ? "no model" : formatBytes(bytes);
    this.#cacheClear.disabled = this.#busy || models.length === 0;
  }

  /** @param {string} state @param {string} text */
  #tell(state, text) {
    this.#state.dataset.state = state;
    if (this.#state.textContent !== text) this.#state.textContent = text; // unchanged text is not announced again
  }

  /** @param {string} chosen id to select */
  #fill(chosen) {
    const options = this.#models.map((model) => {
      const size = model.bytes ? ` (${formatBytes(model.bytes)})` : "";
      return new Option(`${model.name}${size}`, model.id);
    });
    this.#problems.forEach(({ where }, i) => {
      options.push(new Option(`${where} (not usable)`, PROBLEM + i));
    });
    if (this.#local) {
      const size = formatBytes(this.#local.reduce((sum, file) => sum + file.size, 0));
      const name = this.#local.length === 1 ? this.#local[0].name : `${this.#local.length} files`;
      options.push(new Option(`Your own: ${name} (${size})`, LOCAL));
    }
    if (options.length === 0) options.push(new Option("No model", ""));
    this.#select.replaceChildren(...options);
    this.#select.value = chosen;
    this.setBusy(this.#busy);
    this.#describe();
  }

  #describe() {
    const chosen = this.#models.find(({ id }) => id === this.#select.value);
    setText(this.#description, chosen?.description ?? "");
    setText(this.#licence, chosen?.licence ? `Licence: ${chosen.licence}.` : "");
    this.#demoNote.hidden = chosen?.id !== DEMO;
    this.#about.hidden = [this.#description, this.#demoNote, this.#licence].every(({ hidden }) => hidden);
    this.#load.disabled = this.#busy || this.#select.value === "";
  }
}
