"""Peak normalisation: quiet speech brought to the level that models were trained on. Off unless asked for."""

from array import array

PEAK = 0.95


def normalize_peak(pcm: "array[float] | memoryview") -> "array[float]":
    """The samples scaled so that the largest is 0.95; silence stays as it is."""
    samples = array("f", memoryview(pcm).cast("B").tobytes())
    highest = max(max(samples, default=0.0), -min(samples, default=0.0))
    if highest > 0.0:
        gain = PEAK / highest
        samples = array("f", [gain * sample for sample in samples])
    return samples
