// The browser's player with the sound of what is, or was last, transcribed, where there is any.

import { element } from "./dom.js";

export class Player {
  #box = element("sound", HTMLElement);
  #name = element("sound-name", HTMLElement);
  #audio = element("player", HTMLAudioElement);
  #onPlayable;
  /** @type {Blob | null} */
  #shown = null;

  /** @param {{onPlayable: (playable: boolean) => void}} actions whether there is something to play */
  constructor({ onPlayable }) {
    this.#onPlayable = onPlayable;
    // What decodes is not always what plays; then there is only the text.
    this.#audio.addEventListener("error", () => this.#shown && this.#setShown(false));
  }

  /** Offers a recording to listen to; one that is there already goes on playing. @param {string} name @param {Blob} sound */
  show(name, sound) {
    if (sound === this.#shown) return;
    this.clear();
    this.#shown = sound;
    this.#audio.src = URL.createObjectURL(sound);
    this.#name.textContent = name;
    this.#audio.setAttribute("aria-label", `Listen to ${name}`);
    this.#setShown(true);
  }

  /** There is no sound to what is shown. */
  clear() {
    if (this.#shown === null) return;
    this.#shown = null;
    const { src } = this.#audio;
    this.#audio.removeAttribute("src");
    this.#audio.load();
    URL.revokeObjectURL(src);
    this.#setShown(false);
  }

  /** @param {number} seconds from the beginning */
  playFrom(seconds) {
    if (this.#box.hidden) return;
    this.#audio.currentTime = seconds;
    this.#audio.play().catch(() => {}); // told by the player itself
  }

  /** @param {boolean} shown */
  #setShown(shown) {
    this.#box.hidden = !shown;
    this.#onPlayable(shown);
  }
}
