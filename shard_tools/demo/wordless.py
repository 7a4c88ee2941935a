"""Sounds in which nothing is said: silence, mains hum, tones, chords, white, pink and brown noise.

Made apart from the training's noise.py, so that what is measured is not what was trained. All at 16 kHz, float32.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from shard_tools.demo.recordings import SAMPLE_RATE, Floats, Recording

SECONDS: Final = 20.0
LEVELS_DB: Final = (-60.0, -40.0, -20.0)  # RMS, below full scale

Maker = Callable[[np.random.Generator, int], Floats]


def wordless_recordings(seed: int, seconds: float = SECONDS) -> list[Recording]:
    """Every kind at every level, and one stretch of silence as long as a kind takes: 8 minutes with 20 s each."""
    samples = int(seconds * SAMPLE_RATE)
    silence = np.zeros(samples * len(LEVELS_DB), np.float32)
    made = [Recording("wordless/silence", "silence", silence)]
    for level in LEVELS_DB:
        for kind, make in KINDS.items():
            rng = np.random.default_rng((seed, round(-level), *kind.encode()))
            sound = _at_level(make(rng, samples), level)
            made.append(Recording(f"wordless/{kind}/{level:.0f} dB", kind, sound))
    return made


def hum(hz: float) -> Maker:
    """Mains hum: the mains' frequency and its harmonics, falling off."""

    def make(rng: np.random.Generator, samples: int) -> Floats:
        seconds = np.arange(samples) / SAMPLE_RATE
        harmonics = np.arange(1, 11)
        phases = rng.uniform(0, 2 * np.pi, len(harmonics))
        heights = rng.uniform(0.3, 1, len(harmonics)) / harmonics
        angles = 2 * np.pi * hz * np.outer(harmonics, seconds) + phases[:, None]
        return np.asarray(heights @ np.sin(angles), np.float32)

    return make


def tones(rng: np.random.Generator, samples: int) -> Floats:
    """One pure tone after the other, 0.2 to 2 s each, 100 to 6000 Hz, some gliding; silence between some."""
    sound = np.zeros(samples, np.float32)
    at = 0
    while at < samples:
        length = min(int(rng.uniform(0.2, 2.0) * SAMPLE_RATE), samples - at)
        glide = rng.uniform(0.7, 1.4) if rng.random() < 0.4 else 1.0
        hz = np.exp(rng.uniform(np.log(100), np.log(6000 / max(glide, 1.0))))
        path = np.linspace(hz, hz * glide, length)
        sound[at : at + length] = np.sin(2 * np.pi * np.cumsum(path) / SAMPLE_RATE) * _edges(length)
        at += length + (int(rng.uniform(0, 0.5) * SAMPLE_RATE) if rng.random() < 0.5 else 0)
    return sound


def chords(rng: np.random.Generator, samples: int) -> Floats:
    """Chords of three or four plucked notes with overtones, two a second or slower, as music is."""
    sound = np.zeros(samples, np.float32)
    beat = int(rng.uniform(0.5, 0.9) * SAMPLE_RATE)
    for at in range(0, samples, beat):
        length = min(2 * beat, samples - at)
        seconds = np.arange(length) / SAMPLE_RATE
        root = 110.0 * 2 ** (rng.integers(0, 24) / 12)
        third = int(rng.choice([3, 4]))
        for step in (0, third, 7, 12)[: int(rng.integers(3, 5))]:
            note = root * 2 ** (step / 12)
            for overtone in range(1, 6):
                if note * overtone < SAMPLE_RATE / 2:
                    decay = np.exp(-seconds * overtone * 1.5)
                    wave = np.sin(2 * np.pi * note * overtone * seconds + rng.uniform(0, 6.28))
                    sound[at : at + length] += (decay * wave / overtone**1.3 * _edges(length)).astype(
                        np.float32
                    )
    return sound


def noise(slope: float) -> Maker:
    """Gaussian noise whose power falls with frequency^slope above 20 Hz: 0 is white, 1 pink, 2 brown."""

    def make(rng: np.random.Generator, samples: int) -> Floats:
        spectrum = np.fft.rfft(rng.standard_normal(samples))
        spectrum *= np.maximum(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE), 20.0) ** (-slope / 2)
        return np.asarray(np.fft.irfft(spectrum, samples), np.float32)

    return make


KINDS: Final[Mapping[str, Maker]] = {
    "hum 50 Hz": hum(50.0),
    "hum 60 Hz": hum(60.0),
    "tones": tones,
    "chords": chords,
    "white noise": noise(0.0),
    "pink noise": noise(1.0),
    "brown noise": noise(2.0),
}


def _edges(length: int) -> Floats:
    """1, rising from 0 and falling to it within 5 ms, so that nothing clicks."""
    ramp = np.minimum(1.0, np.arange(length) / (0.005 * SAMPLE_RATE))
    return np.asarray(ramp * ramp[::-1], np.float32)


def _at_level(sound: Floats, level_db: float) -> Floats:
    """With that RMS, clipped at full scale."""
    rms = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    return np.asarray(np.clip(sound * (10 ** (level_db / 20) / rms), -1, 1), np.float32)
