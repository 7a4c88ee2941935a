// Starts Python in this worker: Pyodide, then the engine's zip on its path. Both lie beside
// this file's folder, as /pyodide and /engine beside /worker. Nothing here needs more of a CSP than 'wasm-unsafe-eval'.

import { VoxtabError } from "../app/errors.js";
import { sha256Hex } from "./sha256.js";

const PYODIDE = new URL("../pyodide/", import.meta.url);
const ENGINE = new URL("../engine/", import.meta.url);
const ENGINE_FOLDER = "/home/pyodide/engine";

/**
 * What voxtab.tab offers (web/voxtab/tab); each answers with JSON, {"ok": ...} or {"error": {code, message, hint}}. What
 * takes long is given a number, by which it can be cancelled.
 * @typedef {object} Tab
 * @property {(call: number, gpu: unknown, source: unknown, memoryLimit?: number,
 *   tuning?: unknown) => Promise<string>} load
 * @property {(task?: string) => string} unload
 * @property {() => string} loaded_tasks
 * @property {() => string} gpu_bytes
 * @property {(gpu: unknown) => void} forget_device
 * @property {(text: string) => string} check_manifest
 * @property {(call: number, pcm: Float32Array, options: string,
 *   onDelta: (text: string, doneSeconds: number, seconds: number) => void) => Promise<string>} transcribe
 * @property {(call: number, text: string, options: string, noise: Float32Array | undefined,
 *   onSound: (chunk: Float32Array<ArrayBuffer>) => void) => Promise<string>} speak
 * @property {(call: number, options: string, onOpen: (mostBacklogSeconds: number) => void,
 *   onHeard: (heard: string) => void) => Promise<string>} listen
 * @property {(call: number, pcm: Float32Array) => string} feed to a stream, by the number of its listen
 * @property {(call: number, delayMs: number) => string} set_delay
 * @property {(call: number) => string} close_stream
 * @property {(call: number, budget?: number) => string} step of a stream that is opened stepwise
 * @property {(call: number) => void} cancel
 * @property {(wordsJson: string, kind: string) => string} captions
 * @property {(bytes: Uint8Array) => string} decode_wav
 * @property {() => unknown} take_pcm
 *
 * @typedef {{phase: "python" | "engine" | "ready", version?: string}} BootProgress
 * @typedef {object} Engine
 * @property {Tab} tab
 * @property {string} version
 * @property {() => number} wasmHeapBytes
 * @property {() => boolean} alive false after a fatal error, out of memory say: nothing works from then on
 */

/**
 * @param {(progress: BootProgress) => void} onProgress
 * @returns {Promise<Engine>}
 */
export async function boot(onProgress) {
  onProgress({ phase: "python" });
  const [pyodide, engine] = await Promise.all([startPython(), fetchEngine()]);
  onProgress({ phase: "engine" });
  pyodide.unpackArchive(engine.zip, "zip", { extractDir: ENGINE_FOLDER });
  pyodide.runPython(`import sys; sys.path.insert(0, "${ENGINE_FOLDER}")`);
  const tab = pyodide.pyimport("voxtab.tab");
  onProgress({ phase: "ready", version: engine.version });
  const heap = /** @type {any} */ (pyodide)._module;
  return {
    tab,
    version: engine.version,
    wasmHeapBytes: () => heap.HEAP8?.length ?? 0,
    alive: () => {
      try {
        return pyodide.globals !== undefined;
      } catch {
        return false; // every property throws then
      }
    },
  };
}

/** @returns {Promise<import("pyodide").PyodideAPI>} */
async function startPython() {
  try {
    /** @type {typeof import("pyodide")} */
    const { loadPyodide } = await import(new URL("pyodide.mjs", PYODIDE).href);
    return await loadPyodide({ indexURL: PYODIDE.href });
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new VoxtabError(
      "internal",
      `Python could not be started in this tab: ${message}`,
      "Reload the page. If it stays so, the browser is too old, or the server was set up without web/node_modules.",
      cause,
    );
  }
}

/** @returns {Promise<{version: string, zip: ArrayBuffer}>} */
async function fetchEngine() {
  const info = await (await fetchWhole("engine.json", "no-cache")).json();
  if (!/^[0-9a-f]{64}$/.test(info.sha256)) throw engineFault("engine.json names no SHA-256");
  const zip = await (await fetchWhole(`voxtab.zip?v=${info.sha256}`, "default")).arrayBuffer();
  if ((await sha256Hex(zip)) !== info.sha256)
    throw engineFault("voxtab.zip is not the file engine.json describes");
  return { version: String(info.version), zip };
}

/** @param {string} name @param {RequestCache} cache @returns {Promise<Response>} */
async function fetchWhole(name, cache) {
  const response = await fetch(new URL(name, ENGINE), { cache }).catch(() => null);
  if (!response?.ok)
    throw engineFault(`${name} could not be read (${response ? response.status : "no answer"})`);
  return response;
}

/** @param {string} why */
function engineFault(why) {
  return new VoxtabError("internal", `The engine could not be loaded: ${why}.`, "Reload the page.");
}
