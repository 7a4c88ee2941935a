// Which models are on the GPU, one of each task, and which were until it was lost.

/** @typedef {import("./voxtab_types.js").Loaded} Loaded */
/** @typedef {import("./voxtab_types.js").Model} Model */
/** @typedef {import("./voxtab_types.js").Task} Task */

/**
 * @typedef {object} Entry
 * @property {Model | File[]} model to load it again
 * @property {import("./voxtab_types.js").LoadOptions["onProgress"]} [onProgress]
 * @property {Loaded | null} loaded null once the GPU was lost
 */

export class LoadedModels {
  /** @type {Map<Task, Entry>} */
  #entries = new Map();
  /** @type {Map<Task, Promise<unknown>>} */
  #reloading = new Map();

  /** @param {Model | File[]} model @param {Loaded} loaded @param {Entry["onProgress"]} [onProgress] */
  add(model, loaded, onProgress) {
    this.#entries.set(loaded.task, { model, onProgress, loaded });
  }

  /** @param {Task} [task] one, or all */
  remove(task) {
    if (task) this.#entries.delete(task);
    else this.#entries.clear();
  }

  /** The GPU went away, and the models with it. */
  lose() {
    for (const entry of this.#entries.values()) entry.loaded = null;
  }

  /** After a load that failed: what it had to replace is gone; what was lost before it still is. @param {Task[]} tasks */
  keepOnly(tasks) {
    for (const [task, { loaded }] of this.#entries) {
      if (loaded && !tasks.includes(task)) this.#entries.delete(task);
    }
  }

  /** @param {Task} task @returns {Loaded | null} */
  loaded(task) {
    return this.#entries.get(task)?.loaded ?? null;
  }

  /**
   * Loads a lost model again, once for all who need it; does nothing where none was lost.
   * @param {Task} task @param {(entry: Entry) => Promise<unknown>} load
   */
  async restore(task, load) {
    const entry = this.#entries.get(task);
    if (!entry || entry.loaded) return;
    const reloading = this.#reloading.get(task) ?? load(entry).finally(() => this.#reloading.delete(task));
    this.#reloading.set(task, reloading);
    await reloading;
  }
}
