"""Benchmarks run in voxtab's own worker too, on its GPU and through its loader."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error

from tests.benchmarks.bench_worker import BenchWorker
from tests.benchmarks.in_chromium import bench_load
from tests.e2e.worker_python import expose_python
from tests.server_process import ServerProcess
from voxtab.bench.report import as_text

_STACK = {"dim": 64, "n_layers": 2, "n_heads": 2, "n_kv_heads": 2, "head_dim": 32, "hidden_dim": 96}
_SIZES = {
    "voxtral.vocab_size": 1300,
    **{f"voxtral.{part}.{key}": _STACK[key] for part in ("encoder", "decoder") for key in _STACK},
}


@pytest.fixture
def worker(browser: Browser, site: ServerProcess) -> Iterator[BenchWorker]:
    with browser.new_context(ignore_https_errors=True) as context:
        expose_python(context)
        yield BenchWorker(context.new_page(), site.url)


def test_loading_and_sessions_are_measured_in_a_tab(worker: BenchWorker) -> None:
    loaded = bench_load(worker, 2, "asr-tiny-q4_0", repeats=1)
    assert [way["name"] for way in loaded["ways"]] == [
        *("fetched", "fetched, checked", "fetched, checked, on GPU"),
        *("the same, into the cache", "cached, checked, on GPU"),
    ]
    for way in loaded["ways"]:
        assert way["gb_s"] == pytest.approx(loaded["model_bytes"] / way["s"] / 1e9)
    # Loading by the cache's way filled it, and nothing else did.
    assert worker.run("await cached_models()") == 1

    config = f"AsrConfig.from_gguf(json.loads({json.dumps(json.dumps(_SIZES))}))"
    worker.run("from voxtab.models.asr_config import AsrConfig")
    heard = worker.measured(f"session.bench_transcription(gpu, {config}, 2, 0.4)")
    for session in heard["sessions"]:
        assert session["steps"] == 5 + 11  # of the sound, and of the silence that brings the last words out
        assert 0 < session["host_ms_per_step"] <= session["rtf"] * 400
        assert session["full"]["stages_ms"] == session["stages_ms"], "all layers were measured"
    assert "Python is at work" in as_text(heard)
    # With dispatches of no workgroups a session is as long, and no kernel's time is left in it.
    worker.empty_dispatches()
    empty = worker.measured(f"session.bench_transcription(gpu, {config}, 2, 0.4)")
    for session, full in zip(empty["sessions"], heard["sessions"], strict=True):
        assert session["steps"] == full["steps"]
        assert session["per_100_steps"]["submits"] <= full["per_100_steps"]["submits"]
    assert worker.run("gpu.gpu_bytes") < 1 << 14, "something stays allocated"


_FILL = """@group(0) @binding(0) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] += id.x + 1; }"""


def test_a_program_may_run_before_its_kernels_are_compiled(worker: BenchWorker) -> None:
    worker.run(f"""
from voxtab.gpu.base import Dispatch
y = gpu.buffer(16, "y")
program = gpu.program([Dispatch(gpu.pipeline("fill", {_FILL!r}), ((0, y),), (1, 1, 1))])
async def filled():
    gpu.run(program)
    return list(memoryview(await gpu.read(y, 0, 16).bytes()).cast("I"))
""")
    assert worker.run("json.dumps(await filled())") == "[1, 2, 3, 4]"
    assert worker.run("await gpu.ready()\njson.dumps(await filled())") == "[2, 4, 6, 8]"


def test_a_kernel_that_does_not_compile_is_named(worker: BenchWorker) -> None:
    worker.run('gpu.pipeline("broken", "fn main(")')
    with pytest.raises(Error, match="broken: "):
        worker.run("await gpu.ready()")
