"""Tuning in a tab: it happens once, what it chose stays in the browser, and the next visit computes by it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e import tiles_in_worker
from tests.e2e.demo_page import DemoPage
from tests.e2e.tab import BARE_PAGE, Tab
from tests.e2e.worker_python import call_python, expose_python
from tests.parity.golden import Expected
from tests.server_process import ServerProcess
from voxtab.kernels import key
from voxtab.kernels.tiles import candidates, suitable

VISIT = """async ([tuning, wav]) => {
  const { Voxtab } = await import("/app/voxtab.js");
  const vox = window.vox = await Voxtab.create({ tuning });
  await vox.load("asr-tiny-q4_0");
  const bytes = Uint8Array.from(atob(wav), (c) => c.charCodeAt(0));
  return (await vox.transcribe(new File([bytes], "recording.wav"), { delayMs: 480 })).tokens;
}"""
FILES = """async () => {
  const found = {};
  const root = await navigator.storage.getDirectory();
  for await (const [name, folder] of root.entries()) {
    if (name !== "voxtab-tuning") continue;
    for await (const file of (await folder.getDirectoryHandle("choices")).values()) {
      found[file.name] = await (await file.getFile()).text();
    }
  }
  return found;
}"""
REPLACE = """async ([name, text]) => {
  const root = await navigator.storage.getDirectory();
  const folder = await (await root.getDirectoryHandle("voxtab-tuning")).getDirectoryHandle("choices");
  const stream = await (await folder.getFileHandle(name)).createWritable();
  await stream.write(text);
  await stream.close();
}"""
CHOSEN = """python.runPython(`
from dataclasses import asdict
import json
from base64 import b64encode
from voxtab.tab.worker_engine import engine_here
json.dumps(asdict(engine_here().gpu.tiles.one) | {"chosen": engine_here().gpu.chosen_tiles is not None})`)"""


# In place of the worker: is ready, refuses every load, and remembers what was asked.
STAND_IN = """globalThis.asked = [];
globalThis.Worker = class extends EventTarget {
  postMessage({ id, method, params }) {
    asked.push([method, params]);
    const adapter = { name: "none", software: true, memoryBytes: null, features: [] };
    const answers = { ready: { version: "0", adapter }, cached: [], loadedTasks: [], memory: { gpuBytes: 0 } };
    const error = { code: "model-missing", message: "No.", hint: "" };
    const data = method in answers ? { id, ok: answers[method] } : { id, error };
    setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data })));
  }
  terminate() {}
};"""


class Visits:
    """Visits of one browser to the site, one after the other."""

    def __init__(self, page: Page, wav: bytes, url: str) -> None:
        self.page = page
        self._wav = wav
        self._url = url

    def __call__(self, tuning: bool | None) -> tuple[list[int], dict[str, Any]]:
        """Tokens of the recording, and the tile for one row."""
        self.page.goto(self._url + BARE_PAGE)
        tokens = self.page.evaluate(VISIT, [tuning, b64encode(self._wav).decode()])
        (worker,) = self.page.workers
        return tokens, json.loads(worker.evaluate(CHOSEN))

    def kept(self) -> dict[str, str]:
        found: dict[str, str] = self.page.evaluate(FILES)
        return found


@pytest.fixture
def visits(browser: Browser, site: ServerProcess, data: Path) -> Iterator[Visits]:
    with browser.new_context(ignore_https_errors=True) as context:
        expose_python(context)
        yield Visits(context.new_page(), (data / "asr-tiny" / "input.wav").read_bytes(), site.url)


def test_a_tab_tunes_once_and_the_next_visit_computes_by_it(visits: Visits, data: Path) -> None:
    expected = Expected(data / "asr-tiny", "q4_0").transcript(480)
    tokens, tile = visits(True)
    assert tokens == expected
    assert tile["chosen"]
    ((name, text),) = visits.kept().items()
    assert json.loads(text)["one"] == {key: tile[key] for key in tile if key != "chosen"}
    # Were it tuned again, the file would be written again; were the file not used, the tile would not be its.
    other = next(each for each in suitable(True, frozenset()).one if asdict(each) != json.loads(text)["one"])
    changed = json.dumps(json.loads(text) | {"one": asdict(other)})
    visits.page.evaluate(REPLACE, [name, changed])
    tokens, tile = visits(True)
    assert tokens == expected
    assert tile == asdict(other) | {"chosen": True}
    assert visits.kept() == {name: changed}


def test_the_page_can_leave_it_out(page: Page, site: ServerProcess) -> None:
    page.add_init_script(STAND_IN)
    demo = DemoPage(page, site.url, wait=False)
    for checked, tuning in ((True, None), (False, False)):
        expect(demo["model-load"]).to_be_enabled()
        demo["tuning"].evaluate("(box, checked) => { box.checked = checked; }", checked)
        page.evaluate("asked.length = 0")
        demo["model-load"].click()
        page.wait_for_function("asked.some(([method]) => method === 'load')")
        (load,) = page.evaluate("asked.filter(([method]) => method === 'load')")
        assert load[1]["tuning"] is tuning


def test_what_is_no_answer_to_the_question_is_refused(page: Page, site: ServerProcess) -> None:
    page.add_init_script(STAND_IN)
    page.goto(site.url + BARE_PAGE)
    code = page.evaluate("""async () => {
      const { Voxtab } = await import("/app/voxtab.js");
      return Voxtab.create({ tuning: "yes" }).then(() => "", ({ code }) => code);
    }""")
    assert code == "option-invalid"


def test_tint_and_swiftshader_make_every_tile_compute_the_same(tab: Tab) -> None:
    tab.load("asr-tiny-q4_0")
    found = call_python(tab.worker, Path(tiles_in_worker.__file__), "agreeing")
    assert [name for name, agrees in found.items() if not agrees] == []
    tiles = [tile for tile in (*candidates(True), *candidates(False)) if tile.kernel != "matmat_subgroup"]
    assert set(found) == {key(tile.kernel, **tile.parameters) for tile in tiles}
