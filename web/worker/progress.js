// Bytes so far, how fast they come, how long it will still take: at most ten times a second.

const EVERY_MS = 100;
const WINDOW_MS = 5000;
const SETTLED_MS = 700;

/**
 * @typedef {object} Progress
 * @property {"download" | "cache" | "file"} phase where the bytes come from just now
 * @property {number} loadedBytes
 * @property {number} totalBytes
 * @property {number | null} bytesPerSecond over the last seconds; null while there is too little to tell
 * @property {number | null} etaSeconds
 */

export class ProgressMeter {
  #totalBytes;
  #report;
  #now;
  #lastReport = -Infinity;
  #lastBytes = -1;
  /** @type {[number, number][]} */
  #samples = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {number} totalBytes
   * @param {(progress: Progress) => void} report
   * @param {() => number} [now] ms
   */
  constructor(totalBytes, report, now = () => performance.now()) {
    this.#totalBytes = totalBytes;
    this.#report = report;
    this.#now = now;
  }

  /** @param {number} loadedBytes @param {Progress["phase"]} phase */
  update(loadedBytes, phase) {
    clearTimeout(this.#timer);
    const wait = loadedBytes < this.#totalBytes ? this.#lastReport + EVERY_MS - this.#now() : 0;
    if (wait <= 0) this.#tell(loadedBytes, phase);
    // Told late rather than never: nothing else may come for a while.
    else this.#timer = setTimeout(() => this.#tell(loadedBytes, phase), wait);
  }

  /** Nothing is reported any more. */
  stop() {
    clearTimeout(this.#timer);
  }

  /** @param {number} loadedBytes @param {Progress["phase"]} phase */
  #tell(loadedBytes, phase) {
    if (loadedBytes === this.#lastBytes) return;
    const now = this.#now();
    const whole = loadedBytes >= this.#totalBytes;
    this.#lastReport = now;
    this.#lastBytes = loadedBytes;
    this.#samples.push([now, loadedBytes]);
    while (this.#samples.length > 2 && now - this.#samples[0][0] > WINDOW_MS) this.#samples.shift();
    const [since, before] = this.#samples[0];
    const settled = now - since >= SETTLED_MS || whole;
    const rate = settled && now > since ? ((loadedBytes - before) / (now - since)) * 1000 : 0;
    this.#report({
      phase,
      loadedBytes,
      totalBytes: this.#totalBytes,
      bytesPerSecond: rate > 0 ? rate : null,
      etaSeconds: rate > 0 ? (this.#totalBytes - loadedBytes) / rate : null,
    });
  }
}
