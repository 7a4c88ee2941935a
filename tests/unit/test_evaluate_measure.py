"""How recordings are run, on an engine that needs no GPU: what spoils one recording, what ends a run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile

from shard_tools.evaluate import Counts, FileResult, Item, evaluate, measure
from voxtab.errors import VoxtabError
from voxtab.models.asr_state import AsrOptions
from voxtab.sessions.engine import Engine


class StubSession:
    """Writes "word" for every second of sound and checks that it is handled as a session must be."""

    def __init__(self, engine: StubEngine, options: AsrOptions) -> None:
        self.engine, self.options = engine, options
        self.fed = self.stepped = 0
        self.loudest = 0.0
        self.closed = self.done = self.freed = False

    @property
    def heard_s(self) -> float:
        return self.stepped / 16000

    @property
    def backlog(self) -> int:
        return self.fed - self.stepped

    def feed(self, pcm: memoryview) -> None:
        assert not self.closed
        samples = np.frombuffer(pcm, np.float32)
        if not np.isfinite(samples).all():
            raise VoxtabError("audio-undecodable", "The sound holds values that are no numbers.", "Again.")
        self.fed += len(samples)
        self.loudest = max(self.loudest, float(np.abs(samples).max()))

    def close(self) -> None:
        self.closed = True

    async def step(self) -> str:
        self.engine.steps += 1
        if self.engine.steps == self.engine.fault_at:
            self.engine.fault()
        self.stepped = min(self.fed, self.stepped + 16000)
        self.done = self.closed and self.stepped == self.fed
        return ""

    @property
    def text(self) -> str:
        return " ".join(["word"] * (self.fed // 16000))

    def free(self) -> None:
        self.freed = True


class StubEngine:
    def __init__(self, fault_at: int = 0, fault: Any = None) -> None:
        self.fault_at, self.fault = fault_at, fault
        self.steps = 0
        self.sessions: list[StubSession] = []

    def transcription(self, options: AsrOptions) -> StubSession:
        assert all(session.freed for session in self.sessions)
        self.sessions.append(StubSession(self, options))
        return self.sessions[-1]


def as_engine(stub: StubEngine) -> Engine:
    return cast(Engine, stub)


def seconds(count: float, level: float = 0.5) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.full(int(count * 16000), level, np.float32)


def test_samples_are_scored_timed_and_named() -> None:
    items = [Item(seconds(2), "Word, word!", "a", "first"), Item(seconds(65), "", "b", "second")]
    stub = StubEngine()
    report = evaluate(as_engine(stub), items, AsrOptions(delay_ms=240))
    assert [result.name for result in report.results] == ["first", "second"]
    assert report.results[0].hypothesis == "word word"
    assert report.results[0].words == Counts(hits=2)
    assert report.results[1].words == Counts(insertions=65)
    assert [result.seconds for result in report.results] == [2.0, 65.0]
    assert all(0 < result.processing_s < 5 for result in report.results)
    assert list(report.by_group) == ["a", "b"]
    assert not report.partial
    assert all(session.freed and session.options.delay_ms == 240 for session in stub.sessions)


def test_a_long_recording_goes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = []
    feed = StubSession.feed

    def watched(self: StubSession, pcm: memoryview) -> None:
        feed(self, pcm)
        waiting.append(self.backlog)

    monkeypatch.setattr(StubSession, "feed", watched)
    evaluate(as_engine(StubEngine()), [Item(seconds(300), "")])
    assert len(waiting) == 10
    assert max(waiting) <= 60 * 16000


def test_a_recording_that_cannot_be_read_is_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(b"not a sound")
    soundfile.write(tmp_path / "good.wav", seconds(1), 16000)
    soundfile.write(tmp_path / "empty.wav", seconds(0), 16000)
    items = [Item(tmp_path / name, "word") for name in ("noise.wav", "absent.wav", "empty.wav", "good.wav")]
    items.insert(3, Item(np.full(100, np.nan, np.float32), "word", name="not numbers"))
    report = evaluate(as_engine(StubEngine()), items)
    codes = [result.error.code for result in report.failed if result.error]
    assert codes == ["audio-undecodable", "audio-missing", "audio-empty", "audio-undecodable"]
    assert (report.total.files, report.total.words) == (1, Counts(hits=1))
    assert not report.partial


@pytest.mark.parametrize("normalize_peak", [False, True])
def test_the_gain_is_the_options_or_each_peaks(normalize_peak: bool) -> None:
    stub = StubEngine()
    items = [Item(seconds(1, level), "word") for level in (0.1, -0.01, 0.0)]
    evaluate(as_engine(stub), items, AsrOptions(gain=3.0), normalize_peak=normalize_peak)
    gains = [session.options.gain for session in stub.sessions]
    assert gains == pytest.approx([9.5, 95.0, 1.0] if normalize_peak else [3.0, 3.0, 3.0])


def test_progress_goes_from_nothing_to_all() -> None:
    said: list[tuple[float, int]] = []
    evaluate(as_engine(StubEngine()), [Item(seconds(4), "")] * 2, progress=lambda *now: said.append(now))
    done = [now[0] for now in said]
    assert done[0] == 0.0
    assert done == sorted(done)
    assert {0.25, 0.5, 1.0, 1.75} <= set(done)
    assert said[-1] == (2, 2)


def lose_the_device() -> None:
    raise VoxtabError("device-lost", "The GPU is gone.", "Start again.")


def all_of(results: Iterator[FileResult], into: list[FileResult]) -> None:
    """What came before an exception stays in `into`."""
    for result in results:
        into.append(result)


def test_a_lost_device_ends_the_run_after_the_results_there_were() -> None:
    stub, results = StubEngine(fault_at=4, fault=lose_the_device), list[FileResult]()
    with pytest.raises(VoxtabError) as caught:
        all_of(measure(as_engine(stub), [Item(seconds(2), "")] * 3), results)
    assert caught.value.code == "device-lost"
    assert len(results) == 1
    assert stub.sessions[-1].freed


@pytest.fixture
def ctrl_c_heard() -> Iterator[None]:
    """As at a terminal; a process begun in the background of a shell ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_heard")
def test_ctrl_c_gets_through_in_the_middle_of_a_recording() -> None:
    stub = StubEngine(fault_at=5, fault=lambda: signal.raise_signal(signal.SIGINT))
    results: list[FileResult] = []
    with pytest.raises(KeyboardInterrupt):
        all_of(measure(as_engine(stub), [Item(seconds(3), "")] * 3), results)
    assert len(results) == 1
    assert stub.steps == 5
    assert stub.sessions[-1].freed


def test_an_unknown_normaliser_is_refused_before_anything_runs() -> None:
    stub = StubEngine()
    with pytest.raises(VoxtabError, match="is no normaliser"):
        list(measure(as_engine(stub), [Item(seconds(1), "")], normaliser="best"))
    assert not stub.sessions
