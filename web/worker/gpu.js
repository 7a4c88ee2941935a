// The GPU in the browser: buffers, pipelines and recorded programs behind integer handles, for Python (voxtab/gpu/browser.py)
// and for the loader (source.js). A program is a flat list made once; replaying it is one call and one submit.

import { adapterName, findAdapter, isSoftware } from "./adapter.js";
import { PromptQueue } from "./prompt_queue.js";

/**
 * @typedef {{name: string, vendor: string, architecture: string, software: boolean, maxBindingBytes: number,
 *   maxBufferBytes: number, maxWorkgroups: number, memoryBytes: number | null, features: string[], identity: string}} GpuInfo
 *   memoryBytes: of its own, where the browser tells; identity: tells the adapter, its driver and the browser from any other
 * @typedef {{descriptor: GPUComputePipelineDescriptor, made: GPUComputePipeline | null}} Pipeline compiled meanwhile
 * @typedef {{pipeline: Pipeline, entries: GPUBindGroupEntry[], group: GPUBindGroup | null,
 *   grid: [number, number, number]}} Recorded `group` is made of the entries when it first runs
 */

/** An error the user can meet; mirrors voxtab.errors.VoxtabError. */
export class GpuError extends Error {
  /** @param {string} code @param {string} message @param {string} hint */
  constructor(code, message, hint) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

const STORAGE = 0x80 | 0x40 | 0x4 | 0x8; // STORAGE | UNIFORM | COPY_SRC | COPY_DST
const TEXTURE = 0x4 | 0x8; // TEXTURE_BINDING | STORAGE_BINDING
const TIMESTAMPS = 0x200 | 0x4; // QUERY_RESOLVE | COPY_SRC
const READBACK = 0x1 | 0x8; // MAP_READ | COPY_DST
// What some variants of kernels, and measuring, make use of.
const SUBGROUP_MATRICES = "chromium-experimental-subgroup-matrix";
const FEATURES = ["subgroups", "timestamp-query", "shader-f16", "float32-filterable", SUBGROUP_MATRICES];
const DEVICE_LOCAL = 0x1; // of a heap's properties

/**
 * The device of the best adapter.
 * @returns {Promise<Gpu>}
 * @throws {import("../app/errors.js").VoxtabError} no-webgpu or no-adapter
 */
export async function createGpu() {
  const adapter = await findAdapter(navigator);
  // Larger than the defaults as far as the adapter goes; everything also runs with the defaults.
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await adapter.requestDevice({
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize },
    requiredFeatures: /** @type {GPUFeatureName[]} */ (FEATURES.filter((name) => adapter.features.has(name))),
  });
  return new Gpu(adapter, device);
}

/** Bytes of the heaps that are the device's own; Chromium has them behind a flag. @param {GPUAdapterInfo} info */
function deviceMemory(info) {
  const { memoryHeaps } = /** @type {{memoryHeaps?: {size: number, properties: number}[]}} */ (info);
  const own = (memoryHeaps ?? []).filter(({ properties }) => properties & DEVICE_LOCAL);
  return own.reduce((sum, { size }) => sum + size, 0) || null;
}

/**
 * A feature for each kind of matrices that subgroups multiply into f32: `chromium-experimental-subgroup-matrix f16 16x16x8`
 * has rows x columns of the left one x columns of the right one. Chromium has them behind a flag. @param {GPUAdapterInfo} info
 */
function subgroupMatrices(info) {
  const { subgroupMatrixConfigs = [] } =
    /** @type {{subgroupMatrixConfigs?: {M: number, N: number, K: number, componentType: string, resultComponentType: string}[]}} */ (
      info
    );
  return [...subgroupMatrixConfigs]
    .filter(({ resultComponentType }) => resultComponentType === "f32")
    .map(({ M, N, K, componentType }) => `${SUBGROUP_MATRICES} ${componentType} ${M}x${K}x${N}`);
}

