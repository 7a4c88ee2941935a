// The page: puts its cards, the microphone and the client of voxtab.js together. One action runs at a time; whatever
// goes wrong is told once, and everything can be tried again.

import { SAMPLE_RATE } from "./audio_file.js";
import { element } from "./dom.js";
import { ErrorBanner } from "./error_banner.js";
import { asVoxtabError, cancelled, VoxtabError } from "./errors.js";
import { formatBytes } from "./format.js";
import { MicPanel } from "./mic_panel.js";
import { ModelPanel } from "./model_panel.js";
import { Player } from "./player.js";
import { SamplePanel } from "./sample_panel.js";
import { fetchSample, listSamples } from "./samples.js";
import { TranscriptView } from "./transcript.js";
import { Voxtab } from "./voxtab.js";
import { wavFile } from "./wav_file.js";

/**
 * What is to be transcribed: a file, one of the server's samples, or samples from the microphone. What is not there yet
 * is filled in on the way.
 * @typedef {{name: string, file?: Blob, sample?: import("./samples.js").Sample, pcm?: Float32Array}} Recording
 */

const DELAYS_MS = [...Array.from({ length: 15 }, (_, i) => 80 * (i + 1)), 2400];
const DEFAULT_DELAY_MS = 480;

const banner = new ErrorBanner();
const model = new ModelPanel({
  onLoad: () => act(load),
  onCancel: cancel,
  onClearCache: () => act(clearCache),
});
const transcript = new TranscriptView({ onCancel: cancel });
const player = new Player();
const samples = new SamplePanel({
  onPick: (sample) => transcribe({ name: sample.title, sample }),
});
const mic = new MicPanel({
  onStart: () => startRecording(),
  onOpened: () => transcript.setStatus("Recording…"),
  onRecorded: (pcm) => {
    setBusy(false);
    const time = new Date().toLocaleString("sv").replaceAll(":", "-");
    transcribe({ name: `recording ${time}`, pcm });
  },
  onError: (error) => {
    setBusy(false);
    transcript.setStatus(error.code === "cancelled" ? "Cancelled." : "Nothing was recorded.");
    banner.show(error);
  },
});
const drop = element("audio-drop", HTMLDivElement);
const audioFile = element("audio-file", HTMLInputElement);
const delay = element("delay-select", HTMLSelectElement);
const normalise = element("normalise", HTMLInputElement);
const again = element("transcribe-again", HTMLButtonElement);

/** @type {Promise<Voxtab> | null} */
let engine = null;
/** What is on the GPU now, as it was chosen. @type {unknown} */
let loaded = null;
/** @type {Recording | null} */
let lastRecording = null;
/** @type {AbortController | null} */
let current = null;
let busy = false;

/** The engine, started at page load, and again by the next action after a failure. @returns {Promise<Voxtab>} */
async function openEngine() {
  if (engine && (await engine).alive) return engine;
  loaded = null;
  const starting = startEngine();
  engine = starting;
  starting.catch(() => {
    engine = null;
    setEngineState("failed", "Not running");
  });
  return starting;
}

async function startEngine() {
  const phases = { python: "Starting Python…", engine: "Starting the engine…", ready: "Opening the GPU…" };
  const vox = await Voxtab.create({ onBoot: ({ phase }) => setEngineState("starting", phases[phase]) });
  vox.addEventListener("devicelost", (event) => {
    loaded = null;
    model.setUnloaded("The GPU was lost; the next action loads the model again.");
    setEngineState("failed", "GPU lost");
    if (!current) banner.show(/** @type {CustomEvent<VoxtabError>} */ (event).detail);
  });
  try {
    showAdapter(vox);
    element("version", HTMLElement).textContent = vox.version;
    await refreshCache(vox);
  } catch (error) {
    vox.close(); // the next try starts a worker of its own
    throw error;
  }
  return vox;
}

/** @param {Voxtab} vox */
function showAdapter(vox) {
  const { name, software } = vox.adapter;
  element("adapter", HTMLElement).textContent = software ? `${name} (software, slow)` : name;
  setEngineState("ready", "Ready");
}

/** @param {string} state @param {string} text */
function setEngineState(state, text) {
  const chip = element("engine-state", HTMLParagraphElement);
  chip.dataset.state = state;
  chip.textContent = text;
}

/** @param {boolean} value */
function setBusy(value) {
  busy = value;
  model.setBusy(value);
  mic.setBusy(value);
  samples.setBusy(value);
  audioFile.disabled = value;
  again.disabled = value || lastRecording === null;
}

/** Runs one action: others wait, errors are told. @param {(signal: AbortSignal) => Promise<void>} work */
async function act(work) {
  if (busy) {
    banner.show(new VoxtabError("busy", "Something else is still running.", "Wait for it, or cancel it."));
    return;
  }
  banner.clear();
  current = new AbortController();
  setBusy(true);
  try {
    await work(current.signal);
  } catch (thrown) {
    banner.show(asVoxtabError(thrown));
  } finally {
    current = null;
    setBusy(false);
  }
}

function cancel() {
  current?.abort();
}

