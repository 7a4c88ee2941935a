// The adapter that the browser gives, or why it gives none; what it is called, and whether it is a CPU posing as a GPU.

import { VoxtabError } from "../app/errors.js";

const SOFTWARE = /swiftshader|llvmpipe|basic render/i;

/**
 * @typedef {Pick<GPUAdapterInfo, "vendor" | "architecture" | "device" | "description"> & {isFallbackAdapter?: boolean}} Told
 *   what browsers tell of an adapter, often little: Firefox leaves every name empty; isFallbackAdapter is newer than some
 */

/**
 * The best there is.
 * @param {{gpu?: GPU, userAgent: string}} browser its navigator
 * @returns {Promise<GPUAdapter>}
 * @throws {VoxtabError} no-webgpu or no-adapter
 */
export async function findAdapter({ gpu, userAgent }) {
  const firefox = /firefox/i.test(userAgent); // what is off by itself there can be turned on
  if (!gpu) {
    throw new VoxtabError(
      "no-webgpu",
      "This browser does not offer WebGPU to this page.",
      firefox
        ? "Update Firefox. Where WebGPU is off still, set dom.webgpu.enabled to true in about:config, then restart it."
        : "Use a current Chrome, Edge, Firefox or Safari, over HTTPS or localhost.",
    );
  }
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) {
    throw new VoxtabError(
      "no-adapter",
      "WebGPU is there, but no graphics adapter was offered.",
      firefox
        ? "Update the graphics driver. Where Firefox still refuses it, set gfx.webgpu.ignore-blocklist to true in about:config, then restart it."
        : "Turn on hardware acceleration in the browser's settings, update the graphics driver, then reload.",
    );
  }
  return adapter;
}

/** @param {Told} info @returns {string} for people */
export function adapterName({ vendor, architecture, device, description }) {
  const family = [vendor, architecture].filter(Boolean).join(" ");
  return description || device || family || "not named by this browser";
}

/** @param {Told} info */
export function isSoftware({ architecture, device, description, isFallbackAdapter = false }) {
  return isFallbackAdapter || SOFTWARE.test(`${architecture} ${description} ${device}`);
}
