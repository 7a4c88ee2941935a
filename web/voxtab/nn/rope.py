"""Rotary position angles, made on the host in float64: a session lasts hours and float32 angles drift."""

import math
from array import array

from voxtab.gpu.base import Buffer, Gpu

# Positions made ready at a time, so that a live step does not pay for a call each.
AHEAD = 64


class RopeTable:
    """A ring of (cos, sin) [slots, head_dim / 2]; position p lies at p % slots.

    angle(p, j) = p theta^(-2j / head_dim), for the pair (2j, 2j + 1) of a head.
    """

    def __init__(self, gpu: Gpu, head_dim: int, theta: float, slots: int) -> None:
        self.head_dim = head_dim
        self.slots = slots
        self._gpu = gpu
        self._frequencies = [theta ** (-2 * j / head_dim) for j in range(head_dim // 2)]
        self._ready = 0
        self.buffer: Buffer = gpu.buffer(slots * head_dim * 4, "rope table")

    def prepare(self, end: int) -> None:
        """Make positions up to `end` (exclusive) ready for programs submitted from now on."""
        while self._ready < end:
            first = self._ready
            count = min(AHEAD, self.slots - first % self.slots)
            angles = [
                position * frequency
                for position in range(first, first + count)
                for frequency in self._frequencies
            ]
            rows = array("f", bytes(8 * len(angles)))
            rows[0::2] = array("f", map(math.cos, angles))
            rows[1::2] = array("f", map(math.sin, angles))
            self._gpu.write(self.buffer, (first % self.slots) * self.head_dim * 4, memoryview(rows))
            self._ready = first + count

    def rewind(self) -> None:
        """Positions start at 0 again."""
        self._ready = 0

    def free(self) -> None:
        self._gpu.free(self.buffer)
