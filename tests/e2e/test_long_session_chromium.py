"""A stream in a tab stays as small as it was over many segments; of three hours: tests/benchmarks/long_session_tab.py."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pytest

from tests.benchmarks.long_session import smallest_model, spread
from tests.benchmarks.long_session_tab import Ending, LongStream, Look
from tests.e2e.tab import Tab

_LOAD = """async (model) => vox.load(new File([tab.bytes(model)], "smallest.gguf"))"""
_WAIT_WITH = """async (seconds) => {
  const leaving = new AbortController();
  const live = await vox.listen({ stepwise: true, signal: leaving.signal });
  live.feed(new Float32Array(16000 * seconds));
  leaving.abort();
  await live.result.catch(() => {});
}"""


@dataclass(frozen=True)
class Outcome:
    looks: list[Look]
    ending: Ending


@pytest.fixture(scope="module")
def outcome(tab: Tab, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """72 seconds in segments of 18 and some, looked at every 24. By then buffers have their size: caches that of 512
    positions, which no segment comes to the end of, and chunks are as large as they may be, however slow this machine is.
    The heap never shrinks and grows by a fifth at a time: as much sound as is ever fed ahead (30 s), and as much again,
    waits there before and is gone, lest how much waits at a look decides.
    """
    model = smallest_model(tmp_path_factory.mktemp("model")).read_bytes()
    tab.page.evaluate(_LOAD, base64.b64encode(model).decode())
    tab.page.evaluate(_WAIT_WITH, 60)
    stream = LongStream(tab.page, talk_s=40, delayMs=480, segmentSeconds=18, submitMs=60_000)
    looks = [stream.hear(seconds) for seconds in (24, 48, 72)]
    return Outcome(looks, stream.end())


def test_memory_does_not_grow_with_the_stream(outcome: Outcome) -> None:
    looks = outcome.looks
    assert len(outcome.ending.segments) >= 4
    assert spread([look.gpu_bytes for look in looks]) < 0.01
    assert spread([look.wasm_heap_bytes for look in looks]) < 0.01
    # 48 seconds of sound are 3 MB.
    assert looks[-1].page_heap_bytes - looks[0].page_heap_bytes < 200_000


def test_the_last_segment_is_what_a_fresh_stream_writes(outcome: Outcome) -> None:
    assert len(outcome.ending.last_tokens) > 100
    assert outcome.ending.last_tokens == outcome.ending.fresh_tokens