/** @param {AbortSignal} signal */
async function load(signal) {
  await unlessAborted(listing, signal); // a click may come before it
  const chosen = model.chosen;
  if (!chosen)
    throw new VoxtabError("model-missing", "No model is chosen.", "Choose one, or open model files.");
  loaded = null;
  model.startLoading();
  /** @type {Voxtab | null} */
  let vox = null;
  try {
    vox = await unlessAborted(openEngine(), signal);
    model.setAsked();
    const result = await vox.load(chosen, { signal, onProgress: (progress) => model.setProgress(progress) });
    loaded = chosen;
    model.setLoaded(result);
    showAdapter(vox);
    showGpuMemory(result.gpu_bytes);
  } catch (thrown) {
    model.setUnloaded("No model is loaded.");
    showGpuMemory(0);
    throw thrown;
  } finally {
    if (vox) await refreshCache(vox); // a load that failed may have left or deleted something too
  }
}

/** @param {Recording} recording */
function transcribe(recording) {
  return act(async (signal) => {
    transcript.setStatus(`Reading ${recording.name}…`);
    samples.setCurrent(recording.sample);
    let started = false;
    try {
      const vox = await unlessAborted(openEngine(), signal);
      const { pcm, file } = await fill(recording, vox, signal);
      lastRecording = recording;
      player.show(recording.name, file);
      if (loaded === null || loaded !== model.chosen) {
        transcript.setStatus("Loading the model first…");
        await load(signal);
      }
      transcript.start(recording.name);
      started = true;
      const result = await vox.transcribe(pcm, {
        delayMs: Number(delay.value),
        normalizePeak: normalise.checked,
        onDelta: (text, { doneSeconds, seconds }) => transcript.add(text, doneSeconds, seconds),
        signal,
      });
      transcript.finish(result, recording.sample);
      showGpuMemory(result.stats.gpu_bytes);
    } catch (thrown) {
      const why = signal.aborted ? "Cancelled." : "It did not work.";
      if (started) transcript.stop(why);
      else transcript.setStatus(why); // what is shown is of an earlier recording
      throw thrown;
    }
  });
}

/**
 * Whatever a recording began as, its sound as the engine hears it and as the browser plays it.
 * @param {Recording} recording @param {Voxtab} vox @param {AbortSignal} signal
 * @returns {Promise<{pcm: Float32Array, file: Blob}>}
 */
async function fill(recording, vox, signal) {
  if (recording.sample) recording.file ??= await fetchSample(recording.sample, signal);
  recording.pcm ??= await unlessAborted(vox.decode(/** @type {Blob} */ (recording.file)), signal);
  recording.file ??= wavFile(recording.pcm, SAMPLE_RATE);
  return { pcm: recording.pcm, file: recording.file };
}

/**
 * Lets a cancellation through while something waits that cannot be stopped itself.
 * @template T @param {Promise<T>} promise @param {AbortSignal} signal @returns {Promise<T>}
 */
function unlessAborted(promise, signal) {
  const aborted = new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(cancelled()), { once: true });
  });
  return Promise.race([promise, /** @type {Promise<never>} */ (aborted)]);
}

function startRecording() {
  if (busy) return false;
  banner.clear();
  setBusy(true);
  transcript.setStatus("Waiting for the microphone…");
  return true;
}

async function clearCache() {
  const vox = await openEngine();
  try {
    await vox.clearCache();
  } finally {
    await refreshCache(vox);
  }
}

/** Never fails: what is kept is only told. @param {Voxtab} vox */
async function refreshCache(vox) {
  model.setCached(await vox.cached().catch(() => []));
}

/** @param {number} bytes */
function showGpuMemory(bytes) {
  element("gpu-memory", HTMLElement).textContent = formatBytes(bytes);
}

/** Files from the picker or dropped: a model if they look like one, else a recording. @param {File[]} files */
function take(files) {
  if (files.length === 0) return;
  const looksLikeModel = files.some(({ name }) => /\.gguf$|^shard-[a-z]{2,4}$|^manifest\.json$/.test(name));
  if (looksLikeModel && !busy) {
    model.chooseFiles(files);
    act(load);
  } else {
    transcribe({ name: files[0].name, file: files[0] });
  }
}

function setUp() {
  for (const ms of DELAYS_MS) delay.append(new Option(`${ms} ms`, String(ms)));
  delay.value = String(DEFAULT_DELAY_MS);
  audioFile.addEventListener("change", () => {
    const files = [...(audioFile.files ?? [])];
    audioFile.value = ""; // so that the same file can be chosen again
    take(files);
  });
  again.addEventListener("click", () => lastRecording && transcribe(lastRecording));
  // The whole window takes files, so that a miss does not make the browser leave the page.
  addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", () => drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take([...(event.dataTransfer?.files ?? [])]);
  });
}

async function listModels() {
  const { models, problems } = await Voxtab.catalogue();
  const usable = models.filter(({ task }) => task !== "text-to-speech");
  model.setModels(usable, problems);
  if (usable.length + problems.length === 0) {
    throw new VoxtabError(
      "model-missing",
      "The server offers no speech-to-text model.",
      "Put one below its --models folder and reload, or open model files of your own.",
    );
  }
}

setUp();
const listing = listModels().catch((error) => {
  model.setModels([], []);
  banner.show(asVoxtabError(error));
});
listSamples().then(
  (list) => samples.setSamples(list),
  (error) => samples.setFailed(asVoxtabError(error)),
);
openEngine().catch((error) => banner.show(asVoxtabError(error)));
