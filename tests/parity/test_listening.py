"""Listening sessions: however the sound is fed they write what a transcription of the whole file does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from shard_tools.quantize import quantize_checkpoint
from tests.parity.engine import Floats, loaded, traced, transcribe
from tests.parity.golden import EOS, SETS, Expected
from tests.parity.listening import (
    TOKEN,
    Caught,
    Turn,
    delayed_at_random,
    in_random_sizes,
    listen,
    listening,
    steadily,
    whole,
)
from voxtab.errors import VoxtabError
from voxtab.gpu.native import NativeGpu
from voxtab.models.asr_state import AsrOptions
from voxtab.sessions import listening as listening_module
from voxtab.sessions.engine import Engine
from voxtab.sessions.listening import ListenOptions
from voxtab.sessions.transcription import Transcription

DEMO = Path(__file__).parents[2] / "web" / "models" / "demo-asr"
SAMPLES = Path(__file__).parents[2] / "web" / "samples"
DELAYS_MS = (240, 480, 960)
TURNS = {
    "80 ms": lambda: steadily(TOKEN),
    "random sizes": lambda: in_random_sizes(1),
    "delayed": lambda: delayed_at_random(2),
}
turns = pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS.keys())


class Golden:
    """A golden checkpoint, its reference outputs, and what a transcription gives that begins in the middle."""

    def __init__(self, engine: Engine, expected: Expected) -> None:
        self.engine = engine
        self.expected = expected
        self._from: dict[tuple[int, int], list[int]] = {}

    def tokens_from(self, start: int, delay_ms: int) -> list[int]:
        """Of the sound from sample `start` on, up to the first end of sequence that is not passed over."""
        if (start, delay_ms) not in self._from:
            options = AsrOptions(delay_ms=delay_ms)
            tokens = traced(self.engine, self.expected.audio[start:], options)["tokens_full"].tolist()
            ends = [k for k, token in enumerate(tokens) if token == EOS and k >= 13]
            self._from[start, delay_ms] = tokens[: min(ends, default=len(tokens))]
        return self._from[start, delay_ms]


@pytest.fixture(scope="module", params=SETS)
def golden(
    request: pytest.FixtureRequest, native_adapter: Any, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Golden:
    model = tmp_path_factory.mktemp("golden") / "model.gguf"
    quantize_checkpoint(data / request.param, model, "q4_0", scales="absmax")
    return Golden(loaded(NativeGpu(native_adapter), model), Expected(data / request.param, "q4_0"))


class Demo:
    """The demo model, and what it writes of whole files."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._written: dict[tuple[bytes, int], Transcription] = {}

    def of_file(self, audio: Floats, delay_ms: int = 480) -> Transcription:
        key = audio.tobytes(), delay_ms
        if key not in self._written:
            self._written[key] = transcribe(self.engine, audio, AsrOptions(delay_ms=delay_ms))
        return self._written[key]


@pytest.fixture(scope="module")
def demo(native_adapter: Any) -> Demo:
    return Demo(loaded(NativeGpu(native_adapter), DEMO))


def sample(name: str) -> Floats:
    sound: Floats = soundfile.read(SAMPLES / f"{name}.wav", dtype="float32")[0]
    return sound


# Both of the demo model's windows, 1.3 s and 3.8 s, wrap in each of them.
KITCHEN, MUSIC, DOOR = map(sample, ("kitchen-slt", "music-awb", "door-rms"))
PAUSE = np.zeros(round(0.7 * 16000), np.float32)
CONVERSATION = np.concatenate([KITCHEN, PAUSE, MUSIC, PAUSE, DOOR])


@turns
@pytest.mark.parametrize("delay_ms", DELAYS_MS)
def test_golden_tokens_come_out_however_the_sound_is_fed(golden: Golden, delay_ms: int, turn: Any) -> None:
    """asr-window ends the stream in the middle: its first segment is the reference's transcript, each later one what a
    transcription gives that begins where it does."""
    caught = listen(golden.engine, golden.expected.audio, ListenOptions(delay_ms=delay_ms), turn())
    first, *later = caught.session.segments()
    assert caught.tokens[0] == golden.expected.transcript(delay_ms)
    assert caught.tokens[1:] == [
        golden.tokens_from(round(segment.start * 16000), delay_ms) for segment in later
    ]
    assert first.start == 0.0


@turns
@pytest.mark.parametrize("delay_ms", DELAYS_MS)
def test_the_demo_model_writes_what_it_writes_of_the_whole_file(demo: Demo, delay_ms: int, turn: Any) -> None:
    want = demo.of_file(DOOR, delay_ms)
    caught = listen(demo.engine, DOOR, ListenOptions(delay_ms=delay_ms), turn())
    assert caught.tokens == [want.tokens]
    assert caught.text.strip() == caught.session.text == want.text
    assert caught.words == caught.session.words() == want.words()


