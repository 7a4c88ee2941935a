"""Where a stream is cut, by the sound alone."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtab.errors import VoxtabError
from voxtab.sessions.segmenting import Cut, Segmenting
from voxtab.sessions.sound import SoundQueue, checked
from voxtab.sessions.transcript import Transcript
from voxtab.sessions.words import Word

RATE = 16000
BLOCK = 1280


def stream(*parts: tuple[float, float], seed: int = 0) -> array[float]:
    """Noise: (seconds, level) after each other."""
    draw = np.random.default_rng(seed)
    sound = [level * draw.standard_normal(round(seconds * RATE)) for seconds, level in parts]
    return array("f", np.concatenate(sound).astype(np.float32).tobytes())


def cuts(
    sound: array[float], segment_s: float, sizes: tuple[int, ...] = (BLOCK,), wish: tuple[int, int] = (0, 0)
) -> list[Cut]:
    """The cuts in a stream fed in pieces of these sizes. wish: the sample, and the delay wished for there."""
    segmenting, queue, found = Segmenting(480, segment_s), SoundQueue(), []
    fed = turn = 0
    while fed < len(sound):
        upto = min(len(sound), fed + sizes[turn % len(sizes)])
        if fed < wish[0] < upto:
            upto = wish[0]
        if wish[0] and fed == wish[0]:
            segmenting.set_delay(wish[1], fed)
        queue.append(checked(sound[fed:upto]))
        found += segmenting.hear(queue)
        fed, turn = upto, turn + 1
    return found


SPEECH = stream((4, 0.1), (0.7, 0.001), (3, 0.1), (0.7, 0.001), (5, 0.1), (0.7, 0.001), (2, 0.1))


def test_a_long_segment_ends_in_the_next_pause_and_both_hear_its_middle() -> None:
    found = cuts(SPEECH, 3)
    assert [(cut.end - cut.start, cut.delay_ms) for cut in found] == [(2 * BLOCK, 480)] * 3
    for cut, pause in zip(found, (4.0, 7.7, 13.4), strict=True):
        assert pause < cut.start / RATE < cut.end / RATE <= pause + 0.7


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=6))
def test_cuts_do_not_depend_on_how_the_sound_is_fed(sizes: list[int]) -> None:
    assert cuts(SPEECH, 3, tuple(sizes), (40_000, 240)) == cuts(SPEECH, 3, (BLOCK,), (40_000, 240))


@pytest.mark.parametrize("gain", [1e-3, 1.0, 30.0])
def test_levels_count_relative_to_each_other(gain: float) -> None:
    louder = array("f", (value * gain for value in SPEECH))
    assert cuts(louder, 3) == cuts(SPEECH, 3)


def test_a_wish_that_is_taken_back_cuts_nothing() -> None:
    segmenting = Segmenting(480, 600)
    segmenting.set_delay(960, 0)
    segmenting.set_delay(480, 0)
    queue = SoundQueue()
    queue.append(checked(SPEECH))
    assert segmenting.hear(queue) == []


def test_without_pauses_a_wish_waits_five_seconds_and_a_segment_75_more() -> None:
    ever_louder = array("f", (value * 1.00005**k for k, value in enumerate(stream((10, 0.001), seed=1))))
    [cut] = cuts(ever_louder, 600, wish=(RATE, 960))
    assert cut.start == cut.end
    assert 6 <= cut.end / RATE <= 6.1


def test_old_sound_is_dropped_and_what_is_needed_stays() -> None:
    queue = SoundQueue()
    for k in range(100):
        queue.append(checked(array("f", [k]) * 1000))
        queue.drop_before(max(0, queue.end - 5000))
        assert queue.part(queue.end - 5000 if k >= 5 else 0, queue.end)[-1] == k
    assert queue.end == 100_000
    assert len(queue.part(95_000, 100_000)) == 5000


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e5, -1e5])
def test_what_is_no_sound_is_refused(bad: float) -> None:
    with pytest.raises(VoxtabError) as refused:
        checked(array("f", [0.0, bad]))
    assert refused.value.code == "audio-undecodable"


def test_a_transcript_gives_back_what_it_was_given() -> None:
    transcript = Transcript()
    words = [Word("été", 0.1, 0.4), Word("日本", 0.4, 0.9), Word("a", 0.9, 1.25)]
    assert transcript.end_s == 0.0
    for word in words:
        before = transcript.length
        transcript.append(" " + word.text)
        transcript.add(word)
        assert transcript.text_between(before, transcript.length) == " " + word.text
    assert transcript.words() == words
    assert transcript.text == " été 日本 a"
    assert transcript.end_s == 1.25
