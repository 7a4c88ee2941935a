// How the loading of a model goes on: bytes, percent, speed, time left.

import { element } from "./dom.js";
import { formatBytes, formatDuration } from "./format.js";

const FROM = { download: "Downloading", cache: "Reading from this browser", file: "Reading the file" };

export class LoadingProgress {
  #box = element("model-loading", HTMLDivElement);
  #bar = element("model-progress", HTMLProgressElement);
  #percent = element("model-percent", HTMLSpanElement);
  #bytes = element("model-bytes", HTMLSpanElement);
  #rate = element("model-rate", HTMLSpanElement);
  #eta = element("model-eta", HTMLSpanElement);

  /** @param {{onCancel: () => void}} actions */
  constructor({ onCancel }) {
    element("model-cancel", HTMLButtonElement).addEventListener("click", onCancel);
  }

  start() {
    this.#box.hidden = false;
    this.#bar.removeAttribute("value");
    for (const figure of [this.#percent, this.#bytes, this.#rate, this.#eta]) figure.textContent = "";
  }

  end() {
    this.#box.hidden = true;
  }

  /** @param {import("./voxtab.js").Progress} progress @returns {string} what is being done */
  show({ phase, loadedBytes, totalBytes, bytesPerSecond, etaSeconds }) {
    this.#bar.value = loadedBytes / totalBytes;
    this.#percent.textContent = `${Math.floor((100 * loadedBytes) / totalBytes)}%`;
    this.#bytes.textContent = `${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}`;
    this.#rate.textContent = bytesPerSecond === null ? "" : `${formatBytes(bytesPerSecond)}/s`;
    this.#eta.textContent = etaSeconds === null ? "" : `${formatDuration(etaSeconds)} left`;
    return loadedBytes < totalBytes ? `${FROM[phase]}…` : "Preparing the GPU…";
  }
}
