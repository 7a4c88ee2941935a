// The browser's player with the recording that is being, or was last, transcribed.

import { element } from "./dom.js";

export class Player {
  #box = element("sound", HTMLElement);
  #name = element("sound-name", HTMLElement);
  #audio = element("player", HTMLAudioElement);
  /** @type {Blob | null} */
  #shown = null;

  constructor() {
    // What decodes is not always what plays; then there is only the text.
    this.#audio.addEventListener("error", () => {
      this.#box.hidden = true;
    });
  }

  /** Offers a recording to listen to; one that is there already goes on playing. @param {string} name @param {Blob} sound */
  show(name, sound) {
    if (sound === this.#shown) return;
    this.#shown = sound;
    const before = this.#audio.src;
    this.#audio.src = URL.createObjectURL(sound);
    if (before) URL.revokeObjectURL(before);
    this.#name.textContent = name;
    this.#audio.setAttribute("aria-label", `Listen to ${name}`);
    this.#box.hidden = false;
  }
}