def test_two_sessions_at_once_write_their_own_words(demo: Demo) -> None:
    async def both() -> list[Caught]:
        kitchen = listening(demo.engine, KITCHEN, ListenOptions(delay_ms=480), steadily(TOKEN))
        door = listening(demo.engine, DOOR, ListenOptions(delay_ms=960), in_random_sizes(3))
        return list(await asyncio.gather(kitchen, door))

    kitchen, door = asyncio.run(both())
    assert kitchen.tokens == [demo.of_file(KITCHEN).tokens]
    assert door.tokens == [demo.of_file(DOOR, 960).tokens]


@pytest.mark.parametrize("turn", [steadily(TOKEN), in_random_sizes(4)], ids=["80 ms", "random sizes"])
def test_segments_change_at_pauses_and_no_word_is_lost_or_said_twice(demo: Demo, turn: Turn) -> None:
    caught = listen(demo.engine, CONVERSATION, ListenOptions(delay_ms=480, segment_s=3), turn)
    segments = caught.session.segments()
    assert [round(segment.end, 2) for segment in segments] == [
        4.56,
        9.84,
        round(len(CONVERSATION) / 16000, 2),
    ]
    assert [segment.text for segment in segments] == [
        demo.of_file(part).text for part in (KITCHEN, MUSIC, DOOR)
    ]
    assert " ".join(segment.text for segment in segments) == caught.session.text == caught.text.strip()
    edges = [edge for word in caught.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)


def test_another_delay_begins_at_a_pause_and_no_word_is_lost_or_said_twice(demo: Demo) -> None:
    wishes = {3 * 16000: 960, 8 * 16000: 240}
    caught = listen(demo.engine, CONVERSATION, ListenOptions(delay_ms=480), steadily(TOKEN), wishes)
    segments = [(segment.delay_ms, segment.text) for segment in caught.session.segments()]
    parts = ((KITCHEN, 480), (MUSIC, 960), (DOOR, 240))
    assert segments == [(delay_ms, demo.of_file(part, delay_ms).text) for part, delay_ms in parts]


def test_a_delay_may_change_before_the_sound_comes_and_not_to_any_value(demo: Demo) -> None:
    session = demo.engine.listening(ListenOptions(delay_ms=480))
    with pytest.raises(VoxtabError, match="delay_ms can't be 100"):
        session.set_delay(100)
    session.free()
    caught = listen(demo.engine, DOOR, ListenOptions(delay_ms=480), steadily(TOKEN), {0: 240})
    assert caught.tokens == [demo.of_file(DOOR, 240).tokens]


def test_without_a_pause_a_segment_still_ends(demo: Demo) -> None:
    """Rising noise, and a wish for another delay: after five seconds the stream is cut where it stands."""
    noise = np.random.default_rng(0).standard_normal(7 * 16000)
    rising = np.asarray(1e-3 * noise * np.exp(np.arange(len(noise)) / 16000), np.float32)
    caught = listen(demo.engine, rising, ListenOptions(delay_ms=480), steadily(TOKEN), {16000: 240})
    ends = [(segment.delay_ms, round(segment.end, 2)) for segment in caught.session.segments()]
    assert ends == [(480, 6.08), (240, 7.0)]


def test_too_much_waiting_sound_is_refused_and_the_rest_is_heard(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening_module, "MAX_BACKLOG_S", 3.0)
    session = demo.engine.listening(ListenOptions(delay_ms=480))
    session.feed(np.ascontiguousarray(DOOR).data)
    with pytest.raises(VoxtabError) as refused:
        session.feed(PAUSE.repeat(2).data)
    assert refused.value.code == "backlog-full"
    assert session.audio_s == session.backlog_s == len(DOOR) / 16000
    session.close()
    while not session.done:
        asyncio.run(session.step())
    assert session.text == demo.of_file(DOOR).text
    with pytest.raises(VoxtabError, match="after the end"):
        session.feed(PAUSE.data)
    assert session.backlog_s == 0
    session.free()


def test_a_backlog_is_caught_up_in_larger_submits(demo: Demo) -> None:
    options = ListenOptions(delay_ms=480, submit_ms=60_000)  # however slow this machine is
    live, late = (
        listen(demo.engine, DOOR, options, turn).session.stats()["counters"]
        for turn in (steadily(TOKEN), whole())
    )
    assert late["submits"] < live["submits"] / 3
