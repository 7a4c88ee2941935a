"""Times of words and of subtitles against those the synthesizer gives.

tests/data/sample-word-ends.json: of web/samples, [word, seconds where it ends], from flite's segments and the level of
its sound (shard_tools.demo.flite, shard_tools.demo.spoken); flite makes these recordings again byte by byte.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.parity.engine import Floats, loaded, transcribe
from tests.parity.listening import TOKEN, listen, steadily
from tests.subtitles import read_subtitles
from voxtab.captions.files import transcript_file
from voxtab.gpu.native import NativeGpu
from voxtab.models.asr_state import AsrOptions
from voxtab.sessions.listening import ListenOptions
from voxtab.sessions.words import Word

WEB = Path(__file__).parents[2] / "web"
PAUSE_S = 1.0
WITHIN_S = 0.16

Said = list[list[tuple[str, float]]]
Heard = tuple[list[Word], Said]


def spoken(data: Path) -> tuple[Floats, Said]:
    """The samples with pauses between, and the words' true ends, recording by recording."""
    parts, ends, at = [], [], 0.0
    for name, words in json.loads((data / "sample-word-ends.json").read_text()).items():
        sound = soundfile.read(WEB / "samples" / f"{name}.wav", dtype="float32")[0]
        parts += [sound, np.zeros(round(PAUSE_S * 16000), np.float32)]
        ends.append([(word, at + end) for word, end in words])
        at += len(sound) / 16000 + PAUSE_S
    return np.concatenate(parts), ends


@pytest.fixture(scope="module", params=["uploaded", "live", "live in segments"])
def heard(request: pytest.FixtureRequest, native_adapter: Any, data: Path) -> Heard:
    audio, ends = spoken(data)
    engine = loaded(NativeGpu(native_adapter), WEB / "models" / "demo-asr")
    if request.param == "uploaded":
        return transcribe(engine, audio, AsrOptions(delay_ms=480)).words(), ends
    segment_s = 3 if request.param == "live in segments" else 600
    options = ListenOptions(delay_ms=480, segment_s=segment_s)
    return listen(engine, audio, options, steadily(TOKEN)).session.words(), ends


def test_words_end_where_they_were_said_to(
    heard: Heard,
) -> None:
    words, recordings = heard
    ends = [end for recording in recordings for end in recording]
    assert [word.text for word in words] == [text for text, _ in ends]
    assert max(abs(word.end - end) for word, (_, end) in zip(words, ends, strict=True)) <= WITHIN_S


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_subtitles_change_with_what_is_said(heard: Heard, kind: str) -> None:
    words, recordings = heard
    cues = read_subtitles(kind, transcript_file(kind, words))
    times = [(start, end) for start, end, _ in cues]
    assert [text.split() for _, _, text in cues] == [[word for word, _ in said] for said in recordings]
    assert all(start < end for start, end in times)
    assert all(before[1] <= after[0] for before, after in pairwise(times))
    for (_, end), said in zip(times, recordings, strict=True):
        assert abs(end - said[-1][1]) <= WITHIN_S
