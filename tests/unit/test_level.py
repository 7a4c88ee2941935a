"""Peak normalisation."""

from array import array

import pytest

from voxtab.sessions.level import peak_gain


def floats(*values: float) -> "memoryview[float]":
    return memoryview(array("f", values).tobytes()).cast("f")


def test_the_largest_sample_over_all_pieces_comes_to_the_peak() -> None:
    assert peak_gain([floats(0.01, -0.02), floats(0.005), floats()]) == pytest.approx(0.95 / 0.02)


def test_silence_is_left_alone() -> None:
    assert peak_gain([floats(0.0, 5e-5, -5e-5)]) == 1.0
    assert peak_gain([]) == 1.0
