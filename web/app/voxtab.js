// voxtab for your own page: speech to text on the user's machine. web/README.md says where your page must lie, or what
// your server must hold; in a module file of its own:
//
//   import { Voxtab } from "/app/voxtab.js";
//   const vox = await Voxtab.create();
//   const [model] = await vox.models();
//   await vox.load(model, { onProgress: ({ loadedBytes, totalBytes }) => console.log(loadedBytes / totalBytes) });
//   const { text, words } = await vox.transcribe(file, { delayMs: 480, onDelta: (piece) => console.log(piece) });

import { decodeAudio } from "./audio_file.js";
import { asVoxtabError, VoxtabError } from "./errors.js";
import { Rpc } from "./rpc.js";

export { VoxtabError };

/**
 * @typedef {object} Model an entry of /api/models; `manifest` or `files` is enough if you make one yourself
 * @property {string} [id]
 * @property {string} name
 * @property {string | null} [task] "speech-to-text" or "text-to-speech"
 * @property {string} [kind] "manifest", "shards", "gguf" or "gguf-split"
 * @property {number} [bytes]
 * @property {boolean} [default]
 * @property {string | null} [licence]
 * @property {string | null} [description]
 * @property {string | null} [manifest] URL of its manifest.json
 * @property {{name: string, url: string, bytes: number}[]} [files]
 * @property {string | null} [tokenizer] URL of a tekken.json, for a GGUF that holds no tokenizer
 *
 * @typedef {{where: string, code: string, message: string, hint: string}} Problem a model the server cannot offer
 *
 * @typedef {import("../worker/progress.js").Progress} Progress
 *
 * @typedef {object} Loaded
 * @property {string} name
 * @property {string} task
 * @property {number} gpu_bytes
 * @property {{name: string, bytes: number, verified: boolean, cache: {state: string, reason: string}}} source
 *   verified: whether every byte was held against a manifest's SHA-256. cache.state: "complete" (kept for the next
 *   visit), "local" (the user's own file) or "off", with the reason: "quota-full", "busy" (another tab has it),
 *   "no-identity" (no manifest and no ETag), "unsupported" or "failed"
 *
 * @typedef {{text: string, start: number, end: number}} Word times in seconds
 *
 * @typedef {object} Transcript
 * @property {string} text
 * @property {number[]} tokens ids, without the end token
 * @property {Word[]} words
 * @property {Stats} stats
 * @property {Trace} [trace] when asked for
 *
 * @typedef {object} Stats
 * @property {number} audio_s
 * @property {number} encode_ms
 * @property {number} decode_ms
 * @property {number} tokens_per_s
 * @property {number} rtf time taken / length of the audio
 * @property {number} gpu_bytes
 * @property {string} adapter
 * @property {{submits: number, readbacks: number, calls: number}} counters what went to the GPU: submits of work,
 *   readbacks of results, calls from Python to JavaScript
 *
 * @typedef {object} Trace to hold the engine against a reference
 * @property {Record<string, {width: number, base64: string}>} stages "mel", "conv_out", "enc_out", "adapter_out" and
 *   "logits": rows of `width` little-endian float32
 * @property {number[]} tokens_full every token, those behind an end token too
 *
 * @typedef {object} LoadOptions
 * @property {(progress: Progress) => void} [onProgress]
 * @property {AbortSignal} [signal]
 *
 * @typedef {object} TranscribeOptions
 * @property {number} [delayMs] how far the text may lag behind the sound: 80 to 1200 in steps of 80, or 2400
 * @property {(text: string, at: {doneSeconds: number, seconds: number}) => void} [onDelta] text as it is decoded
 * @property {boolean} [normalizePeak] bring quiet recordings to full level first
 * @property {number} [maxTokens] stop after so many tokens, of 80 ms each
 * @property {number} [temperature] 0, the default, is greedy
 * @property {number} [seed] for a temperature above 0
 * @property {number} [kvWindow] past positions the decoder keeps; less is less memory
 * @property {number} [leftPadTokens] silence before the sound, in tokens of 80 ms
 * @property {number} [chunkMs] feed the sound in pieces of this length, as a live source would; 0, the default: at once
 * @property {number} [submitMs] about how long one submit may keep the GPU busy; 200 is the default
 * @property {"f16" | "f32"} [cache] how keys and values are kept; "f16" is the default
 * @property {boolean} [trace] add what every stage computed to the result; slow, and for short recordings
 * @property {(progress: Progress) => void} [onProgress] of loading again, when the GPU had been lost
 * @property {AbortSignal} [signal]
 *
 * @typedef {{name: string, vendor: string, architecture: string, software: boolean, maxBindingBytes: number,
 *   maxBufferBytes: number, features: string[]}} Adapter software: a CPU posing as a GPU
 * @typedef {import("../worker/boot.js").BootProgress} BootProgress
 */

/**
 * A worker with Python, a GPU and at most one model in it. Dispatches "devicelost" (event.detail: VoxtabError) when the
 * GPU goes away; the next transcribe() then loads the model again by itself.
 */
