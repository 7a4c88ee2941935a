"""Peak normalisation: quiet speech brought to the level that models were trained on. Off unless asked for."""

import math
from collections.abc import Iterable

PEAK = 0.95
# Below this (-80 dB) there is only noise to bring up.
_SILENT = 1e-4


def peak_gain(pieces: "Iterable[memoryview[float]]") -> float:
    """What to multiply a recording with so that its largest sample is 0.95; 1 for silence.

    `pieces`: the float32 samples, in as many parts as is handy.
    """
    highest = 0.0
    for piece in pieces:
        if len(piece):
            highest = max(highest, max(piece), -min(piece))
    return PEAK / highest if _SILENT < highest < math.inf else 1.0
