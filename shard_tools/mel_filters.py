"""The Slaney mel filter bank, spec: bands equally spaced in mel, triangles linear in Hz, each of area one.

Mel scale: f x 3/200 below 1000 Hz, 15 + 27 ln(f/1000) / ln 6.4 above (M. Slaney, Auditory Toolbox, 1998).
"""

import math

import numpy as np
import numpy.typing as npt

_KNEE_HZ = 1000.0
_KNEE_MEL = 15.0
_MEL_PER_LOG = 27.0 / math.log(6.4)


def mel_filters(
    bins: int = 128, window_size: int = 400, sample_rate: int = 16000, highest_hz: float = 8000.0
) -> npt.NDArray[np.float32]:
    """[window_size/2 + 1, bins]: weight of each STFT frequency in each band; computed in float64."""
    highest_mel = _hz_to_mel(highest_hz)
    edges = np.array([_mel_to_hz(highest_mel * i / (bins + 1)) for i in range(bins + 2)])
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    hz = np.linspace(0.0, sample_rate / 2, window_size // 2 + 1)[:, None]
    rising = (hz - lower) / (centre - lower)
    falling = (upper - hz) / (upper - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * (2.0 / (upper - lower)), np.float32)


def _hz_to_mel(hz: float) -> float:
    return hz * 3 / 200 if hz < _KNEE_HZ else _KNEE_MEL + _MEL_PER_LOG * math.log(hz / _KNEE_HZ)


def _mel_to_hz(mel: float) -> float:
    return mel * 200 / 3 if mel < _KNEE_MEL else _KNEE_HZ * math.exp((mel - _KNEE_MEL) / _MEL_PER_LOG)
