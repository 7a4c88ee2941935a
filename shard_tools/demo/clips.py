"""Training clips: phrases of the corpus laid into 11.5 s of sound, spoiled as microphones spoil it, with their targets.

A clip depends on the seed and its number alone, so a run that is resumed sees what an unbroken one would have seen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.signal import oaconvolve

from shard_tools.demo.corpus import Corpus, Phrase
from shard_tools.demo.noise import SAMPLE_RATE, NoiseBank, room_response, steady_sound
from shard_tools.demo.targets import (
    CLIP_TOKENS,
    TOKEN_SAMPLES,
    Spoken,
    Targets,
    clip_targets,
)

Floats = npt.NDArray[np.float32]

CLIP_SAMPLES: Final = CLIP_TOKENS * TOKEN_SAMPLES
LEFT_PAD_TOKENS: Final = 32

# The delays Voxtral allows, in tokens of 80 ms, and how often each is drawn: the recommended 480 ms most, then the two
# that are measured beside it.
DELAYS: Final = (*range(1, 16), 30)
_DELAY_WEIGHTS: Final = {6: 0.40, 3: 0.11, 12: 0.11}
_OTHER_DELAYS: Final = (1 - sum(_DELAY_WEIGHTS.values())) / (len(DELAYS) - len(_DELAY_WEIGHTS))
_DELAY_CHANCES: Final = [_DELAY_WEIGHTS.get(delay, _OTHER_DELAYS) for delay in DELAYS]

_WORDLESS_CLIPS: Final = 0.08
# Clips cut out of a stream that has long been running: no beginning is in sight, as after a minute of live captions.
_RUNNING_CLIPS: Final = 0.2
# At the end of a run, so many clips are left as they were recorded: what was learnt from spoiled ones stays, and clean
# speech is what most people have.
CALM_CLEAN: Final = 0.6


@dataclass(frozen=True)
class Clip:
    """sound: f32[CLIP_SAMPLES], 16 kHz, its first `left_pad` tokens silent; 0 is a stream that was running before."""

    sound: Floats
    left_pad: int
    delay: int
    targets: Targets


class ClipMixer:
    """Draws clips from the phrases of one split; from clip number `calm_from` on, more of them are clean."""

    def __init__(
        self,
        corpus: Corpus,
        split: str,
        words: Sequence[str],
        phones: Sequence[str],
        seed: int,
        calm_from: int | None = None,
    ) -> None:
        self._corpus = corpus
        self._phrases = corpus.split(split)
        self._word_ids = {word: number for number, word in enumerate(words)}
        self._phone_ids = {phone: number for number, phone in enumerate(phones)}
        self._seed = seed
        self._calm_from = calm_from
        self._noises = NoiseBank(np.random.default_rng((seed, 1 << 40)))

    def clip(self, number: int) -> Clip:
        rng = np.random.default_rng((self._seed, number))
        delay = int(rng.choice(DELAYS, p=_DELAY_CHANCES))
        left_pad = LEFT_PAD_TOKENS if rng.random() < 0.25 else int(rng.integers(3, LEFT_PAD_TOKENS))
        if rng.random() < _RUNNING_CLIPS:
            left_pad = 0
        start = left_pad * TOKEN_SAMPLES
        sound = np.zeros(CLIP_SAMPLES, np.float32)
        if rng.random() < _WORDLESS_CLIPS:
            spoken: list[Spoken] = []
            sound[start:] = self._wordless(rng, CLIP_SAMPLES - start)
        else:
            spoken = self._lay_phrases(rng, sound, start)
            end = CLIP_SAMPLES
            if rng.random() < 0.35 and spoken:
                # The recording stops soon after a word, as people stop it; then exact silence, as the padding is.
                last = spoken[int(rng.integers(len(spoken)))]
                end = min(end, last.end + int(rng.uniform(0.02, 0.5) * SAMPLE_RATE))
                spoken = [word for word in spoken if word.end <= end]
            calm = self._calm_from is not None and number >= self._calm_from
            if calm and rng.random() < CALM_CLEAN:
                _set_level(rng, sound[start:end])
            else:
                self._spoil(rng, sound[start:end])
            sound[end:] = 0
        if rng.random() < 0.5:
            np.rint(sound * 32768, out=sound)
            sound /= 32768
        targets = clip_targets(
            spoken, left_pad=left_pad, delay=delay, word_count=len(self._word_ids), rng=rng
        )
        return Clip(sound, left_pad, delay, targets)

    def _lay_phrases(self, rng: np.random.Generator, sound: Floats, start: int) -> list[Spoken]:
        """Phrases with pauses between them until the clip is full; one may be cut by its end."""
        spoken: list[Spoken] = []
        position = start if rng.random() < 0.3 else start + int(rng.uniform(0, 1.0) * SAMPLE_RATE)
        while position < CLIP_SAMPLES:
            phrase = self._phrases[int(rng.integers(len(self._phrases)))]
            rate = float(np.exp(rng.uniform(-0.2, 0.2))) if rng.random() < 0.6 else 1.0
            samples = _resampled(self._corpus.samples(phrase), rate)
            samples *= np.float32(10 ** (rng.uniform(-8, 0) / 20))
            fits = min(len(samples), CLIP_SAMPLES - position)
            sound[position : position + fits] += samples[:fits]
            spoken += self._words(phrase, position, rate)
            position += len(samples) + int(
                rng.choice([rng.uniform(0.05, 0.4), rng.uniform(0.3, 2.5)]) * SAMPLE_RATE
            )
        return [word for word in spoken if word.end <= CLIP_SAMPLES]

    def _words(self, phrase: Phrase, position: int, rate: float) -> Iterator[Spoken]:
        for text, start, end, phones in zip(
            phrase.words, phrase.starts, phrase.ends, phrase.phones, strict=True
        ):
            yield Spoken(
                word=self._word_ids.get(text),
                phones=[self._phone_ids[phone] for phone in phones],
                start=position + round(start / rate),
                end=position + round(end / rate),
            )

    def _spoil(self, rng: np.random.Generator, sound: Floats) -> None:
        """Room, level, noise and overload, in place. sound: f32[samples]."""
        if not len(sound):
            return
        if rng.random() < 0.35:
            room = room_response(rng)
            sound[:] = oaconvolve(sound, room)[: len(sound)]
        level = _set_level(rng, sound)
        if level == 0.0:
            return
        if rng.random() < 0.6:
            noise = (
                self._noises.draw(rng, len(sound)) if rng.random() < 0.85 else steady_sound(rng, len(sound))
            )
            loud = float(np.sqrt(np.mean(np.square(sound[np.abs(sound) > 0.02 * level]))))
            sound += noise * np.float32(loud * 10 ** (-rng.uniform(3, 40) / 20))
        if rng.random() < 0.07:
            sound *= np.float32(rng.uniform(1.5, 10) / level)
        np.clip(sound, -1, 1, out=sound)

    def _wordless(self, rng: np.random.Generator, samples: int) -> Floats:
        """Silence, noise, hum or tones."""
        kind = rng.random()
        if kind < 0.1:
            return np.zeros(samples, np.float32)
        sound = np.zeros(samples, np.float32)
        level = np.float32(10 ** rng.uniform(-4, -0.5))
        if kind < 0.75:
            sound += self._noises.draw(rng, samples)
        if kind > 0.6:
            sound += steady_sound(rng, samples)
        if rng.random() < 0.3:
            # Bursts: noise that starts and stops, as knocks, breath and paper do.
            gate = np.repeat(rng.random(-(-samples // 1600)) < 0.3, 1600)[:samples]
            sound *= np.maximum(oaconvolve(gate, np.ones(160) / 160)[:samples], 0.02).astype(np.float32)
        return np.asarray(np.clip(sound * level, -1, 1), np.float32)


def _set_level(rng: np.random.Generator, sound: Floats) -> float:
    """Scales in place to a peak that is returned: 0.1 to 1, in a third of the clips down to 0.003. 0 for silence."""
    peak = float(np.abs(sound).max(initial=0.0))
    if peak == 0.0:
        return 0.0
    quiet = rng.random() < 0.3
    level = float(10 ** (rng.uniform(-2.5, -1.0) if quiet else rng.uniform(-1.0, 0.0)))
    sound *= np.float32(level / peak)
    return level


def _resampled(samples: npt.NDArray[np.int16], rate: float) -> Floats:
    """Faster and higher by `rate`, by linear interpolation: cheap, and its slight dullness is one more room."""
    sound = samples.astype(np.float32) / 32768
    if rate == 1.0:
        return np.asarray(sound, np.float32)
    positions = np.arange(int(len(sound) / rate)) * rate
    return np.asarray(np.interp(positions, np.arange(len(sound)), sound), np.float32)


def open_mixer(
    folder: Path, words: Sequence[str], phones: Sequence[str], seed: int, calm_from: int | None = None
) -> ClipMixer:
    """The training split of the corpus in `folder`."""
    return ClipMixer(Corpus.open(folder), "train", words, phones, seed, calm_from)
