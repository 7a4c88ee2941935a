"""A number as a vector of its cosines and sines at falling frequencies."""

import math
from array import array


def time_embedding(dim: int, t: float) -> "array[float]":
    """[cos(t f), sin(t f)], f_i = 10000^(-i / (dim / 2)): cosines first."""
    half = dim // 2
    angles = [t * 10000.0 ** (-i / half) for i in range(half)]
    return array("f", [*map(math.cos, angles), *map(math.sin, angles)])
