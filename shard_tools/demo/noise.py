"""What is heard besides speech: coloured noise, hum, tones, and the echo of a room. All at 16 kHz, float32, RMS 1."""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import fft

Floats = npt.NDArray[np.float32]

SAMPLE_RATE: Final = 16000
_BANK_NOISES: Final = 24
_BANK_SAMPLES: Final = 24 * SAMPLE_RATE


def coloured_noise(rng: np.random.Generator, samples: int) -> Floats:
    """Gaussian noise whose power falls with frequency^a, a from 0 (white) to 2 (brown), with a random slow swell."""
    spectrum = fft.rfft(rng.standard_normal(samples, np.float32))
    hz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE)
    spectrum *= np.maximum(hz, 40.0) ** (-rng.uniform(0, 2) / 2)
    noise = np.asarray(fft.irfft(spectrum, samples), np.float32)
    turns = rng.uniform(0, 2 * np.pi) + np.arange(samples) / SAMPLE_RATE * rng.uniform(0.2, 6)
    noise *= (1 + rng.uniform(0, 0.8) * np.sin(turns)).astype(np.float32)
    return _unit(noise)


class NoiseBank:
    """A few noises made once; a draw is a piece of one, so that mixing costs no transform."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._noises = [coloured_noise(rng, _BANK_SAMPLES) for _ in range(_BANK_NOISES)]

    def draw(self, rng: np.random.Generator, samples: int) -> Floats:
        noise = self._noises[int(rng.integers(_BANK_NOISES))]
        start = int(rng.integers(_BANK_SAMPLES - samples))
        return noise[start : start + samples].copy()


def steady_sound(rng: np.random.Generator, samples: int) -> Floats:
    """Mains hum with its harmonics, or a few tones, some of them sliding or coming and going like music."""
    seconds = np.arange(samples, dtype=np.float32) / SAMPLE_RATE
    sound = np.zeros(samples, np.float32)
    if rng.random() < 0.4:
        mains = rng.choice([50.0, 60.0])
        for harmonic in range(1, 9):
            sound += np.float32(rng.uniform(0, 1) / harmonic) * np.sin(
                np.float32(2 * np.pi * mains * harmonic) * seconds + np.float32(rng.uniform(0, 6.28))
            )
    else:
        for _ in range(int(rng.integers(1, 5))):
            hz = np.exp(rng.uniform(np.log(80), np.log(5000)))
            slide = rng.uniform(-0.3, 0.3) * hz / seconds[-1] if samples > 1 and rng.random() < 0.3 else 0.0
            tone = np.sin(2 * np.pi * (hz * seconds + slide * seconds**2 / 2) + rng.uniform(0, 6.28))
            if rng.random() < 0.5:
                note = rng.uniform(0.1, 1.0)
                tone *= np.exp(-((seconds + rng.uniform(0, note)) % note) * rng.uniform(1, 12))
            sound += tone.astype(np.float32)
    return _unit(sound)


def room_response(rng: np.random.Generator) -> Floats:
    """The direct sound, then noise that decays by 60 dB in 0.08 to 0.6 s and is 4 to 25 dB below it in all."""
    decay = rng.uniform(0.08, 0.6)
    seconds = np.arange(int(decay * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE
    tail = rng.standard_normal(len(seconds), np.float32) * np.float32(10) ** (
        -3 * seconds / np.float32(decay)
    )
    tail *= np.float32(10 ** (-rng.uniform(4, 25) / 20)) / np.sqrt(np.sum(np.square(tail)))
    tail[0] = 1
    return np.asarray(tail, np.float32)


def _unit(sound: Floats) -> Floats:
    return np.asarray(sound / (np.sqrt(np.mean(np.square(sound))) + 1e-9), np.float32)
