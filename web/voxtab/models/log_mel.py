"""Tables of the log-mel front end, computed in float64 and used in float32 (kernels power_spectrum and log_mel).

16 kHz sound, windows of 400 samples (periodic Hann) every 160, 201 frequencies 40 Hz apart, 128 bands.
"""

import math
from array import array

SAMPLE_RATE = 16000
WINDOW = 400
HOP = 160
FREQUENCIES = WINDOW // 2 + 1

# The Slaney mel scale (M. Slaney, Auditory Toolbox, 1998): f x 3/200 below 1000 Hz, 15 + 27 ln(f/1000) / ln 6.4 above.
_KNEE_HZ = 1000.0
_KNEE_MEL = 15.0
_MEL_PER_LOG = 27.0 / math.log(6.4)


def windowed_dft() -> "array[float]":
    """(cos, sin)[WINDOW, FREQUENCIES], each times the Hann window 0.5 - 0.5 cos(2 pi s / WINDOW)."""
    circle = [(math.cos(math.tau * i / WINDOW), math.sin(math.tau * i / WINDOW)) for i in range(WINDOW)]
    table = array("f")
    for s in range(WINDOW):
        hann = 0.5 - 0.5 * circle[s][0]
        for k in range(FREQUENCIES):
            cos, sin = circle[s * k % WINDOW]
            table.append(hann * cos)
            table.append(hann * sin)
    return table


def mel_filters(bands: int) -> "array[float]":
    """f32[FREQUENCIES, bands]: triangles linear in Hz between edges equally spaced in mel, of area one, 0..8000 Hz."""
    highest = _hz_to_mel(SAMPLE_RATE / 2)
    edges = [_mel_to_hz(highest * i / (bands + 1)) for i in range(bands + 2)]
    filters = array("f")
    for k in range(FREQUENCIES):
        hz = k * SAMPLE_RATE / WINDOW
        for lower, centre, upper in zip(edges, edges[1:], edges[2:], strict=False):
            height = min((hz - lower) / (centre - lower), (upper - hz) / (upper - centre))
            filters.append(max(0.0, height) * 2.0 / (upper - lower))
    return filters


def _hz_to_mel(hz: float) -> float:
    return hz * 3 / 200 if hz < _KNEE_HZ else _KNEE_MEL + _MEL_PER_LOG * math.log(hz / _KNEE_HZ)


def _mel_to_hz(mel: float) -> float:
    return mel * 200 / 3 if mel < _KNEE_MEL else _KNEE_HZ * math.exp((mel - _KNEE_MEL) / _MEL_PER_LOG)
