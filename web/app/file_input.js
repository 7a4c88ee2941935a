// Files from the picker, or dropped anywhere on the page.

import { element } from "./dom.js";

export class FileInput {
  #drop = element("audio-drop", HTMLDivElement);
  #picker = element("audio-file", HTMLInputElement);

  /** @param {{onFiles: (files: File[]) => void}} actions at least one file */
  constructor({ onFiles }) {
    this.#picker.addEventListener("change", () => {
      const files = [...(this.#picker.files ?? [])];
      this.#picker.value = ""; // so that the same file can be chosen again
      if (files.length > 0) onFiles(files);
    });
    // The whole window takes files, so that a miss does not make the browser leave the page. What else is dragged,
    // text into the text to speak for one, is the browser's.
    addEventListener("dragover", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      this.#drop.classList.add("over");
    });
    addEventListener("dragleave", () => this.#drop.classList.remove("over"));
    addEventListener("drop", (event) => {
      this.#drop.classList.remove("over");
      if (!carriesFiles(event)) return;
      event.preventDefault();
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length > 0) onFiles(files);
    });
  }

  /** @param {boolean} busy */
  setBusy(busy) {
    this.#picker.disabled = busy;
  }
}

/** @param {DragEvent} event */
function carriesFiles({ dataTransfer }) {
  return dataTransfer?.types.includes("Files") ?? false;
}
