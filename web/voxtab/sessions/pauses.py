"""Finds pauses in a stream of sound: where a stream may be cut without cutting a word."""

from array import array
from collections import deque
from operator import mul

BLOCK = 1280
"""Samples whose level is one value: a token's, 80 ms. A stream is cut between blocks."""

_REMEMBERED = 375  # blocks: 30 s
_FLOOR_SHARE = 0.1  # of the blocks are as quiet as the room, or quieter
_ABOVE_FLOOR = 4.0  # in power, 6 dB: what still counts for quiet in the room's noise
_LOUD_SHARE = 0.9  # of the blocks are softer than speech at its loudest
_BELOW_LOUD = 0.25  # in power, 6 dB: speech without a pause has a quietest tenth too
_BELOW_LOUDEST = 1e-4  # in power, 40 dB: what counts for quiet where the room makes none


class Pauses:
    """Levels of the last half minute, block by block; quiet is what is near the quietest tenth of them.

    There is no fixed threshold: microphones, rooms and voices differ by far more than speech and its pauses do.
    """

    def __init__(self) -> None:
        self._powers: deque[float] = deque(maxlen=_REMEMBERED)

    def hear(self, block: "array[float]") -> None:
        """The next BLOCK samples."""
        self._powers.append(sum(map(mul, block, block)))

    def quiet_blocks(self) -> int:
        """How many blocks the sound has been quiet for."""
        ordered = sorted(self._powers)
        if not ordered:
            return 0
        floor = ordered[int(_FLOOR_SHARE * len(ordered))]
        loud = ordered[int(_LOUD_SHARE * len(ordered))]
        limit = max(min(_ABOVE_FLOOR * floor, _BELOW_LOUD * loud), _BELOW_LOUDEST * ordered[-1])
        count = 0
        for power in reversed(self._powers):
            if power > limit:
                break
            count += 1
        return count
