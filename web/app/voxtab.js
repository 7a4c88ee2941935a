// voxtab for your own page: speech to text, and text to speech, on the user's machine. web/README.md says where your page
// must lie, or what your server must hold; in a module file of its own:
//
//   import { Voxtab } from "/app/voxtab.js";
//   const vox = await Voxtab.create();
//   const [model] = await vox.models();
//   await vox.load(model, { onProgress: ({ loadedBytes, totalBytes }) => console.log(loadedBytes / totalBytes) });
//   const { text, words } = await vox.transcribe(file, { delayMs: 480, onDelta: (piece) => console.log(piece) });
//   for await (const chunk of vox.speak("Hello there.", { voice: "casual_female" })) play(chunk);

import { decodeAudio } from "./audio_file.js";
import { listenOptions, speakOptions, transcribeOptions } from "./engine_options.js";
import { asVoxtabError, checkSignal, orVoxtabError, VoxtabError } from "./errors.js";
import { LiveSession } from "./live_session.js";
import { LoadedModels } from "./loaded_models.js";
import { catalogue, findModel } from "./model_choice.js";
import { Rpc } from "./rpc.js";
import { SpeechStream } from "./speech_stream.js";

export { VoxtabError };

/**
 * @typedef {import("./voxtab_types.js").Adapter} Adapter
 * @typedef {import("./voxtab_types.js").BootProgress} BootProgress
 * @typedef {import("./voxtab_types.js").Heard} Heard
 * @typedef {import("./voxtab_types.js").ListenOptions} ListenOptions
 * @typedef {import("./voxtab_types.js").Loaded} Loaded
 * @typedef {import("./voxtab_types.js").LoadOptions} LoadOptions
 * @typedef {import("./voxtab_types.js").Model} Model
 * @typedef {import("./voxtab_types.js").Problem} Problem
 * @typedef {import("./voxtab_types.js").Progress} Progress
 * @typedef {import("./voxtab_types.js").SpeakOptions} SpeakOptions
 * @typedef {import("./voxtab_types.js").SpeechResult} SpeechResult
 * @typedef {import("./voxtab_types.js").Stats} Stats
 * @typedef {import("./voxtab_types.js").Task} Task
 * @typedef {import("./voxtab_types.js").TranscribeOptions} TranscribeOptions
 * @typedef {import("./voxtab_types.js").Transcript} Transcript
 * @typedef {import("./voxtab_types.js").Word} Word
 *
 * @typedef {object} CreateOptions
 * @property {string | URL} [workerUrl]
 * @property {(progress: BootProgress) => void} [onBoot]
 * @property {number | null} [memoryLimitBytes] see setMemoryLimit()
 * @property {boolean | null} [tuning] see setTuning()
 */

/**
 * A worker with Python, a GPU and at most one model of each task in it. Sessions run side by side; a model is loaded or
 * unloaded while none runs (else "busy"). Dispatches "devicelost" (event.detail: VoxtabError) when the GPU goes away;
 * whatever next needs a model then loads it again by itself.
 */
