"""Tables of the log-mel front end, computed in float64 and used in float32 (a linear layer, then the kernel log_mel).

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
    """f32[2 FREQUENCIES, WINDOW]: rows of cosines, then of sines, times the Hann window 0.5 - 0.5 cos(2 pi s / WINDOW).

    As a matrix it takes a frame to its spectrum, so the linear layer does it, over rows that overlap by WINDOW - HOP.
    """
    circle = [math.cos(math.tau * i / WINDOW) for i in range(WINDOW)]
    hann = [0.5 - 0.5 * cos for cos in circle]
    quarter = WINDOW // 4  # sin(x) = cos(x - pi / 2)
    table = array("f")
    for turn in (0, -quarter):
        for k in range(FREQUENCIES):
            table.extend([hann[s] * circle[(s * k + turn) % WINDOW] for s in range(WINDOW)])
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


def mel_spans(filters: "array[float]", bands: int) -> "array[int]":
    """u32[bands]: the first frequency with a weight, and the one after the last in the high half."""
    spans = array("I")
    for band in range(bands):
        used = [k for k in range(FREQUENCIES) if filters[k * bands + band] > 0.0]
        spans.append(used[0] | (used[-1] + 1) << 16 if used else 0)
    return spans


def _hz_to_mel(hz: float) -> float:
    return hz * 3 / 200 if hz < _KNEE_HZ else _KNEE_MEL + _MEL_PER_LOG * math.log(hz / _KNEE_HZ)


def _mel_to_hz(mel: float) -> float:
    return mel * 200 / 3 if mel < _KNEE_MEL else _KNEE_HZ * math.exp((mel - _KNEE_MEL) / _MEL_PER_LOG)
