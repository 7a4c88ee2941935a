"""A spoken phrase as a synthesizer gives it, and the same made ready for the corpus."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import soxr

SAMPLE_RATE: Final = 16_000
FRAME: Final = 160
_KEPT_SILENCE: Final = 800  # 50 ms before the first and after the last sound
_LONGEST_DECAY: Final = 2_400  # 150 ms of faint sound after the last word
_SOUND: Final = 0.02  # of the phrase's peak: what counts for a word's end
_FAINT: Final = 0.005  # of the phrase's peak: what is not silence
_DECAY: Final = 0.06  # seconds that a word may sound on after its last segment
_SHORTEST_WORD: Final = 3 * FRAME
_LONGEST_WORD: Final = int(1.6 * SAMPLE_RATE)

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Spoken:
    """Sound of one synthesizer: `samples` [n] int16 mono, and each word's name, start and latest end in seconds."""

    samples: Samples
    rate: int
    words: tuple[str, ...]
    starts: tuple[float, ...]
    latest_ends: tuple[float, ...]


@dataclass(frozen=True)
class Clip:
    """A phrase at 16 kHz: `samples` [n] int16; starts and ends of words in samples."""

    samples: Samples
    starts: tuple[int, ...]
    ends: tuple[int, ...]


def spoken_from_segments(
    samples: Samples, rate: int, segments: Sequence[tuple[float, int | str | None, str]]
) -> Spoken:
    """From (end in seconds, word's identity or None, word's name) of each segment in order."""
    words: list[str] = []
    starts: list[float] = []
    ends: list[float] = []
    current: int | str | None = None
    previous_end = 0.0
    for end, word, name in segments:
        if word is not None and word != current:  # ked has segments of no word within words
            words.append(name)
            starts.append(previous_end)
            ends.append(end)
            current = word
        if word is not None:
            ends[-1] = end
        previous_end = end
    return Spoken(samples, rate, tuple(words), tuple(starts), tuple(end + _DECAY for end in ends))


def make_clip(spoken: Spoken, peak: float) -> Clip | None:
    """The phrase at 16 kHz, its peak at `peak` of full scale, trimmed outside and with the words' ends.

    A word ends with the last 10 ms frame louder than 2 % of the phrase's peak before its latest end (segments
    tell it to 60 ms) and before the next word starts.
    None where a word is silent, out of order, or shorter or longer than words are.
    """
    sound = spoken.samples.astype(np.float32)
    loudest = float(np.abs(sound).max(initial=0.0))
    if loudest < 100 or not spoken.words:
        return None
    sound /= loudest
    if spoken.rate != SAMPLE_RATE:
        sound = soxr.resample(sound, spoken.rate, SAMPLE_RATE)
    sound /= max(float(np.abs(sound).max()), 1e-9)
    levels = frame_levels(sound)
    starts = [round(start * SAMPLE_RATE) for start in spoken.starts]
    latest = [round(end * SAMPLE_RATE) for end in spoken.latest_ends]
    ends = word_ends(levels, starts, latest, len(sound))
    if ends is None:
        return None
    audible = np.flatnonzero(levels > _FAINT) * FRAME
    begin = max(0, max(int(audible[0]), starts[0]) - _KEPT_SILENCE)
    stop = min(len(sound), int(audible[-1]) + FRAME + _KEPT_SILENCE, ends[-1] + _LONGEST_DECAY)
    sound[stop - FRAME : stop] *= np.linspace(1, 0, FRAME, dtype=np.float32)
    starts = [max(start - begin, 0) for start in starts]
    ends = [min(end, stop) - begin for end in ends]
    lengths = [end - start for start, end in zip(starts, ends, strict=True)]
    if min(lengths) < _SHORTEST_WORD or max(lengths) > _LONGEST_WORD:
        return None
    scaled = np.rint(sound[begin:stop] * (peak * 32767)).clip(-32768, 32767).astype(np.int16)
    return Clip(scaled, tuple(starts), tuple(ends))


def frame_levels(sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Peak of each frame of 160 samples [ceil(n / 160)]."""
    frames = -(-len(sound) // FRAME)
    padded = np.zeros(frames * FRAME, np.float32)
    padded[: len(sound)] = np.abs(sound)
    levels: npt.NDArray[np.float32] = padded.reshape(frames, FRAME).max(1)
    return levels


def word_ends(
    levels: npt.NDArray[np.float32], starts: Sequence[int], latest: Sequence[int], length: int
) -> list[int] | None:
    """Ends in samples of the words that start at `starts`, from the frames' `levels` of a sound with peak 1.

    `latest` [words] bounds the ends from above, as the next word's start does. None where starts are out of order
    or beyond the sound, or a word has no sound.
    """
    ends: list[int] = []
    for start, bound, following in zip(starts, latest, (*starts[1:], length), strict=True):
        stop = min(bound, following)
        if not 0 <= start < stop <= following <= length:
            return None
        loud = np.flatnonzero(levels[start // FRAME : -(-stop // FRAME)] > _SOUND)
        if not len(loud):
            return None
        ends.append(min((start // FRAME + int(loud[-1]) + 1) * FRAME, stop))
    return ends