export class Voxtab extends EventTarget {
  #rpc;
  #models = new LoadedModels();
  /** @type {Adapter | null} */
  #adapter = null;
  #version = "";
  /** @type {number | null} */
  #memoryLimit = null;
  /** @type {boolean | null} */
  #tuning = null;

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
        this.#models.lose();
        this.dispatchEvent(new CustomEvent("devicelost", { detail: asVoxtabError(data) }));
      }
    });
  }

  /**
   * Starts the worker and waits until Python and the GPU are there.
   * @param {CreateOptions} [options]
   * @returns {Promise<Voxtab>}
   * @throws {VoxtabError} no-secure-context, no-webgpu, no-adapter, option-invalid or internal
   */
  static create(options) {
    return orVoxtabError(() => Voxtab.#start(options ?? {}));
  }

  /** @param {CreateOptions} options */
  static async #start({
    workerUrl = new URL("../worker/worker.js", import.meta.url),
    onBoot,
    memoryLimitBytes = null,
    tuning = null,
  }) {
    if (!globalThis.isSecureContext) {
      throw new VoxtabError(
        "no-secure-context",
        "This address is not secure, so the browser offers neither WebGPU nor the microphone.",
        "Open the page over https://, or on the same machine as http://localhost.",
      );
    }
    const vox = new Voxtab(new Worker(workerUrl, { type: "module", name: "voxtab" }), onBoot);
    try {
      vox.setMemoryLimit(memoryLimitBytes);
      vox.setTuning(tuning);
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

  /** What this server offers, and what it found but cannot offer. Needs no worker. @throws {VoxtabError} model-unreachable */
  static catalogue() {
    return catalogue();
  }

  /** @returns {Promise<Model[]>} what this server offers @throws {VoxtabError} model-unreachable */
  async models() {
    return (await catalogue()).models;
  }

  /** What is on the GPU. @returns {Record<Task, Loaded | null>} */
  get loaded() {
    return {
      "speech-to-text": this.#models.loaded("speech-to-text"),
      "text-to-speech": this.#models.loaded("text-to-speech"),
    };
  }

  /** Of the loaded speech model. */
  get voices() {
    return this.loaded["text-to-speech"]?.voices ?? [];
  }

  /** Of those voices; empty where the model does not say. */
  get voiceLicence() {
    return this.loaded["text-to-speech"]?.voice_license ?? "";
  }

  /**
   * What models and sessions may take of the GPU's memory in all; loading what does not fit is refused, and says how much
   * is missing. It counts from the next load on.
   * @param {number | null} bytes null: what the GPU says it has, where the browser tells, else whatever it gives
   * @throws {VoxtabError} option-invalid
   */
  setMemoryLimit(bytes) {
    if (bytes !== null && !(typeof bytes === "number" && bytes > 0 && Number.isSafeInteger(bytes))) {
      throw new VoxtabError("option-invalid", `A memory limit can't be ${bytes}.`, "Use bytes, or null.");
    }
    this.#memoryLimit = bytes;
  }

  /**
   * Whether a load may first measure, for a second or two, how this GPU computes fastest. It happens once: the choice is kept
   * in this browser, and goes for all that is loaded later.
   * @param {boolean | null} tuning null: when the model is large enough to gain
   * @throws {VoxtabError} option-invalid
   */
  setTuning(tuning) {
    if (tuning !== null && typeof tuning !== "boolean") {
      throw new VoxtabError("option-invalid", `Tuning can't be ${tuning}.`, "Use true, false or null.");
    }
    this.#tuning = tuning;
  }

  /**
   * Puts a model on the GPU, in place of the one of the same task. Bytes come from this browser's cache when it has them.
   * @param {Model | string | File | File[]} model an entry of models(), its id, or the user's own file(s)
   * @param {LoadOptions} [options]
   * @returns {Promise<Loaded>}
   * @throws {VoxtabError} adapter-too-small when it does not fit beside the other: both stay as they were then
   */
  load(model, options) {
    return orVoxtabError(() => this.#load(model, options ?? {}));
  }

  /** @param {Model | string | File | File[]} model @param {LoadOptions} options @returns {Promise<Loaded>} */
  async #load(model, { onProgress, signal }) {
    checkSignal(signal);
    const found = await findModel(model);
    const params = { model: found, memoryLimitBytes: this.#memoryLimit, tuning: this.#tuning };
    const onEvent = (/** @type {string} */ event, /** @type {Progress} */ data) => {
      if (event === "progress") onProgress?.(data);
    };
    try {
      const loaded = await this.#rpc.call("load", params, { signal, onEvent });
      this.#models.add(found, loaded, onProgress);
      this.#adapter = (await this.#ready()).adapter; // a new one after a loss
      return loaded;
    } catch (error) {
      if (this.alive) this.#models.keepOnly(await this.#rpc.call("loadedTasks"));
      throw error;
    }
  }

  /** A model that was lost with the GPU. @param {Task} task @param {LoadOptions} options */
  #restore(task, { signal, onProgress }) {
    return this.#models.restore(task, (lost) =>
      this.#load(lost.model, { signal, onProgress: onProgress ?? lost.onProgress }),
    );
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
    const { signal, onDelta } = options;
    const pcm = audio instanceof Float32Array ? audio : await this.decode(audio);
    await this.#restore("speech-to-text", options);
    let text = "";
    const onEvent = (/** @type {string} */ event, /** @type {any} */ data) => {
      if (event !== "delta") return;
      text += data.text;
      onDelta?.(data.text, { doneSeconds: data.doneSeconds, seconds: data.seconds });
    };
    try {
      const params = { pcm, options: transcribeOptions(options) };
      return await this.#rpc.call("transcribe", params, { signal, onEvent });
    } catch (thrown) {
      const error = asVoxtabError(thrown);
      error.partialText = text;
      throw error;
    }
  }

  /**
   * Begins at once. Errors come out of the iteration, and out of `result` and `stats` if somebody looks.
   * @param {string} text
   * @param {SpeakOptions} [options]
   * @returns {SpeechStream}
   */
  speak(text, options) {
    const chosen = options ?? {};
    return new SpeechStream(chosen.signal, (onSound, signal) =>
      orVoxtabError(() => this.#speak(text, chosen, onSound, signal)),
    );
  }

  /**
   * @param {string} text @param {SpeakOptions} options @param {(chunk: Float32Array) => void} onSound
   * @param {AbortSignal} signal
   * @returns {Promise<SpeechResult>}
   */
  async #speak(text, options, onSound, signal) {
    checkSignal(options.signal);
    const { noise } = options;
    if (typeof text !== "string") {
      throw new VoxtabError("option-invalid", "The text is none.", "Pass a string.");
    }
    if (noise && !(noise instanceof Float32Array)) {
      throw new VoxtabError("option-invalid", "The noise is no Float32Array.", "Pass one, or leave it out.");
    }
    await this.#restore("text-to-speech", { signal, onProgress: options.onProgress });
    const onEvent = (/** @type {string} */ event, /** @type {any} */ data) => {
      if (event === "sound") onSound(data);
    };
    return this.#rpc.call("speak", { text, noise, options: speakOptions(options) }, { signal, onEvent });
  }

  /**
   * Opens a stream for sound that is still to come.
   * @param {ListenOptions} [options]
   * @returns {Promise<LiveSession>}
   * @throws {VoxtabError}
   */
  listen(options) {
    return orVoxtabError(() => this.#listen(options ?? {}));
  }

  /** @param {ListenOptions} options @returns {Promise<LiveSession>} */
  async #listen(options) {
    checkSignal(options.signal);
    await this.#restore("speech-to-text", options);
    return LiveSession.open(this.#rpc, listenOptions(options), options);
  }

  /**
   * Words as a file: text in paragraphs, subtitles, or JSON with every word's times.
   * @param {import("./voxtab_types.js").Word[]} words in the order of their times
   * @param {"txt" | "srt" | "vtt" | "json"} format
   * @returns {Promise<string>} its contents
   * @throws {VoxtabError} option-invalid
   */
  captions(words, format) {
    return orVoxtabError(() => this.#rpc.call("captions", { words, format }));
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

  /** Frees the GPU memory of a task's model, or of both. @param {Task} [task] */
  async unload(task) {
    await this.#rpc.call("unload", { task });
    this.#models.remove(task);
  }

  /** @returns {Promise<{key: string, name: string, bytes: number, complete: boolean}[]>} models kept in this browser */
  cached() {
    return this.#rpc.call("cached");
  }

  /** Deletes every model kept in this browser. */
  async clearCache() {
    await this.#rpc.call("clearCache");
  }

  /** What is in use now. @returns {Promise<{wasmHeapBytes: number, gpuBytes: number}>} */
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
}
