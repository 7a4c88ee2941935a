"""Sound as it comes in: checked, and kept for as long as it may still be needed."""

import math
from array import array

from voxtab.errors import VoxtabError

_LOUDEST = 1e4  # float recordings may exceed 1; their squares must stay finite in float32
_DROPPED_AT_LEAST = 1 << 14  # samples: each removal from the front moves what stays


def checked(pcm: "array[float] | memoryview") -> memoryview:
    """The samples, float32. Raises VoxtabError audio-undecodable for what is no sound: one endless sample would spoil
    all that follows."""
    samples = memoryview(pcm)
    if samples.format != "f":
        raise TypeError(f"samples are float32, not {samples.format!r}")
    if len(samples) and not (math.isfinite(sum(samples)) and max(max(samples), -min(samples)) <= _LOUDEST):
        raise VoxtabError(
            "audio-undecodable",
            "The sound holds values that are no numbers, or far outside -1 to 1.",
            "Make the recording again, or export it as 16-bit WAV.",
        )
    return samples


class SoundQueue:
    """Samples by their place in the stream, from the first that is still needed to the last that was fed."""

    def __init__(self) -> None:
        self._samples = array("f")
        self._first = 0

    @property
    def end(self) -> int:
        """Samples fed so far."""
        return self._first + len(self._samples)

    def append(self, samples: memoryview) -> None:
        self._samples.frombytes(samples.cast("B"))

    def part(self, start: int, end: int) -> "array[float]":
        """A copy of the samples start .. end, none of which may have been dropped."""
        return self._samples[start - self._first : end - self._first]

    def drop_before(self, start: int) -> None:
        """What lies before `start` is not needed any more. Some of it may stay for a while."""
        if start - self._first >= max(_DROPPED_AT_LEAST, len(self._samples) // 2):
            del self._samples[: start - self._first]
            self._first = start
