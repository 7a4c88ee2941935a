"""What crosses between Python, JavaScript and the GPU in a transcription and in a speech: counted, not timed.

Chromium's own WebGPU calls are counted, and calls into Python where Pyodide makes them, so nothing rests on the
engine's own counters alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.python_entries import COUNTER
from tests.e2e.recordings import joined
from tests.e2e.tab import Tab

# How much goes into a submit depends on how fast the last ones were, and here it must not depend on the machine.
SUBMIT_MS = 60_000

COUNT_GPU_CALLS = """() => {
  if (self.counts) return;
  self.counts = {};
  for (const [kind, name] of [[GPUQueue, "submit"], [GPUBuffer, "mapAsync"]]) {
    const original = kind.prototype[name];
    kind.prototype[name] = function (...rest) {
      counts[name] += 1;
      return original.apply(this, rest);
    };
  }
}"""


RESET = f"() => {{ Object.assign(counts, {{ submit: 0, mapAsync: 0 }}); self.{COUNTER} = 0; }}"


def counted(tab: Tab, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `work` gives, with the `counts` of the calls that took."""
    tab.worker.evaluate(COUNT_GPU_CALLS)
    tab.worker.evaluate(RESET)
    result = work()
    return {**result, "counts": tab.worker.evaluate(f"({{ ...counts, entries: self.{COUNTER} }})")}


@pytest.fixture(scope="module")
def transcript(tab: Tab, data: Path) -> dict[str, Any]:
    """28 s of sound."""
    recording = data / "asr-tiny" / "input.wav"
    tab.load("asr-tiny-q4_0")
    tab.transcribe(recording.read_bytes(), submitMs=SUBMIT_MS)  # compiles the kernels
    return counted(tab, lambda: tab.transcribe(joined([recording] * 9), submitMs=SUBMIT_MS))


@pytest.fixture(scope="module")
def speech(tab: Tab, data: Path) -> dict[str, Any]:
    """24 frames."""
    noise = np.load(data / "tts-tiny" / "expected.npz")["x0"]
    tab.load("tts-tiny-q4_0")
    speak = partial(tab.speak, "Hello there! It's 42 degrees — très bien.", noise, voice="neutral_female")
    return counted(tab, lambda: speak(submitMs=SUBMIT_MS))


def test_a_hundred_tokens_take_eight_submits_and_eight_readbacks_at_most(transcript: dict[str, Any]) -> None:
    assert len(transcript["tokens"]) >= 250
    counters = transcript["stats"]["counters"]
    assert 100 * counters["submits"] <= 8 * len(transcript["tokens"])
    assert 100 * counters["readbacks"] <= 8 * len(transcript["tokens"])


def test_chromium_saw_as_few_submits_and_readbacks_as_the_engine_counted(transcript: dict[str, Any]) -> None:
    counters, counts = transcript["stats"]["counters"], transcript["counts"]
    assert counts["mapAsync"] == counters["readbacks"]
    # The copy into the buffer that is mapped goes with the run before it. What is a submit too is each cache that grows.
    assert counters["submits"] <= counts["submit"]
    assert 100 * counts["submit"] <= 10 * len(transcript["tokens"])


def test_python_is_entered_and_left_a_bounded_number_of_times_per_submit(transcript: dict[str, Any]) -> None:
    submits = transcript["stats"]["counters"]["submits"]
    assert submits <= transcript["counts"]["entries"] <= 5 * submits
    assert transcript["stats"]["counters"]["calls"] <= 20 * submits


def test_frames_queued_together_need_no_round_trip_each(speech: dict[str, Any]) -> None:
    """A batch of frames is a run and a readback of its codes, a run of the codec and a readback of its sound. Batches
    grow as they come back, two late: 1 frame (in halves), 2, 2, 2, 4 and so on."""
    counters, counts = speech["stats"]["counters"], speech["counts"]
    assert speech["frames"] == 24
    assert counters["submits"] <= 21
    assert counts["mapAsync"] == counters["readbacks"] <= 21
    # A readback without a run is a submit too, and so are copies: of the voice that is kept, of caches that grow.
    assert counters["submits"] <= counts["submit"] <= 38
    assert counts["entries"] <= 5 * counters["submits"]
