// The voices to choose from, grouped by the language they speak.

import { element, setText } from "./dom.js";

/**
 * @typedef {object} Voice
 * @property {string} name as the model calls it: "casual_female", "fr_male"
 * @property {string} language BCP 47: "en"
 * @property {number} rows
 */

const NAMES = new Intl.DisplayNames("en", { type: "language" });
/** What a licence is about, where that is known. @type {Record<string, string>} */
const LICENCES = { "CC-BY-NC-4.0": "CC BY-NC 4.0: give credit, no commercial use" };

export class VoicePicker {
  #select = element("voice-select", HTMLSelectElement);
  #licence = element("voice-licence", HTMLParagraphElement);
  /** Asked for, whether or not it is there now. */
  #wanted = "";

  constructor() {
    this.#select.addEventListener("change", () => {
      this.#wanted = this.chosen;
    });
  }

  /** Before the model is loaded. */
  setUnknown() {
    this.#offer([new Option("After loading", "")]);
    setText(this.#licence, "");
  }

  /** Keeps the choice where a voice of that name is there. @param {Voice[]} voices @param {string} licence SPDX, of all */
  setVoices(voices, licence) {
    const groups = groupVoices(voices, navigator.languages).map(({ language, voices }) => {
      const group = document.createElement("optgroup");
      group.label = language;
      group.append(...voices.map(({ title, name }) => new Option(title, name)));
      return group;
    });
    this.#offer(groups.length > 0 ? groups : [new Option("This model has no voice", "")]);
    if (voices.some(({ name }) => name === this.#wanted)) this.#select.value = this.#wanted;
    setText(this.#licence, licence && `Licence of the voices: ${LICENCES[licence] ?? licence}.`);
  }

  /** @returns {string} name, "" where there are no voices */
  get chosen() {
    return this.#select.value;
  }

  /** @param {HTMLElement[]} options */
  #offer(options) {
    this.#select.replaceChildren(...options);
    this.#select.disabled = this.#select.value === "";
  }
}

/**
 * @param {Voice[]} voices
 * @param {readonly string[]} spoken languages of the reader, the best known first
 * @returns {{language: string, voices: {title: string, name: string}[]}[]} the reader's languages first, then by name
 */
export function groupVoices(voices, spoken) {
  const rank = (/** @type {string} */ code) => {
    const at = spoken.findIndex((tag) => tag.split("-")[0] === code.split("-")[0]);
    return at < 0 ? spoken.length : at;
  };
  return [...new Set(voices.map(({ language }) => language))]
    .map((code) => ({ code, language: languageName(code) }))
    .sort((a, b) => rank(a.code) - rank(b.code) || a.language.localeCompare(b.language))
    .map(({ code, language }) => ({
      language,
      voices: voices
        .filter((voice) => voice.language === code)
        .map(({ name }) => ({ name, title: voiceTitle(name, code) })),
    }));
}

/** @param {string} code @returns {string} "French" */
function languageName(code) {
  try {
    return (code && NAMES.of(code)) || "Other";
  } catch {
    return code; // not a language tag
  }
}

/** @param {string} name @param {string} code of its language @returns {string} "fr_male" in French is "Male" */
function voiceTitle(name, code) {
  const words = name.startsWith(`${code}_`) ? name.slice(code.length + 1) : name;
  const title = words.replaceAll("_", " ");
  return title.charAt(0).toUpperCase() + title.slice(1);
}