export class Voxtab extends EventTarget {
  #rpc;
  /** @type {{model: Model | File[], onProgress?: LoadOptions["onProgress"]} | null} */
  #last = null;
  #loaded = false;
  /** @type {Adapter | null} */
  #adapter = null;
  #version = "";

  /** Use Voxtab.create(). @param {Worker} worker @param {(progress: BootProgress) => void} [onBoot] */
  constructor(worker, onBoot) {
    super();
    this.#rpc = new Rpc(worker, (event, data) => {
      if (event === "boot") onBoot?.(data);
      if (event === "dead") {
        const message = "Python met a fault it cannot recover from; most often there was too little memory.";
        this.#rpc.close(new VoxtabError("internal", message, "Try again: it is started anew."));
      }
      if (event === "device-lost") {
        this.#loaded = false;
        this.dispatchEvent(new CustomEvent("devicelost", { detail: asVoxtabError(data) }));
      }
    });
  }

  /**
   * Starts the worker and waits until Python and the GPU are there.
   * @param {{workerUrl?: string | URL, onBoot?: (progress: BootProgress) => void}} [options]
   * @returns {Promise<Voxtab>}
   * @throws {VoxtabError} no-secure-context, no-webgpu, no-adapter or internal
   */
  static create(options) {
    return orVoxtabError(() => Voxtab.#start(options ?? {}));
  }

  /** @param {{workerUrl?: string | URL, onBoot?: (progress: BootProgress) => void}} options */
  static async #start({ workerUrl = new URL("../worker/worker.js", import.meta.url), onBoot }) {
    if (!globalThis.isSecureContext) {
      throw new VoxtabError(
        "no-secure-context",
        "This address is not secure, so the browser offers neither WebGPU nor the microphone.",
        "Open the page over https://, or on the same machine as http://localhost.",
      );
    }
    const vox = new Voxtab(new Worker(workerUrl, { type: "module", name: "voxtab" }), onBoot);
    try {
      await vox.#ready();
    } catch (error) {
      vox.close();
      throw error;
    }
    return vox;
  }

  /** @returns {boolean} false when the worker has ended, by close() or a fault: create another */
  get alive() {
    return this.#rpc.alive;
  }

  /** The GPU in use. @returns {Adapter} */
  get adapter() {
    return /** @type {Adapter} */ (this.#adapter);
  }

  /** @returns {string} of the engine */
  get version() {
    return this.#version;
  }

  /**
   * What this server offers, and what it found but cannot offer. Needs no worker.
   * @returns {Promise<{models: Model[], problems: Problem[]}>}
   * @throws {VoxtabError} model-unreachable
   */
  static async catalogue() {
    let response = null;
    try {
      response = await fetch(new URL("../api/models", import.meta.url), { cache: "no-cache" });
      const found = response.ok ? await response.json() : null;
      if (Array.isArray(found?.models)) return { problems: [], ...found };
    } catch {
      // told below
    }
    throw new VoxtabError(
      "model-unreachable",
      `The server's list of models could not be read${response ? ` (HTTP ${response.status})` : ""}.`,
      "Check that the server is running, then reload the page.",
    );
  }

  /** @returns {Promise<Model[]>} what this server offers @throws {VoxtabError} model-unreachable */
  async models() {
    return (await Voxtab.catalogue()).models;
  }

  /**
   * Replaces the model on the GPU. Bytes come from this browser's cache when it has them.
   * @param {Model | string | File | File[]} model an entry of models(), its id, or the user's own file(s)
   * @param {LoadOptions} [options]
   * @returns {Promise<Loaded>}
   * @throws {VoxtabError}
   */
  load(model, options) {
    return orVoxtabError(() => this.#load(model, options ?? {}));
  }

  /** @param {Model | string | File | File[]} model @param {LoadOptions} options @returns {Promise<Loaded>} */
  async #load(model, { onProgress, signal }) {
    checkSignal(signal);
    const found = await this.#find(model);
    this.#last = { model: found, onProgress };
    this.#loaded = false;
    const params = { model: Array.isArray(found) ? found : withAbsoluteUrls(found) };
    const onEvent = (/** @type {string} */ event, /** @type {Progress} */ data) => {
      if (event === "progress") onProgress?.(data);
    };
    const loaded = await this.#rpc.call("load", params, { signal, onEvent });
    this.#loaded = true;
    this.#adapter = (await this.#ready()).adapter; // a new one after a loss
    return loaded;
  }

  /**
   * @param {Blob | Float32Array} audio any audio file the browser decodes, or 16 kHz mono samples in -1..1
   * @param {TranscribeOptions} [options]
   * @returns {Promise<Transcript>}
   * @throws {VoxtabError} whose partialText holds what had been written by then
   */
  transcribe(audio, options) {
    return orVoxtabError(() => this.#transcribe(audio, options ?? {}));
  }

  /** @param {Blob | Float32Array} audio @param {TranscribeOptions} options @returns {Promise<Transcript>} */
  async #transcribe(audio, options) {
    checkSignal(options.signal);
    const { signal, onDelta, onProgress } = options;
    const pcm = audio instanceof Float32Array ? audio : await this.decode(audio);
    if (!this.#loaded && this.#last) {
      await this.load(this.#last.model, { signal, onProgress: onProgress ?? this.#last.onProgress });
    }
    let text = "";
    const onEvent = (/** @type {string} */ event, /** @type {any} */ data) => {
      if (event !== "delta") return;
      text += data.text;
      onDelta?.(data.text, { doneSeconds: data.doneSeconds, seconds: data.seconds });
    };
    try {
      const params = { pcm, options: engineOptions(options) };
      return await this.#rpc.call("transcribe", params, { signal, onEvent });
    } catch (thrown) {
      const error = asVoxtabError(thrown);
      error.partialText = text;
      if (error.code === "device-lost") this.#loaded = false;
      throw error;
    }
  }

  /** @param {Blob} file @returns {Promise<Float32Array<ArrayBuffer>>} 16 kHz mono samples of an audio file */
  decode(file) {
    return orVoxtabError(async () => {
      if (!(file instanceof Blob)) {
        throw new VoxtabError(
          "option-invalid",
          "The sound is neither a file nor samples.",
          "Pass a File, a Blob, or a Float32Array of 16 kHz mono samples.",
        );
      }
      return decodeAudio(file, (bytes) => this.#rpc.call("decodeWav", { bytes }));
    });
  }

  /** Frees the GPU memory. The next transcribe() needs a load() before it. */
  async unload() {
    this.#last = null;
    this.#loaded = false;
    await this.#rpc.call("unload");
  }

  /** @returns {Promise<{key: string, name: string, bytes: number, complete: boolean}[]>} models kept in this browser */
  cached() {
    return this.#rpc.call("cached");
  }

  /** Deletes every model kept in this browser. */
  async clearCache() {
    await this.#rpc.call("clearCache");
  }

  /** @returns {Promise<{wasmHeapBytes: number}>} */
  memory() {
    return this.#rpc.call("memory");
  }

  /** Ends the worker; everything in flight rejects with "cancelled". */
  close() {
    this.#rpc.close();
  }

  /** @returns {Promise<{version: string, adapter: Adapter}>} */
  async #ready() {
    const ready = await this.#rpc.call("ready");
    this.#adapter = ready.adapter;
    this.#version = ready.version;
    return ready;
  }

  /** @param {Model | string | File | File[]} model @returns {Promise<Model | File[]>} */
  async #find(model) {
    if (Array.isArray(model)) {
      if (!model.every((file) => file instanceof File)) throw notAModel();
      return model;
    }
    if (model instanceof File) return [model];
    if (Object(model) === model && typeof model !== "function") return /** @type {Model} */ (model);
    if (typeof model !== "string") throw notAModel();
    const found = (await this.models()).find(({ id }) => id === model);
    if (found) return found;
    throw new VoxtabError(
      "model-missing",
      `The server has no model called ${JSON.stringify(model)}.`,
      "Pick one from the list.",
    );
  }
}

