// The worker: Python, the GPU and the models live here, behind messages.
//   page -> worker   {id, method, params} | {cancel: id}
//   worker -> page   {id, ok} | {id, error} | {id, event, data} | {event, data}
// A call's id is its number in Python too. A lost GPU ends the calls in flight and takes the models along; the next load
// opens a new one.

import { asVoxtabError, VoxtabError } from "../app/errors.js";
import { boot } from "./boot.js";
import { OpfsStore } from "./cache.js";
import { Device } from "./device.js";
import { listCached } from "./model_cache.js";
import { openSource } from "./open_source.js";
import { answer, floats, longCall } from "./python.js";
import { TuningStore } from "./tuning_store.js";
import { Turns } from "./turns.js";

/**
 * @typedef {object} Call
 * @property {number} id
 * @property {AbortSignal} signal
 * @property {(event: string, data: unknown, transfer?: Transferable[]) => void} emit
 */

const scope = /** @type {DedicatedWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const engine = boot((progress) => scope.postMessage({ event: "boot", data: progress }));
engine.catch(() => {}); // every call awaits it and reports; here it would only be "unhandled"
const device = new Device((gone, why) => {
  scope.postMessage({ event: "device-lost", data: why.toPlain() });
  engine.then(({ tab }) => tab.forget_device(gone));
});
const store = OpfsStore.supported ? new OpfsStore() : null;
const turns = new Turns();
/** @type {Map<number, AbortController>} */
const running = new Map();

const methods = {
  /** Waits for Python and the GPU. */
  async ready() {
    const [{ version }, { info }] = await Promise.all([engine, device.open()]);
    return { version, adapter: info };
  },

  /** @param {LoadParams} params @param {Call} call */
  load: (params, call) => turns.alone(() => load(params, call)),

  /** @param {{task?: string}} params */
  unload: ({ task }) => turns.alone(async () => answer((await engine).tab.unload(task))),

  /** @returns {Promise<string[]>} */
  loadedTasks: async () => answer((await engine).tab.loaded_tasks()),

  /** @param {{pcm: Float32Array, options: object}} params @param {Call} call */
  transcribe: (params, call) => turns.beside(() => transcribe(params, call)),

  /** @param {SpeakParams} params @param {Call} call */
  speak: (params, call) => turns.beside(() => speak(params, call)),

  /** @param {{options?: object}} params @param {Call} call it goes on until closeStream */
  listen: (params, call) => turns.beside(() => listen(params, call)),

  /** @param {{stream: number, pcm: Float32Array}} params stream: the id of its listen */
  feed: async ({ stream, pcm }) => answer((await engine).tab.feed(stream, pcm)),

  /** @param {{stream: number, delayMs: number}} params */
  setDelay: async ({ stream, delayMs }) => answer((await engine).tab.set_delay(stream, delayMs)),

  /** @param {{stream: number}} params */
  closeStream: async ({ stream }) => answer((await engine).tab.close_stream(stream)),

  /** @param {{stream: number, budget?: number}} params */
  step: async ({ stream, budget }) => answer((await engine).tab.step(stream, budget)),

  /** @param {{words: object[], format: string}} params @returns {Promise<string>} the contents of a file */
  captions: async ({ words, format }) => answer((await engine).tab.captions(JSON.stringify(words), format)),

  /** @param {{bytes: Uint8Array}} params @returns {Promise<{sampleRate: number, pcm: Float32Array}>} */
  async decodeWav({ bytes }) {
    const { tab } = await engine;
    const { sample_rate: sampleRate } = answer(tab.decode_wav(bytes));
    return { sampleRate, pcm: floats(tab.take_pcm()) };
  },

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

  async memory() {
    const { tab, wasmHeapBytes } = await engine;
    return { wasmHeapBytes: wasmHeapBytes(), gpuBytes: answer(tab.gpu_bytes()) };
  },
};

/**
 * @typedef {object} LoadParams
 * @property {import("./open_source.js").ModelEntry | File[]} model
 * @property {number | null} memoryLimitBytes for models and sessions in all; null: what the adapter says it has
 * @property {boolean | null} tuning of the GPU before it is first used; null: where the model is large enough to gain
 */

/** @param {LoadParams} params @param {Call} call */
async function load({ model, memoryLimitBytes, tuning }, call) {
  const { tab } = await engine;
  const gpu = await device.open();
  const source = await openSource(model, {
    signal: call.signal,
    onProgress: (progress) => call.emit("progress", progress),
    checkManifest: (text) => answer(tab.check_manifest(text)),
    store,
  });
  try {
    const limit = memoryLimitBytes ?? gpu.info.memoryBytes ?? undefined; // what Python knows as None
    const choices = tuning === false ? undefined : new TuningStore(tuning === true);
    const work = (/** @type {number} */ number) => tab.load(number, gpu, source, limit, choices);
    const loaded = await longCall(tab, work, gpu, call);
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
  const onDelta = (
    /** @type {string} */ text,
    /** @type {number} */ doneSeconds,
    /** @type {number} */ seconds,
  ) => call.emit("delta", { text, doneSeconds, seconds });
  const chosen = JSON.stringify(options ?? {});
  return longCall(tab, (number) => tab.transcribe(number, pcm, chosen, onDelta), await device.open(), call);
}

/** @typedef {{text: string, options?: object, noise?: Float32Array | null}} SpeakParams */

/** @param {SpeakParams} params @param {Call} call */
async function speak({ text, options, noise }, call) {
  const { tab } = await engine;
  const onSound = (/** @type {Float32Array<ArrayBuffer>} */ chunk) =>
    call.emit("sound", chunk, [chunk.buffer]);
  const chosen = JSON.stringify(options ?? {});
  const work = (/** @type {number} */ number) => tab.speak(number, text, chosen, noise ?? undefined, onSound);
  return longCall(tab, work, await device.open(), call);
}

/** @param {{options?: object}} params @param {Call} call */
async function listen({ options }, call) {
  const { tab } = await engine;
  const onOpen = (/** @type {number} */ mostBacklogSeconds) =>
    call.emit("open", { stream: call.id, mostBacklogSeconds });
  const onHeard = (/** @type {string} */ json) => {
    const { text, words, tokens, heard_s, fed_s, backlog_s, rtf, idle, done } = JSON.parse(json);
    const at = { heardSeconds: heard_s, fedSeconds: fed_s, backlogSeconds: backlog_s };
    call.emit("heard", { text, words, tokens, ...at, rtf, idle, done });
  };
  const chosen = JSON.stringify(options ?? {});
  const work = (/** @type {number} */ number) => tab.listen(number, chosen, onOpen, onHeard);
  return longCall(tab, work, await device.open(), call);
}

scope.addEventListener("message", async ({ data }) => {
  if ("cancel" in data) return running.get(data.cancel)?.abort();
  const { id, method, params } = data;
  const controller = new AbortController();
  running.set(id, controller);
  /** @type {Call["emit"]} */
  const emit = (event, value, transfer = []) => scope.postMessage({ id, event, data: value }, transfer);
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
