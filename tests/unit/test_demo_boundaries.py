"""Where words start and end, and how a phrase is cut and levelled, on sounds made here."""

import numpy as np
import numpy.typing as npt
import pytest

from shard_tools.demo.espeak import word_starts
from shard_tools.demo.spoken import (
    FRAME,
    SAMPLE_RATE,
    Spoken,
    frame_levels,
    make_clip,
    spoken_from_segments,
    word_ends,
)


def tones(rate: int, length: float, spans: list[tuple[float, float]]) -> npt.NDArray[np.int16]:
    """A 400 Hz tone at half of full scale in each span of seconds, faded over 10 ms."""
    time = np.arange(round(length * rate)) / rate
    sound = np.zeros(len(time))
    for start, end in spans:
        inside = (time >= start) & (time < end)
        fade = np.minimum(1, np.minimum(time[inside] - start, end - time[inside]) / 0.01)
        sound[inside] = np.sin(2 * np.pi * 400 * time[inside]) * fade
    return (sound * 16384).astype(np.int16)


def spoken(
    rate: int,
    length: float,
    spans: list[tuple[float, float]],
    starts: tuple[float, ...],
    ends: tuple[float, ...],
) -> Spoken:
    return Spoken(tones(rate, length, spans), rate, ("one",) * len(starts), starts, ends)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 32000])
def test_a_word_ends_with_its_sound_whatever_the_rate(rate: int) -> None:
    clip = make_clip(spoken(rate, 1.6, [(0.3, 0.6), (0.9, 1.2)], (0.3, 0.9), (0.9, 1.6)), 0.5)
    assert clip is not None
    # 50 ms of the silence before are kept.
    assert clip.starts == pytest.approx((0.05 * SAMPLE_RATE, 0.65 * SAMPLE_RATE), abs=FRAME)
    assert clip.ends == pytest.approx((0.35 * SAMPLE_RATE, 0.95 * SAMPLE_RATE), abs=2 * FRAME)


def test_words_without_a_gap_end_where_the_next_starts() -> None:
    clip = make_clip(spoken(16000, 1.0, [(0.1, 0.9)], (0.1, 0.5), (0.5, 1.0)), 0.5)
    assert clip is not None
    assert clip.ends[0] == clip.starts[1]


def test_sound_after_a_words_latest_end_is_not_its_own() -> None:
    clip = make_clip(spoken(16000, 1.6, [(0.1, 0.5), (0.7, 0.75), (0.9, 1.2)], (0.1, 0.9), (0.56, 1.26)), 0.5)
    assert clip is not None
    assert clip.ends[0] - clip.starts[0] == pytest.approx(0.4 * SAMPLE_RATE, abs=FRAME)


def test_at_most_50_ms_of_silence_are_kept_outside() -> None:
    clip = make_clip(spoken(16000, 3.0, [(1.0, 1.5)], (1.0,), (3.0,)), 0.5)
    assert clip is not None
    assert len(clip.samples) == pytest.approx(0.6 * SAMPLE_RATE, abs=2 * FRAME)
    loud = np.flatnonzero(np.abs(clip.samples) > 200)
    assert loud[0] <= 0.05 * SAMPLE_RATE + FRAME
    assert len(clip.samples) - loud[-1] <= 0.05 * SAMPLE_RATE + FRAME


@pytest.mark.parametrize("peak", [0.3, 0.9])
def test_the_peak_is_as_asked(peak: float) -> None:
    clip = make_clip(spoken(16000, 1.0, [(0.2, 0.7)], (0.2,), (1.0,)), peak)
    assert clip is not None
    assert np.abs(clip.samples).max() / 32767 == pytest.approx(peak, abs=0.001)


