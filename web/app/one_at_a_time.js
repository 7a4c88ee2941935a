// The page does one thing at a time: whatever a card starts goes through here, so that it can be cancelled, what goes
// wrong is told once, and the other cards wait.

import { asVoxtabError, VoxtabError } from "./errors.js";

/** @typedef {{setBusy: (busy: boolean) => void}} Card what has controls that wait while something runs */

export class OneAtATime {
  #banner;
  /** @type {Card[]} */
  #cards = [];
  /** @type {AbortController | null} */
  #current = null;
  #busy = false;

  /** @param {import("./error_banner.js").ErrorBanner} banner where errors are told */
  constructor(banner) {
    this.#banner = banner;
  }

  /** @param {Card} card told when something begins and when it has ended */
  add(card) {
    this.#cards.push(card);
  }

  get busy() {
    return this.#busy;
  }

  /** Something runs that tells its own errors: a failure noticed elsewhere is most likely its. */
  get tells() {
    return this.#current !== null;
  }

  /**
   * Does the work, from its first step within this call; refused while something else runs. Never rejects: what goes
   * wrong is told.
   * @param {(signal: AbortSignal) => Promise<void>} work
   */
  async run(work) {
    if (!this.hold()) {
      this.#banner.show(
        new VoxtabError("busy", "Something else is still running.", "Wait for it, or cancel it."),
      );
      return;
    }
    this.#current = new AbortController();
    try {
      await work(this.#current.signal);
    } catch (thrown) {
      this.#banner.show(asVoxtabError(thrown));
    } finally {
      this.#current = null;
      this.release();
    }
  }

  /** Aborts the signal of the work that runs. */
  cancel() {
    this.#current?.abort();
  }

  /** Takes the turn for something with a beginning and an end of its own. @returns {boolean} false: it is taken */
  hold() {
    if (this.#busy) return false;
    this.#banner.clear();
    this.#setBusy(true);
    return true;
  }

  /** Ends what hold() began. */
  release() {
    this.#setBusy(false);
  }

  /** @param {boolean} busy */
  #setBusy(busy) {
    this.#busy = busy;
    for (const card of this.#cards) card.setBusy(busy);
  }
}
