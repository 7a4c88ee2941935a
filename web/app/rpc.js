// Calls to the worker, one promise each; see worker/worker.js for the messages.

import { asVoxtabError, cancelled, VoxtabError } from "./errors.js";

/**
 * @typedef {object} CallOptions
 * @property {AbortSignal | null} [signal] aborting it cancels the call in the worker
 * @property {(event: string, data: any) => void} [onEvent] what the call reports while it runs
 * @property {Transferable[]} [transfer]
 */

export class Rpc {
  #worker;
  #nextId = 1;
  /** @type {Map<number, {resolve: (ok: any) => void, reject: (error: VoxtabError) => void, onEvent?: CallOptions["onEvent"]}>} */
  #pending = new Map();
  /** @type {VoxtabError | null} */
  #dead = null;

  /**
   * @param {Worker} worker
   * @param {(event: string, data: any) => void} onEvent what the worker reports outside any call
   */
  constructor(worker, onEvent) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data }) => {
      if (data.id === undefined) return onEvent(data.event, data.data);
      const call = this.#pending.get(data.id);
      if (!call) return;
      if (data.event) return call.onEvent?.(data.event, data.data);
      this.#pending.delete(data.id);
      if (data.error) call.reject(asVoxtabError(data.error));
      else call.resolve(data.ok);
    });
    worker.addEventListener("error", (event) => {
      this.#end(
        new VoxtabError(
          "internal",
          `The worker stopped: ${event.message || "its script could not be loaded"}.`,
          "Reload the page.",
        ),
      );
    });
  }

  /**
   * @param {string} method @param {object} [params] @param {CallOptions} [options]
   * @returns {Promise<any>} rejects with a VoxtabError
   */
  call(method, params = {}, { signal, onEvent, transfer = [] } = {}) {
    if (this.#dead) return Promise.reject(this.#dead);
    if (signal?.aborted) return Promise.reject(cancelled());
    const id = this.#nextId++;
    const cancel = () => this.#worker.postMessage({ cancel: id });
    signal?.addEventListener("abort", cancel, { once: true });
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onEvent });
      try {
        this.#worker.postMessage({ id, method, params }, transfer);
      } catch (cause) {
        this.#pending.delete(id);
        const message = "An argument is of a kind that cannot be sent to a worker.";
        reject(new VoxtabError("option-invalid", message, "Pass plain values, as documented.", cause));
      }
    }).finally(() => signal?.removeEventListener("abort", cancel));
  }

  /** @returns {boolean} whether calls can still be answered */
  get alive() {
    return this.#dead === null;
  }

  /** Ends the worker and every call in flight. @param {VoxtabError} [why] what they and later calls reject with */
  close(why = cancelled()) {
    this.#end(why);
  }

  /** @param {VoxtabError} error */
  #end(error) {
    this.#dead ??= error;
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
