// One task's part of the model card: which model is chosen for it, and which is loaded.

import { element, setText } from "./dom.js";
import { asVoxtabError, VoxtabError } from "./errors.js";
import { formatBytes } from "./format.js";

/** @typedef {import("./voxtab.js").Model} Model */
/** @typedef {import("./voxtab.js").Loaded} Loaded */
/** @typedef {import("./voxtab.js").Problem} Problem */

/**
 * @typedef {object} Choice
 * @property {string} id
 * @property {string} label
 * @property {Model | File[] | null} model null: there is a problem with it
 * @property {Problem} [problem]
 */

/** Said when a model was loaded but is not kept for the next visit. @type {Record<string, string>} */
const NOT_KEPT = {
  "quota-full": "Not kept in this browser: there is not enough room. The next visit downloads it again.",
  busy: "Not kept in this browser: another tab is busy storing the same model.",
  "no-identity": "Not kept in this browser: the server gives its files no identity.",
  unsupported: "Not kept in this browser: it offers no fast local storage.",
  failed: "Not kept in this browser: its storage failed.",
};

export class ModelSlot {
  #box;
  #select;
  #load;
  #unload;
  #about;
  #description;
  #licence;
  #state;
  #note;
  #onChoose;
  /** @type {Choice[]} */
  #choices = [];
  /** Chosen before the user's own files were. */
  #before = "";
  #busy = false;
  #loaded = false;

  /**
   * @param {string} prefix of its test ids
   * @param {{onLoad: () => void, onUnload: () => void, onChoose: () => void}} actions
   */
  constructor(prefix, { onLoad, onUnload, onChoose }) {
    this.#box = element(`${prefix}model`, HTMLDivElement);
    this.#select = element(`${prefix}model-select`, HTMLSelectElement);
    this.#load = element(`${prefix}model-load`, HTMLButtonElement);
    this.#unload = element(`${prefix}model-unload`, HTMLButtonElement);
    this.#about = element(`${prefix}model-about`, HTMLParagraphElement);
    this.#description = element(`${prefix}model-description`, HTMLSpanElement);
    this.#licence = element(`${prefix}model-licence`, HTMLSpanElement);
    this.#state = element(`${prefix}model-state`, HTMLParagraphElement);
    this.#note = element(`${prefix}model-note`, HTMLParagraphElement);
    this.#onChoose = onChoose;
    this.#load.addEventListener("click", onLoad);
    this.#unload.addEventListener("click", onUnload);
    this.#select.addEventListener("change", () => this.#describe());
  }

  /** @param {boolean} shown */
  setShown(shown) {
    this.#box.hidden = !shown;
  }

  /** @param {Choice[]} choices the first is chosen, or the default one */
  setChoices(choices) {
    this.#choices = choices;
    const standard = choices.find(({ model }) => model && "default" in model && model.default);
    this.#fill((standard ?? choices[0])?.id ?? "");
  }

  /** Adds one, in place of one of the same id, and chooses it. @param {Choice} choice */
  add(choice) {
    if (this.#select.value !== choice.id) this.#before = this.#select.value;
    this.#choices = [...this.#choices.filter(({ id }) => id !== choice.id), choice];
    this.#fill(choice.id);
  }

  /** Takes one away; if it was chosen, what was chosen before it is again. @param {Choice} choice */
  remove({ id: gone }) {
    const { value } = this.#select;
    this.#choices = this.#choices.filter(({ id }) => id !== gone);
    const left = value === gone ? this.#before : value;
    this.#fill((this.#choices.find(({ id }) => id === left) ?? this.#choices[0])?.id ?? "");
  }

  /** @param {Model | File[]} model @returns {Choice | undefined} */
  choiceOf(model) {
    return this.#choices.find((choice) => choice.model === model);
  }

  /** @returns {boolean} */
  get empty() {
    return this.#choices.length === 0;
  }

  /** What is chosen, the same object until the choice changes; null where that is nothing usable. */
  get model() {
    return this.#chosen?.model ?? null;
  }

  /** @returns {Model | File[]} @throws {VoxtabError} model-missing, or what the problem is with the one chosen */
  get usable() {
    const { model, problem } = this.#chosen ?? {};
    if (problem) throw asVoxtabError(problem);
    if (!model) {
      throw new VoxtabError("model-missing", "No model is chosen.", "Choose one, or open model files.");
    }
    return model;
  }

  /** @param {boolean} busy */
  setBusy(busy) {
    this.#busy = busy;
    this.#select.disabled = busy || this.#select.value === "";
    this.#load.disabled = this.#select.disabled;
    this.#unload.disabled = busy || !this.#loaded;
  }

  /** How far loading has come. @param {string} text */
  setLoading(text) {
    this.#tell("loading", text);
    setText(this.#note, "");
  }

  /** @param {Loaded} loaded */
  setLoaded({ source: { verified, cache, name, bytes } }) {
    this.#setLoaded(true);
    this.#tell("loaded", `Loaded: ${name}, ${formatBytes(bytes)}${verified ? ", every byte verified" : ""}.`);
    const unverified = verified
      ? ""
      : "There is no manifest, so damage in these files could not be noticed. ";
    setText(this.#note, unverified + (NOT_KEPT[cache.reason] ?? ""));
  }

  /** @param {string} why */
  setUnloaded(why) {
    this.#setLoaded(false);
    this.#tell("none", why);
    setText(this.#note, "");
  }

  get #chosen() {
    return this.#choices.find(({ id }) => id === this.#select.value);
  }

  /** @param {boolean} loaded */
  #setLoaded(loaded) {
    if (!loaded && document.activeElement === this.#unload) this.#select.focus(); // it is about to vanish
    this.#loaded = loaded;
    this.#unload.hidden = !loaded;
    this.setBusy(this.#busy);
  }

  /** @param {string} state @param {string} text */
  #tell(state, text) {
    this.#state.dataset.state = state;
    if (this.#state.textContent !== text) this.#state.textContent = text; // unchanged text is not announced again
  }

  /** @param {string} chosen id to select */
  #fill(chosen) {
    const options = this.#choices.map(({ id, label }) => new Option(label, id));
    if (options.length === 0) options.push(new Option("No model", ""));
    this.#select.replaceChildren(...options);
    this.#select.value = chosen;
    this.setBusy(this.#busy);
    this.#describe();
  }

  #describe() {
    const model = /** @type {Partial<Model>} */ (this.model ?? {});
    setText(this.#description, model.description ?? "");
    setText(this.#licence, model.licence ? `Licence: ${model.licence}.` : "");
    this.#about.hidden = this.#description.hidden && this.#licence.hidden;
    this.#onChoose();
  }
}