/** One device and everything made on it. */
export class Gpu {
  /** @type {Map<number, GPUBuffer | GPUTexture | GPUSampler>} */ #buffers = new Map();
  /** @type {Pipeline[]} */ #pipelines = [];
  /** @type {Map<string, GPUShaderModule>} */ #modules = new Map();
  /** @type {Map<number, Recorded[]>} */ #programs = new Map();
  /** @type {GPUBuffer[]} */ #staging = [];
  /** @type {Promise<Error | null>[]} */ #checks = [];
  /** @type {string | null} */ #uncaptured = null;
  #nextHandle = 1;
  /** @type {GPUDevice} */ #device;
  #prompt;
  /** Set once the device is gone: the browser's reason. @type {string | null} */ lostReason = null;

  /** @param {GPUAdapter} adapter @param {GPUDevice} device */
  constructor(adapter, device) {
    this.#device = device;
    this.#prompt = new PromptQueue(device.queue, navigator.userAgent);
    const { vendor, architecture, description, device: model } = adapter.info;
    /** @type {GpuInfo} */
    this.info = {
      name: adapterName(adapter.info),
      vendor,
      architecture,
      software: isSoftware(adapter.info),
      maxBindingBytes: device.limits.maxStorageBufferBindingSize,
      maxBufferBytes: device.limits.maxBufferSize,
      maxWorkgroups: device.limits.maxComputeWorkgroupsPerDimension,
      memoryBytes: deviceMemory(adapter.info),
      features: [...device.features, ...subgroupMatrices(adapter.info)].sort(),
      identity: [vendor, architecture, model, description, navigator.userAgent].join(" | "),
    };
    /** Resolves with a sentence when the device is gone for good. */
    this.lost = device.lost.then((lost) => {
      this.lostReason = lost.message || lost.reason || "no reason given";
      return this.lostReason;
    });
    device.addEventListener("uncapturederror", (event) => {
      this.#uncaptured ??= /** @type {GPUUncapturedErrorEvent} */ (event).error.message;
    });
  }

  /** @param {number} size @param {string} label @returns {number} */
  buffer(size, label) {
    return this.#made(size, label, () => this.#device.createBuffer({ size, label, usage: STORAGE }));
  }

  /** Of texels with 2 or 4 f32 each. @param {number} width @param {number} height @param {number} words @param {string} label */
  texture(width, height, words, label) {
    const format = words === 4 ? "rgba32float" : "rg32float";
    const make = () => this.#device.createTexture({ size: [width, height], format, label, usage: TEXTURE });
    return this.#made(width * height * words * 4, label, make);
  }

  /** Of a texture's nearest texel. @returns {number} */
  sampler() {
    const handle = this.#nextHandle++;
    this.#buffers.set(handle, this.#device.createSampler());
    return handle;
  }

