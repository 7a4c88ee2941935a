"""voxtab's worker in a page, where benchmarks run in its Python, with the worker's own GPU and loader at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Worker, sync_playwright

from tests import chromium
from tests.e2e.worker_python import expose_python
from tests.server_process import ServerProcess

# Of the server's origin and under its headers, but without an engine of its own.
_BARE_PAGE = "/api/health"

_START = """() => new Promise((resolve, reject) => {
  globalThis.worker = new Worker("/worker/worker.js", { type: "module" });
  worker.onmessage = ({ data }) => {
    if (data.id === 1) data.error ? reject(new Error(data.error.message)) : resolve();
  };
  worker.postMessage({ id: 1, method: "ready", params: {} });
})"""

# `idle_js` is a GPU that takes everything and does nothing.
_PREPARE = """async () => {
  const part = (name) => import(new URL(`/worker/${name}.js`, location.href).href);
  const { createGpu } = await part("gpu");
  const { openSource } = await part("open_source");
  const { OpfsStore } = await part("cache");
  const gpu = await createGpu();
  let made = 0;
  const make = () => ++made;
  const ignore = () => {};
  const idle = {
    info: gpu.info,
    buffer: make, texture: make, sampler: make, pipeline: make, program: make,
    freeBuffer: ignore, freeProgram: ignore, write: ignore, copy: ignore, run: ignore,
    ready: async () => {}, drain: async () => {},
  };
  const open_source = async (entry, cached, emptied) => {
    const store = cached ? new OpfsStore() : null;
    if (emptied) for (const { key } of await store.list()) await store.delete(key);
    const signal = new AbortController().signal;
    return openSource(JSON.parse(entry), { signal, checkManifest: JSON.parse, store });
  };
  const cached_models = async () => (await new OpfsStore().list()).length;
  const names = { js_gpu: gpu, idle_js: idle, open_source, cached_models };
  for (const [name, value] of Object.entries(names)) python.globals.set(name, value);
  python.runPython(`
import json
from dataclasses import asdict
from voxtab.gpu.browser import BrowserGpu
from voxtab.bench import kernels, presets, session, steps
from voxtab.tuning.trial import tune
gpu, idle = BrowserGpu(js_gpu), BrowserGpu(idle_js)`);
}"""
# Everything is recorded, submitted and brought back as ever, but no kernel computes anything.
_EMPTY_DISPATCHES = """() => {
  const { dispatchWorkgroups } = GPUComputePassEncoder.prototype;
  GPUComputePassEncoder.prototype.dispatchWorkgroups = function () {
    dispatchWorkgroups.call(this, 0, 0, 0);
  };
}"""
_RUN = "async (code) => await python.runPythonAsync(code)"


_TILES = "{'tiles': [asdict(tile) for tile in gpu.tiles]}"


class BenchWorker:
    """`page`: the one around it. In the worker's Python, `gpu` is the adapter and `idle` one that does nothing."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        page.set_default_timeout(0)
        page.goto(url + _BARE_PAGE)
        with page.expect_worker() as started:
            page.evaluate(_START)
        self._worker: Worker = started.value
        self._worker.evaluate(_PREPARE)

    def measured(self, call: str) -> dict[str, Any]:
        """What a coroutine function of voxtab.bench gives in there."""
        result: dict[str, Any] = json.loads(self.run(f"json.dumps(await {call} | {_TILES})"))
        return result

    def empty_dispatches(self) -> None:
        """From now on every dispatch is of no workgroups: what is left is the host's work."""
        self._worker.evaluate(_EMPTY_DISPATCHES)

    def run(self, code: str) -> Any:
        """Python there; the value of its last line."""
        return self._worker.evaluate(_RUN, code)


@contextmanager
def bench_worker(folder: Path, *models: Path) -> Iterator[BenchWorker]:
    """In headless Chromium on SwiftShader, at a server of its own; `folder`: for the server's log."""
    with sync_playwright() as playwright, ServerProcess(folder / "server.txt", *models) as server:
        browser = chromium.launch(playwright)
        context = browser.new_context(ignore_https_errors=True)
        expose_python(context)
        yield BenchWorker(context.new_page(), server.url)
        browser.close()
