"""What crosses between Python, JavaScript and the GPU while a long recording is transcribed: counted, not timed.

Chromium's own WebGPU calls are counted, and calls into Python where Pyodide makes them, so nothing rests on the
engine's own counters alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Route

from tests.conftest import DATA
from tests.e2e.recordings import joined
from tests.e2e.tab import Tab
from tests.server_process import ServerProcess

RECORDINGS = sorted((DATA / "asr-words").glob("*.wav"))
# How much goes into a submit depends on how fast the last ones were, and here it must not depend on the machine.
SUBMIT_MS = 60_000

COUNT_GPU_CALLS = """() => {
  self.counts = { submit: 0, mapAsync: 0 };
  for (const [kind, name] of [[GPUQueue, "submit"], [GPUBuffer, "mapAsync"]]) {
    const original = kind.prototype[name];
    kind.prototype[name] = function (...rest) {
      counts[name] += 1;
      return original.apply(this, rest);
    };
  }
}"""
COUNT_ENTRY = "globalThis.pythonEntries = (globalThis.pythonEntries ?? 0) + 1"
# The two ways from JavaScript into a Python function, as Pyodide's loader has them.
ENTRIES = {
    '=wasmExports["_pyproxy_apply"]': (
        f'=((f) => (...a) => ({COUNT_ENTRY}, f(...a)))(wasmExports["_pyproxy_apply"])'
    ),
    "return promisingApplyHandler(...args)": f"{COUNT_ENTRY}; return promisingApplyHandler(...args)",
}


def count_entries(route: Route) -> None:
    """Answers with Pyodide's loader, changed to count each call into Python."""
    response = route.fetch()
    script = response.text()
    for call, counted in ENTRIES.items():
        assert script.count(call) == 1, f"Pyodide's loader has no {call!r} any more"
        script = script.replace(call, counted)
    route.fulfill(response=response, body=script)


@pytest.fixture(scope="module")
def transcript(browser: Browser, site: ServerProcess) -> Iterator[dict[str, Any]]:
    """23 s of speech transcribed, with the `counts` of the calls that took."""
    with browser.new_context(ignore_https_errors=True) as context:
        context.route("**/pyodide/pyodide.asm.mjs", count_entries)
        tab = Tab(context.new_page(), site.url)
        tab.load("asr-words-q4_0")
        tab.transcribe(RECORDINGS[0].read_bytes(), submitMs=SUBMIT_MS)  # compiles the kernels
        tab.worker.evaluate(COUNT_GPU_CALLS)
        tab.worker.evaluate("self.pythonEntries = 0")
        transcript = tab.transcribe(joined(RECORDINGS), submitMs=SUBMIT_MS)
        counts = tab.worker.evaluate("({ ...counts, entries: self.pythonEntries })")
        yield {**transcript, "counts": counts}


def test_a_hundred_tokens_take_eight_submits_and_eight_readbacks_at_most(transcript: dict[str, Any]) -> None:
    assert len(transcript["tokens"]) >= 250
    counters = transcript["stats"]["counters"]
    assert 100 * counters["submits"] <= 8 * len(transcript["tokens"])
    assert 100 * counters["readbacks"] <= 8 * len(transcript["tokens"])


def test_chromium_saw_as_few_submits_and_readbacks_as_the_engine_counted(transcript: dict[str, Any]) -> None:
    counters, counts = transcript["stats"]["counters"], transcript["counts"]
    assert counts["mapAsync"] == counters["readbacks"]
    # A readback is a submit too, of the copy into the buffer that is mapped; and so is each cache that grows.
    assert counters["submits"] + counters["readbacks"] <= counts["submit"]
    assert 100 * counts["submit"] <= 20 * len(transcript["tokens"])


def test_python_is_entered_and_left_a_bounded_number_of_times_per_submit(transcript: dict[str, Any]) -> None:
    submits = transcript["stats"]["counters"]["submits"]
    assert submits <= transcript["counts"]["entries"] <= 5 * submits
    assert transcript["stats"]["counters"]["calls"] <= 20 * submits