  /** @param {number} size @param {string} label @param {() => GPUBuffer | GPUTexture} make @returns {number} */
  #made(size, label, make) {
    this.#device.pushErrorScope("out-of-memory");
    const made = make();
    this.#check(
      () =>
        new GpuError(
          "adapter-too-small",
          `The GPU could not give ${(size / 1e6).toFixed(0)} MB for ${label}.`,
          "Close other tabs and programs that use the GPU, or choose a smaller model.",
        ),
    );
    const handle = this.#nextHandle++;
    this.#buffers.set(handle, made);
    return handle;
  }

  /** @param {number} handle */
  freeBuffer(handle) {
    const freed = this.#buffers.get(handle);
    if (freed && !(freed instanceof GPUSampler)) freed.destroy();
    this.#buffers.delete(handle);
  }

  /** Queue bytes (length a multiple of 4) for a buffer. @param {number} handle @param {number} offset @param {Uint8Array} bytes */
  write(handle, offset, bytes) {
    this.#device.queue.writeBuffer(this.#at(handle), offset, /** @type {Uint8Array<ArrayBuffer>} */ (bytes));
  }

  /** Copy the first `size` bytes. @param {number} source @param {number} target @param {number} size */
  copy(source, target, size) {
    const encoder = this.#device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.#at(source), 0, this.#at(target), 0, size);
    this.#device.queue.submit([encoder.finish()]);
  }

  /**
   * A compute pipeline with entry point `main`. It compiles beside whatever goes on; failures surface in `ready()`.
   * @param {string} key @param {string} code @param {string} constantsJson @returns {number}
   */
  pipeline(key, code, constantsJson) {
    /** @param {Error | GPUError} error */
    const explain = (error) => new Error(`${key}: ${error.message}`);
    let module = this.#modules.get(key);
    if (!module) {
      this.#device.pushErrorScope("validation");
      module = this.#device.createShaderModule({ label: key, code });
      this.#check(explain);
      this.#modules.set(key, module);
    }
    const constants = JSON.parse(constantsJson);
    /** @type {Pipeline} */
    const pipeline = {
      descriptor: { label: key, layout: "auto", compute: { module, entryPoint: "main", constants } },
      made: null,
    };
    const compiled = this.#device.createComputePipelineAsync(pipeline.descriptor).then((made) => {
      pipeline.made ??= made;
      return null;
    }, explain);
    this.#checks.push(compiled);
    this.#pipelines.push(pipeline);
    return this.#pipelines.length - 1;
  }

  /**
   * Record a program from numbers, before its pipelines need be compiled: per dispatch [pipeline, gridX, gridY, gridZ, bindings, (binding, buffer) ...].
   * @param {Int32Array} list @returns {number}
   */
  program(list) {
    /** @type {Recorded[]} */
    const recorded = [];
    for (let i = 0; i < list.length; ) {
      const pipeline = this.#pipelines[list[i]];
      const count = list[i + 4];
      const entries = [];
      for (let k = 0; k < count; k++) {
        entries.push({ binding: list[i + 5 + 2 * k], resource: this.#resource(list[i + 6 + 2 * k]) });
      }
      recorded.push({ pipeline, entries, group: null, grid: [list[i + 1], list[i + 2], list[i + 3]] });
      i += 5 + 2 * count;
    }
    const handle = this.#nextHandle++;
    this.#programs.set(handle, recorded);
    return handle;
  }

  /** @param {number} handle */
  freeProgram(handle) {
    this.#programs.delete(handle);
  }

  /** Replay a program `times` times in one submit. @param {number} handle @param {number} times */
  run(handle, times) {
    const encoder = this.#device.createCommandEncoder();
    this.#replay(handle, times, encoder.beginComputePass());
    this.#device.queue.submit([encoder.finish()]);
  }

  /**
   * `run`, and `read` behind it, in one submit.
   * @param {number} program @param {number} times @param {number} buffer @param {number} offset @param {number} size
   */
  runAndRead(program, times, buffer, offset, size) {
    const encoder = this.#device.createCommandEncoder();
    this.#replay(program, times, encoder.beginComputePass());
    return this.#bringBack(encoder, buffer, offset, size);
  }

  /**
   * Seconds that a run takes by the device's clock; needs timestamp-query.
   * @param {number} handle @param {number} times @returns {Promise<number>}
   */
  async timed(handle, times) {
    const querySet = this.#device.createQuerySet({ type: "timestamp", count: 2 });
    const stamps = this.#device.createBuffer({ size: 16, label: "timestamps", usage: TIMESTAMPS });
    const encoder = this.#device.createCommandEncoder();
    const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
    this.#replay(handle, times, encoder.beginComputePass({ timestampWrites }));
    encoder.resolveQuerySet(querySet, 0, 2, stamps, 0);
    this.#device.queue.submit([encoder.finish()]);
    const key = this.#nextHandle++;
    this.#buffers.set(key, stamps);
    try {
      const [start, end] = new BigUint64Array((await this.read(key, 0, 16)).buffer);
      return Number(end - start) / 1e9;
    } finally {
      this.freeBuffer(key);
      querySet.destroy();
    }
  }

  /** @param {number} handle @param {number} times @param {GPUComputePassEncoder} pass is ended */
  #replay(handle, times, pass) {
    const recorded = /** @type {Recorded[]} */ (this.#programs.get(handle));
    for (let t = 0; t < times; t++) {
      for (const dispatch of recorded) {
        const { grid } = dispatch;
        const pipeline = this.#compiled(dispatch.pipeline);
        dispatch.group ??= this.#device.createBindGroup({
          layout: pipeline.getBindGroupLayout(0),
          entries: dispatch.entries,
        });
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, dispatch.group);
        pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
      }
    }
    pass.end();
  }

  /** What runs before `ready()` does not wait for its turn. @param {Pipeline} pipeline @returns {GPUComputePipeline} */
  #compiled(pipeline) {
    pipeline.made ??= this.#device.createComputePipeline(pipeline.descriptor);
    return pipeline.made;
  }

  /**
   * Bytes of a buffer as of now in the queue; rejects with device-lost when they can't come.
   * @param {number} handle @param {number} offset @param {number} size @returns {Promise<Uint8Array>}
   */
  async read(handle, offset, size) {
    return this.#bringBack(this.#device.createCommandEncoder(), handle, offset, size);
  }

  /**
   * Submits what was encoded and a copy of these bytes, which it resolves with.
   * @param {GPUCommandEncoder} encoder @param {number} handle @param {number} offset @param {number} size
   */
  async #bringBack(encoder, handle, offset, size) {
    const staging = this.#takeStaging(size);
    encoder.copyBufferToBuffer(this.#at(handle), offset, staging, 0, size);
    this.#device.queue.submit([encoder.finish()]);
    try {
      await this.#prompt.until(staging.mapAsync(1, 0, size));
    } catch (error) {
      await Promise.race([this.lost, new Promise((resolve) => setTimeout(resolve, 200))]);
      this.assertAlive();
      throw error;
    }
    const bytes = new Uint8Array(staging.getMappedRange(0, size)).slice();
    staging.unmap();
    this.#staging.push(staging);
    return bytes;
  }

  /** Wait until buffers and pipelines made so far are known to be good; rejects with what the first bad one met. */
  async ready() {
    const checks = this.#checks;
    this.#checks = [];
    const met = await Promise.all(checks);
    this.assertAlive();
    const bad = met.find((error) => error !== null);
    if (bad) await this.drain(); // what was done with a bad buffer is told as an error of its own; it is the same one
    const uncaptured = this.#uncaptured;
    this.#uncaptured = null;
    if (bad) throw bad;
    if (uncaptured) throw new Error(uncaptured);
  }

  /** Wait until the queue is empty. */
  async drain() {
    await this.#prompt.until(this.#device.queue.onSubmittedWorkDone());
    this.assertAlive();
  }

  /** Throws GpuError device-lost once the device is gone. */
  assertAlive() {
    if (this.lostReason !== null) {
      throw new GpuError(
        "device-lost",
        `The graphics device was lost (${this.lostReason}).`,
        "What was transcribed so far is kept. Load the model again; it comes from the local cache.",
      );
    }
  }

  /** Closes the error scope of what was just made; `ready` tells. @param {(error: GPUError) => Error} explain */
  #check(explain) {
    const met = this.#device.popErrorScope();
    // A lost device rejects; that is told by assertAlive.
    this.#checks.push(
      met.then(
        (error) => (error ? explain(error) : null),
        () => null,
      ),
    );
  }

  /** @param {number} handle @returns {GPUBuffer} */
  #at(handle) {
    const buffer = this.#buffers.get(handle);
    if (!(buffer instanceof GPUBuffer)) throw new Error(`no buffer ${handle}`);
    return buffer;
  }

  /** @param {number} handle @returns {GPUBindingResource} */
  #resource(handle) {
    const found = this.#buffers.get(handle);
    if (found instanceof GPUSampler) return found;
    return found instanceof GPUTexture ? found.createView() : { buffer: this.#at(handle) };
  }

  /** @param {number} size @returns {GPUBuffer} */
  #takeStaging(size) {
    const index = this.#staging.findIndex((b) => b.size >= size && b.size <= 4 * size + 4096);
    if (index >= 0) return this.#staging.splice(index, 1)[0];
    return this.#device.createBuffer({ size, label: "readback", usage: READBACK });
  }
}