/**
 * Runs a public method: whatever goes wrong in it, a mistake of the caller's too, rejects with a VoxtabError.
 * @template T @param {() => Promise<T>} work @returns {Promise<T>}
 */
async function orVoxtabError(work) {
  try {
    return await work();
  } catch (thrown) {
    throw asVoxtabError(thrown);
  }
}

/** @param {unknown} signal @throws {VoxtabError} option-invalid */
function checkSignal(signal) {
  if (signal === undefined || signal === null || signal instanceof AbortSignal) return;
  throw new VoxtabError("option-invalid", "signal is no AbortSignal.", "Use that of an AbortController.");
}

function notAModel() {
  return new VoxtabError(
    "option-invalid",
    "This is not a model.",
    "Pass an entry of models(), its id, the user's own file or files, or { name, manifest: URL }.",
  );
}

/** The worker's own address is not the page's: addresses are settled here. @param {Model} model */
function withAbsoluteUrls({ name, manifest, files, tokenizer }) {
  const absolute = (/** @type {string} */ url) => {
    if (URL.canParse(url, document.baseURI)) return new URL(url, document.baseURI).href;
    throw new VoxtabError("option-invalid", `${url} is no address.`, "Pass a URL.");
  };
  if (files && !Array.isArray(files)) throw notAModel();
  return {
    name,
    manifest: manifest ? absolute(manifest) : null,
    tokenizer: tokenizer ? absolute(tokenizer) : null,
    files: (files ?? []).map((file) => ({ name: file.name, bytes: file.bytes, url: absolute(file.url) })),
  };
}

/** @param {TranscribeOptions} options @returns {Record<string, unknown>} under the names of voxtab.tab, set ones only */
function engineOptions(options) {
  const named = {
    delay_ms: options.delayMs,
    normalize_peak: options.normalizePeak,
    max_tokens: options.maxTokens,
    temperature: options.temperature,
    seed: options.seed,
    kv_window: options.kvWindow,
    left_pad_tokens: options.leftPadTokens,
    chunk_ms: options.chunkMs,
    submit_ms: options.submitMs,
    cache: options.cache,
    trace: options.trace,
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}
