// The worker: Python, the GPU and the model live here, behind messages.
//   page -> worker   {id, method, params} | {cancel: id}
//   worker -> page   {id, ok} | {id, error} | {id, event, data} | {event, data}
// One load or transcription at a time; a lost GPU ends the call in flight and frees what was on it, and the next load
// makes a new one.

import { asVoxtabError, throwIfCancelled, VoxtabError } from "../app/errors.js";
import { boot } from "./boot.js";
import { OpfsStore } from "./cache.js";
import { createGpu } from "./gpu.js";
import { listCached } from "./model_cache.js";
import { openSource } from "./open_source.js";

/** @typedef {import("./gpu.js").Gpu} Gpu */
/** @typedef {{id: number, signal: AbortSignal, emit: (event: string, data: unknown) => void}} Call */

/** How long a call may take to notice by itself that its GPU is gone. */
const LOST_GRACE_MS = 5000;

const scope = /** @type {DedicatedWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const engine = boot((progress) => scope.postMessage({ event: "boot", data: progress }));
engine.catch(() => {}); // every call awaits it and reports; here it would only be "unhandled"
const store = OpfsStore.supported ? new OpfsStore() : null;
/** @type {Map<number, AbortController>} */
const running = new Map();
/** @type {Promise<Gpu> | null} */
let gpu = null;
let busy = false;

const methods = {
  /** Waits for Python and the GPU. */
  async ready() {
    const [{ version }, { info }] = await Promise.all([engine, openDevice()]);
    return { version, adapter: info };
  },

  /** @param {{model: import("./open_source.js").ModelEntry | File[]}} params @param {Call} call */
  load: (params, call) => alone(() => load(params, call)),

  /** @param {{pcm: Float32Array, options: object}} params @param {Call} call */
  transcribe: (params, call) => alone(() => transcribe(params, call)),

  /** @param {{bytes: Uint8Array}} params @returns {Promise<{sampleRate: number, pcm: Float32Array}>} */
  async decodeWav({ bytes }) {
    const { tab } = await engine;
    const { sample_rate: sampleRate } = answer(tab.decode_wav(bytes));
    return { sampleRate, pcm: floats(tab.take_pcm()) };
  },

  unload: () =>
    alone(async () => {
      const { tab } = await engine;
      return answer(tab.unload());
    }),

  /** Storage that cannot be read, a private window's say, keeps nothing. */
  cached: async () => (store ? listCached(store).catch(() => []) : []),

  async clearCache() {
    for (const { key } of (await store?.list()) ?? []) {
      await store?.delete(key).catch((cause) => {
        throw new VoxtabError(
          "busy",
          "A cached model is in use by another tab, so it was not deleted.",
          "Close that tab, then try again.",
          cause,
        );
      });
    }
  },

  memory: async () => ({ wasmHeapBytes: (await engine).wasmHeapBytes() }),
};

/** @param {{model: import("./open_source.js").ModelEntry | File[]}} params @param {Call} call */
async function load({ model }, call) {
  const { tab } = await engine;
  const device = await openDevice();
  answer(tab.unload());
  const source = await openSource(model, {
    signal: call.signal,
    onProgress: (progress) => call.emit("progress", progress),
    checkManifest: (text) => answer(tab.check_manifest(text)),
    store,
  });
  try {
    const work = () => tab.load(device, source);
    const loaded = await inPython(work, device, call.signal);
    await source.close(true);
    const { name, bytes, verified, cache } = source;
    return { ...loaded, source: { name, bytes, verified, cache } };
  } catch (error) {
    await source.close(false);
    throw source.failure ?? error; // Python may have passed on only the gist of it
  }
}

/** @param {{pcm: Float32Array, options?: object}} params @param {Call} call */
async function transcribe({ pcm, options }, call) {
  const { tab } = await engine;
  const device = await openDevice();
  const onDelta = (
    /** @type {string} */ text,
    /** @type {number} */ doneSeconds,
    /** @type {number} */ seconds,
  ) => call.emit("delta", { text, doneSeconds, seconds });
  return inPython(() => tab.transcribe(pcm, JSON.stringify(options ?? {}), onDelta), device, call.signal);
}

/**
 * Runs one of Python's long calls, so that a cancellation reaches it, and the end of the device ends it.
 * @param {() => Promise<string>} work @param {Gpu} device @param {AbortSignal} signal
 * @returns {Promise<any>}
 */
async function inPython(work, device, signal) {
  const { tab } = await engine;
  const cancel = () => void tab.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    throwIfCancelled(signal);
    const overdue = device.lost.then(() => new Promise((resolve) => setTimeout(resolve, LOST_GRACE_MS, "")));
    const json = await Promise.race([work(), overdue]);
    if (json === "") throw new Error("the device is gone");
    return answer(/** @type {string} */ (json));
  } catch (error) {
    if (device.lostReason === null) throw error;
    tab.unload();
    throw lostError(device.lostReason);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

/** The GPU, made at its first use and again after a loss. @returns {Promise<Gpu>} */
function openDevice() {
  if (gpu) return gpu;
  const opening = createGpu();
  gpu = opening;
  opening.then(
    async (device) => {
      const reason = await device.lost;
      if (gpu === opening) gpu = null;
      scope.postMessage({ event: "device-lost", data: lostError(reason).toPlain() });
    },
    () => {
      if (gpu === opening) gpu = null;
    },
  );
  return opening;
}

/** @param {string} reason */
function lostError(reason) {
  return new VoxtabError(
    "device-lost",
    `The graphics device was lost (${reason}).`,
    "The text so far is kept. Carry on: the model is loaded again, from this browser's cache where it is there.",
  );
}

/** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
async function alone(work) {
  if (busy) {
    throw new VoxtabError(
      "busy",
      "Another load or transcription is still running.",
      "Cancel it, or wait for it.",
    );
  }
  busy = true;
  try {
    return await work();
  } finally {
    busy = false;
  }
}

/** @param {string} json from voxtab.tab @returns {any} its "ok" @throws {VoxtabError} its "error" */
function answer(json) {
  const { ok, error } = JSON.parse(json);
  if (error) throw asVoxtabError(error);
  return ok;
}

/**
 * Samples out of Python: a view into its heap is copied, since the heap can move and can't be transferred.
 * @param {any} samples a Float32Array, or a proxy of a buffer of them @returns {Float32Array<ArrayBuffer>}
 */
function floats(samples) {
  if (samples instanceof Float32Array) return samples.slice();
  const view = samples.getBuffer("f32");
  const copy = view.data.slice();
  view.release();
  samples.destroy();
  return copy;
}

scope.addEventListener("message", async ({ data }) => {
  if ("cancel" in data) return running.get(data.cancel)?.abort();
  const { id, method, params } = data;
  const controller = new AbortController();
  running.set(id, controller);
  /** @param {string} event @param {unknown} value */
  const emit = (event, value) => scope.postMessage({ id, event, data: value });
  try {
    const handler = /** @type {Record<string, Function>} */ (methods)[method];
    const ok = await handler(params ?? {}, { id, signal: controller.signal, emit });
    scope.postMessage({ id, ok }, ok?.pcm ? [ok.pcm.buffer] : []);
  } catch (thrown) {
    scope.postMessage({ id, error: asVoxtabError(thrown).toPlain() });
    const { alive } = await engine.catch(() => ({ alive: () => true })); // not started: told by the error itself
    if (!alive()) scope.postMessage({ event: "dead" });
  } finally {
    running.delete(id);
  }
});
