"""Recordings to measure the demo model with: test phrases end to end with pauses, 8 to 12 s each, of one voice.

A trained espeak-ng voice says too little in the test for a recording of its own: those stand one after the other, in a
group "espeak-ng". Held-out variants of espeak-ng are groups of their own, their accents together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt

from shard_tools.demo.corpus import Corpus, Phrase

Floats = npt.NDArray[np.float32]

SAMPLE_RATE: Final = 16000
ESPEAK: Final = "espeak-ng"
_LENGTHS: Final = (8.0, 12.0)
_PAUSES: Final = (0.4, 1.0)
_EDGES: Final = (0.2, 0.6)  # silence before the first phrase and after the last
_AUDIBLE: Final = 0.01  # of the peak: where speech that starts at sample 0 is cut
_FULL_SCALE: Final = 32768


@dataclass(frozen=True, eq=False)
class Recording:
    """sound: f32[samples] at 16 kHz. group: the voice, as results are summed up. phrases: what is said, in order."""

    name: str
    group: str
    sound: Floats
    phrases: tuple[Phrase, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(word for phrase in self.phrases for word in phrase.words)


def voice_group(phrase: Phrase) -> str:
    """espeak-ng for its trained voices, espeak-ng VARIANT for a variant that is held out, else the voice's name."""
    engine, _, name = phrase.voice.partition("/")
    if engine != "espeak":
        return phrase.voice
    return f"{ESPEAK} {name.partition('+')[2]}" if phrase.split.endswith("_unseen") else ESPEAK


def split_recordings(corpus: Corpus, split: str, seed: int) -> list[Recording]:
    """All phrases of a split, each once, in an order of which any beginning has all groups in their proportions."""
    rng = np.random.default_rng(seed)
    ordered = sorted(corpus.split(split), key=lambda phrase: (voice_group(phrase), phrase.offset))
    placed: list[tuple[float, Recording]] = []
    for group, phrases in groupby(ordered, voice_group):
        made = list(_recordings(corpus, list(phrases), f"{split}/{group}", group, rng))
        placed += [((index + 0.5) / len(made), recording) for index, recording in enumerate(made)]
    return [recording for _, recording in sorted(placed, key=lambda place: (place[0], place[1].name))]


def first_words(recordings: Sequence[Recording], words: int | None) -> list[Recording]:
    """The first recordings that have `words` words together; all of them for None, or where there are fewer."""
    taken: list[Recording] = []
    for recording in recordings:
        if words is not None and sum(len(before.words) for before in taken) >= words:
            break
        taken.append(recording)
    return taken


def single_phrases(corpus: Corpus, recording: Recording) -> list[Recording]:
    """The recording's phrases, each alone, its first audible sample at 0."""
    return [
        Recording(
            f"{recording.name}/{number}", recording.group, cut_to_sound(_sound(corpus, phrase)), (phrase,)
        )
        for number, phrase in enumerate(recording.phrases)
    ]


def cut_to_sound(sound: Floats) -> Floats:
    """From the first sample that is above a hundredth of the peak."""
    return sound[int(np.argmax(np.abs(sound) > _AUDIBLE * np.abs(sound).max())) :]


def with_peak(recording: Recording, peak: float) -> Recording:
    """The same so soft, or loud, that its largest sample is `peak`, rounded as a 16-bit file does."""
    highest = float(np.abs(recording.sound).max())
    return replace(recording, sound=_rounded(recording.sound * np.float32(peak / highest)))


def clipped(recording: Recording, share: float, frame: int = 320) -> Recording:
    """The same so loud that in `share` of its audible frames (20 ms) the peak is cut off."""
    sound = recording.sound
    frames = np.abs(sound[: len(sound) // frame * frame]).reshape(-1, frame).max(axis=1)
    audible = frames[frames > 0.02 * frames.max()]
    gain = 1 / float(np.quantile(audible, 1 - share))
    return replace(recording, sound=_rounded(np.clip(sound * np.float32(gain), -1, 1)))


def _recordings(
    corpus: Corpus, phrases: Sequence[Phrase], name: str, group: str, rng: np.random.Generator
) -> Iterator[Recording]:
    """Phrases in order, until each recording has the length drawn for it."""
    pieces: list[Floats] = []
    said: list[Phrase] = []
    number = 0
    wanted = rng.uniform(*_LENGTHS)
    for index, phrase in enumerate(phrases):
        pieces += [_silence(rng, _PAUSES if said else _EDGES), _sound(corpus, phrase)]
        said.append(phrase)
        if sum(map(len, pieces)) >= wanted * SAMPLE_RATE or index == len(phrases) - 1:
            sound = np.concatenate([*pieces, _silence(rng, _EDGES)])
            yield Recording(f"{name}/{number:03}", group, sound, tuple(said))
            pieces, said, number, wanted = [], [], number + 1, rng.uniform(*_LENGTHS)


def _sound(corpus: Corpus, phrase: Phrase) -> Floats:
    return corpus.samples(phrase).astype(np.float32) / np.float32(_FULL_SCALE)


def _silence(rng: np.random.Generator, seconds: tuple[float, float]) -> Floats:
    return np.zeros(int(rng.uniform(*seconds) * SAMPLE_RATE), np.float32)


def _rounded(sound: Floats) -> Floats:
    """As a 16-bit file holds it."""
    steps = np.clip(np.rint(sound * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
    return np.asarray(steps / _FULL_SCALE, np.float32)
