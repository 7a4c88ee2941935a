"""A tab of headless Chromium for models of gigabytes: waits without an end, watches how much memory the page takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests import chromium
from tests.server_process import ServerProcess

_CREATE = """async (base) => {
  const { Voxtab } = await import(base + '/app/voxtab.js');
  globalThis.vox = await Voxtab.create();
  globalThis.floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  globalThis.begin = (work) => {
    globalThis.run = { progress: "" };
    const start = performance.now();
    work().then(
      (result) => { run.result = result; run.seconds = (performance.now() - start) / 1000; },
      (error) => { run.error = `${error.code}: ${error.message}`; });
  };
  return vox.adapter.name;
}"""
_LOAD = """(id) => begin(() => vox.load(id, {
  onProgress: (p) => { run.progress = `${(p.loadedBytes / 1e6).toFixed(0)} MB on the GPU, `; },
}))"""
# JavaScript and WASM of the page and its workers, by Chromium's own count (needs cross-origin isolation).
_MEASURE = "performance.measureUserAgentSpecificMemory().then((measured) => measured.bytes)"


class FullSizeTab:
    """`page`: where `vox` is. `adapter`: its name. `peak_bytes`: the most memory the page has been seen with, GPU not
    counted."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        page.set_default_timeout(0)
        page.goto(f"{url}/api/health")  # our origin and headers, without the page's own worker
        self.adapter: str = page.evaluate(_CREATE, url)
        self.peak_bytes = 0

    def load(self, model: str) -> tuple[dict[str, Any], float]:
        """What voxtab.js says of the loaded model, and seconds taken."""
        return self.run(_LOAD, model, f"loading {model}")

    def run(self, script: str, argument: object, what: str) -> tuple[dict[str, Any], float]:
        """Run a script that calls `begin(work)`: the work's result and seconds. SystemExit when it fails.

        The work may set `run.progress` to what a line about it begins with.
        """
        self.page.evaluate(script, argument)
        while self.page.evaluate("run.result === undefined"):
            if error := self.page.evaluate("run.error"):
                raise SystemExit(f"{what} failed: {error}")
            bytes_now = int(self.page.evaluate(_MEASURE))
            self.peak_bytes = max(self.peak_bytes, bytes_now)
            progress = self.page.evaluate("run.progress")
            print(f"  {what}: {progress}page {bytes_now / 1e6:.0f} MB", flush=True)
            time.sleep(2)
        found = self.page.evaluate("run")
        return found["result"], found["seconds"]

    def wasm_bytes(self) -> int:
        """The WebAssembly heap, which never shrinks."""
        heap: int = self.page.evaluate("vox.memory().then((memory) => memory.wasmHeapBytes)")
        return heap


@contextmanager
def open_tab(models: Path, log: Path) -> Iterator[FullSizeTab]:
    """voxtab.js started on a page of a server that offers the models below `models`."""
    with sync_playwright() as playwright, ServerProcess(log, models) as server:
        browser = chromium.launch(playwright)
        page = browser.new_context(ignore_https_errors=True).new_page()
        yield FullSizeTab(page, server.url)
        browser.close()