@pytest.mark.parametrize(
    ("what", "spans", "starts"),
    [
        ("silence", [], (0.1,)),
        ("a silent word", [(0.5, 0.9)], (0.1, 0.5)),
        ("words out of order", [(0.1, 0.9)], (0.5, 0.1)),
        ("a word beyond the end", [(0.1, 0.9)], (0.1, 1.5)),
        ("a word of 10 ms", [(0.1, 0.9)], (0.1, 0.89)),
    ],
)
def test_a_phrase_that_cannot_be_right_is_refused(
    what: str, spans: list[tuple[float, float]], starts: tuple[float, ...]
) -> None:
    assert what
    assert make_clip(spoken(16000, 1.0, spans, starts, (*starts[1:], 1.0)), 0.5) is None


def test_a_word_of_more_than_1600_ms_is_refused() -> None:
    assert make_clip(spoken(16000, 2.5, [(0.1, 1.9)], (0.1,), (2.5,)), 0.5) is None


def test_a_phrase_without_words_is_refused() -> None:
    assert make_clip(spoken(16000, 1.0, [(0.1, 0.9)], (), ()), 0.5) is None


def test_frames_have_the_peak_of_10_ms_also_the_last_short_one() -> None:
    sound = np.zeros(FRAME + 5, np.float32)
    sound[3], sound[-1] = -0.5, 0.25
    assert frame_levels(sound).tolist() == [0.5, 0.25]


def test_ends_follow_the_last_frame_above_2_percent() -> None:
    levels = np.array([1, 1, 0.03, 0.01, 0.01, 1, 0.021, 0.019], np.float32)
    assert word_ends(levels, [0, 5 * FRAME], [8 * FRAME] * 2, 8 * FRAME) == [3 * FRAME, 7 * FRAME]


def test_segments_give_each_words_start_and_end() -> None:
    segments = [
        (0.2, None, ""),
        (0.3, 1, "yes"),
        (0.5, 1, "yes"),
        (0.7, None, ""),
        (0.9, 2, "please"),
        (1.0, None, ""),
    ]
    result = spoken_from_segments(np.zeros(16000, np.int16), 16000, segments)
    assert result.words == ("yes", "please")
    assert result.starts == (0.2, 0.7)
    assert result.latest_ends == pytest.approx((0.56, 0.96))


def test_a_word_said_twice_is_two_words() -> None:
    result = spoken_from_segments(np.zeros(9, np.int16), 16000, [(0.3, 1, "two"), (0.5, 2, "two")])
    assert result.words == ("two", "two")


def test_a_segment_of_no_word_inside_a_word_does_not_split_it() -> None:
    # As festival's ked says the r of "turn".
    segments = [(0.3, "_6", "turn"), (0.4, None, ""), (0.5, "_6", "turn"), (0.6, "_7", "on")]
    result = spoken_from_segments(np.zeros(9, np.int16), 16000, segments)
    assert result.words == ("turn", "on")
    assert result.starts == (0.0, 0.5)


class TestEspeakEvents:
    """Positions count from 1; events are (position, length, sample)."""

    def test_each_word_starts_with_its_event(self) -> None:
        assert word_starts("turn, left", [(1, 4, 0), (7, 4, 500)], 900) == [0, 500]

    def test_a_phrase_whose_words_lack_events_is_refused(self) -> None:
        assert word_starts("turn left", [(1, 4, 0)], 900) is None

    def test_an_event_of_another_word_is_refused(self) -> None:
        assert word_starts("turn left", [(1, 4, 0), (6, 3, 500)], 900) is None
        assert word_starts("turn left", [(1, 4, 0), (6, 4, 500), (8, 1, 600)], 900) is None
        assert word_starts("turn left", [(1, 4, 0), (6, 4, 500), (6, 4, 600)], 900) is None

    def test_on_the_shares_the_time_of_its_one_event(self) -> None:
        # What espeak-ng 1.51 tells of this text.
        events = [(1, 4, 0), (6, 2, 4714), (13, 5, 10196)]
        starts = word_starts("turn on the light", events, 20000)
        assert starts is not None
        assert starts[0] == 0
        assert starts[1] == 4714 < starts[2] < starts[3] == 10196

    def test_on_the_at_the_end_shares_what_is_left(self) -> None:
        starts = word_starts("on the", [(1, 2, 0)], 1000)
        assert starts == pytest.approx([0, 700])
