"""How often an offline transcription goes to the GPU and waits for it: counted, not timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from shard_tools.quantize import quantize_checkpoint
from tests.parity.engine import Floats, loaded, transcribe
from voxtab.gpu.base import Gpu, Readback
from voxtab.gpu.native import NativeGpu
from voxtab.models.asr_state import AsrOptions
from voxtab.sessions.engine import Engine

# How much goes into a submit depends on how fast the last ones were, and here it must not depend on the machine.
OPTIONS = AsrOptions(submit_ms=60_000)


class NotedReadback(Readback):
    def __init__(self, readback: Readback, number: int, log: list[tuple[str, int]]) -> None:
        self._readback = readback
        self._number = number
        self._log = log

    async def bytes(self) -> bytes:
        self._log.append(("wait", self._number))
        return await self._readback.bytes()


class NotingGpu(NativeGpu):
    """Notes ("run", n) of the n-th submit, and ("wait", n) when the readback behind it is waited for."""

    most_in_flight = (
        Gpu.most_in_flight
    )  # as in a browser, where waiting for one does not mean waiting for all

    def __init__(self, adapter: Any) -> None:
        self.log: list[tuple[str, int]] = []
        self.runs = 0
        super().__init__(adapter)

    def _run_program(self, program: int, times: int) -> None:
        self.runs += 1
        self.log.append(("run", self.runs))
        super()._run_program(program, times)

    def _run_and_read(self, program: int, times: int, buffer: int, offset: int, size: int) -> Readback:
        self.runs += 1
        self.log.append(("run", self.runs))
        readback = super()._run_and_read(program, times, buffer, offset, size)
        return NotedReadback(readback, self.runs, self.log)

    def _read_buffer(self, buffer: int, offset: int, size: int) -> Readback:
        return NotedReadback(super()._read_buffer(buffer, offset, size), self.runs, self.log)


@pytest.fixture(scope="module")
def engine(native_adapter: Any, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    model = tmp_path_factory.mktemp("counters") / "words.gguf"
    quantize_checkpoint(data / "asr-words", model, "q4_0", scales="absmax")
    engine = loaded(NotingGpu(native_adapter), model)
    transcribe(engine, np.zeros(16000, np.float32), OPTIONS)  # compiles the kernels
    return engine


@pytest.fixture(scope="module")
def speech(data: Path) -> Floats:
    """23 s of words."""
    paths = sorted((data / "asr-words").glob("*.wav"))
    return np.concatenate([soundfile.read(path, dtype="float32")[0] for path in paths])


def test_a_hundred_tokens_take_eight_submits_and_eight_readbacks_at_most(
    engine: Engine, speech: Floats
) -> None:
    session = transcribe(engine, speech, OPTIONS)
    assert len(session.tokens) >= 250
    counters = session.stats()["counters"]
    assert 100 * counters["submits"] <= 8 * len(session.tokens)
    assert 100 * counters["readbacks"] <= 8 * len(session.tokens)
    assert counters["calls"] <= 20 * counters["submits"]


def test_a_result_is_waited_for_only_with_later_work_queued_behind_it(engine: Engine, speech: Floats) -> None:
    assert isinstance(engine.gpu, NotingGpu)
    engine.gpu.log.clear()
    transcribe(engine, speech, OPTIONS)
    newest, behind = 0, []
    for event, number in engine.gpu.log:
        if event == "run":
            newest = number
        else:
            behind.append(newest - number)
    assert len(behind) >= 10
    assert min(behind[:-3]) >= 1  # at the end of the sound there is nothing left to queue
