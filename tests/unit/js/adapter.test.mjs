// What is made of what browsers tell of their adapters, and what is told where they give none.

import assert from "node:assert/strict";
import { test } from "node:test";
import { VoxtabError } from "../../../web/app/errors.js";
import { adapterName, findAdapter, isSoftware } from "../../../web/worker/adapter.js";

const CHROMIUM = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:159.0) Gecko/20100101 Firefox/159.0";
const NOTHING = { vendor: "", architecture: "", device: "", description: "" };
const SWIFTSHADER = { ...NOTHING, vendor: "google", architecture: "swiftshader" };
const LAPTOP = { ...NOTHING, vendor: "intel", architecture: "gen-12lp" };

/** A browser whose WebGPU gives this. @param {string} userAgent @param {object | null} [adapter] @returns {any} */
const browser = (userAgent, adapter) => ({
  userAgent,
  gpu: adapter === undefined ? undefined : { requestAdapter: async () => adapter },
});

test("an adapter that is offered is taken", async () => {
  const adapter = { info: LAPTOP };
  assert.equal(await findAdapter(browser(CHROMIUM, adapter)), adapter);
});

for (const [code, adapter, setting] of /** @type {const} */ ([
  ["no-webgpu", undefined, "dom.webgpu.enabled"],
  ["no-adapter", null, "gfx.webgpu.ignore-blocklist"],
])) {
  test(`${code} is told with what to do, in Firefox by the name of its setting`, async () => {
    for (const userAgent of [CHROMIUM, FIREFOX]) {
      await assert.rejects(findAdapter(browser(userAgent, adapter)), (error) => {
        assert.ok(error instanceof VoxtabError);
        assert.equal(error.code, code);
        assert.equal(error.hint.includes(setting), userAgent === FIREFOX);
        return true;
      });
    }
  });
}

test("an adapter is called what says most of it", () => {
  assert.equal(adapterName(LAPTOP), "intel gen-12lp");
  assert.equal(adapterName({ ...LAPTOP, device: "0x9a49" }), "0x9a49");
  assert.equal(adapterName({ ...LAPTOP, device: "0x9a49", description: "Iris Xe" }), "Iris Xe");
});

test("where a browser tells no name, that is said", () => {
  assert.equal(adapterName(NOTHING), "not named by this browser");
});

test("a CPU that poses as a GPU is known by its name, or by the browser saying so", () => {
  assert.ok(isSoftware(SWIFTSHADER));
  assert.ok(isSoftware({ ...NOTHING, description: "llvmpipe (LLVM 15.0.6, 256 bits)" }));
  assert.ok(isSoftware({ ...NOTHING, isFallbackAdapter: true }));
  assert.ok(!isSoftware({ ...NOTHING, isFallbackAdapter: false }));
  assert.ok(!isSoftware(LAPTOP));
});
