// What is to be spoken, and how: the text with its counter, the voice, steps, guidance and seed.

import { element } from "./dom.js";
import { VoxtabError } from "./errors.js";
import { VoicePicker } from "./voice_picker.js";

/**
 * @typedef {object} SpeakRequest
 * @property {string} text
 * @property {number} eulerSteps
 * @property {number} guidance
 * @property {number} seed
 *
 * @typedef {object} SpeechModel
 * @property {import("./voice_picker.js").Voice[]} [voices]
 * @property {string} [voice_license]
 * @property {number} [text_limit] characters in one go
 */

/** Characters in one go, where the engine names no other limit. */
const TEXT_LIMIT = 10_000;
const SEEDS = 2 ** 32;
/** What people speak in a second, about. */
const CHARACTERS_A_SECOND = 14;

export class SpeakForm {
  #text = element("speak-text", HTMLTextAreaElement);
  #count = element("speak-count", HTMLSpanElement);
  #voice = new VoicePicker();
  #steps = element("speak-steps", HTMLSelectElement);
  #guidance = element("speak-guidance", HTMLInputElement);
  #seed = element("speak-seed", HTMLInputElement);
  #limit = TEXT_LIMIT;

  /** @param {{onSubmit: () => void}} actions */
  constructor({ onSubmit }) {
    this.#text.addEventListener("input", () => this.#showCount());
    this.#text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      onSubmit();
    });
    element("speak-dice", HTMLButtonElement).addEventListener("click", () => {
      this.#seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0]);
    });
    this.#showCount();
  }

  /** @param {SpeechModel | null} model null: it is not loaded yet, and its voices are not known */
  setModel(model) {
    if (model) this.#voice.setVoices(model.voices ?? [], model.voice_license ?? "");
    else this.#voice.setUnknown();
    this.#limit = model?.text_limit ?? TEXT_LIMIT;
    this.#showCount();
  }

  /** @returns {string | undefined} the name of the voice, where one is known */
  get voice() {
    return this.#voice.chosen || undefined;
  }

  /**
   * @returns {SpeakRequest} what is asked for
   * @throws {VoxtabError} text-empty, text-too-long or option-invalid; the field at fault has the focus
   */
  read() {
    const text = this.#text.value;
    if (text.trim() === "") {
      this.#text.focus();
      throw new VoxtabError(
        "text-empty",
        "There is no text to speak.",
        "Type or paste some, then press Speak.",
      );
    }
    const characters = countCharacters(text);
    if (characters > this.#limit) {
      this.#text.focus();
      throw new VoxtabError(
        "text-too-long",
        `The text has ${characters} characters; ${this.#limit} can be spoken in one go.`,
        "Speak it in parts.",
      );
    }
    return {
      text,
      eulerSteps: Number(this.#steps.value),
      guidance: numberIn(this.#guidance, "The guidance", 0, 10),
      seed: numberIn(this.#seed, "The seed", 0, SEEDS - 1, true),
    };
  }

  #showCount() {
    const characters = countCharacters(this.#text.value);
    const over = characters - this.#limit;
    const [used, limit, excess] = [characters, this.#limit, over].map((count) => count.toLocaleString("en"));
    this.#count.textContent = over > 0 ? `${excess} too many for one go` : `${used} of ${limit} characters`;
    this.#count.dataset.state = over > 0 ? "over" : "fits";
    this.#text.setAttribute("aria-invalid", String(over > 0));
  }
}

/** @param {string} text @returns {number} as the engine counts them: an emoji is one, where UTF-16 has two */
export function countCharacters(text) {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** @param {string} text @returns {number} how long it takes to say, more or less */
export function expectedSeconds(text) {
  return Math.max(1, countCharacters(text.trim()) / CHARACTERS_A_SECOND);
}

/** @param {string} text @returns {string} its first words, fit for the name of a file */
export function fileNameOf(text) {
  const words = text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  let name = "";
  for (const word of words) {
    if (name.length + word.length > 40) break;
    name += name === "" ? word : `-${word}`;
  }
  return name || "speech";
}

/**
 * @param {HTMLInputElement} input @param {string} what @param {number} least @param {number} most
 * @param {boolean} [whole]
 */
function numberIn(input, what, least, most, whole = false) {
  const value = input.value === "" ? Number.NaN : Number(input.value);
  if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
  input.focus();
  throw new VoxtabError(
    "option-invalid",
    `${what} is not a ${whole ? "whole " : ""}number from ${least} to ${most}.`,
    "Enter one, then press Speak.",
  );
}
