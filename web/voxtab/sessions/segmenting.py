"""Decides where a stream of sound is cut into segments, each of which the model hears as a stream of its own.

Cuts are wished for when the segment has become long, or when the next is to have another delay; they are made at the
next pause. Should none come, ever shorter ones do, and in the end the stream is cut where it stands. The decision rests
on the sound alone, so that it does not depend on how fast that is fed or transcribed.
"""

from dataclasses import dataclass

from voxtab.models.log_mel import SAMPLE_RATE
from voxtab.sessions.pauses import BLOCK, Pauses
from voxtab.sessions.sound import SoundQueue

# Quiet blocks (80 ms) that make a pause, by how much of the patience is used up.
_PAUSES = ((0.5, 5), (0.75, 3), (1.0, 2), (1.25, 1))
_DELAY_PATIENCE_S = 4.0
_LENGTH_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Cut:
    """A segment hears the stream up to sample `end`, the next one from sample `start` on and with its own delay. Both
    hear the middle of a pause, lest the faint edge of a word be lost."""

    end: int
    start: int
    delay_ms: int


@dataclass(frozen=True)
class _Wish:
    at: int
    patience_s: float
    delay_ms: int

    def pause(self, at: int) -> int:
        """Quiet blocks that will do when the stream has come to `at`."""
        waited = (at - self.at) / SAMPLE_RATE / self.patience_s
        return next((blocks for share, blocks in _PAUSES if waited < share), 0)


class Segmenting:
    """Where the last cut was, and what is wished for since. segment_s: what a segment should last at most."""

    def __init__(self, delay_ms: int, segment_s: float) -> None:
        self._delay_ms = delay_ms
        self._longest = round(segment_s * SAMPLE_RATE)
        self._start = 0
        self._measured = 0
        self._pauses = Pauses()
        self._wish: _Wish | None = None

    def set_delay(self, delay_ms: int, at: int) -> None:
        """Wish for a cut at the first pause from sample `at` on."""
        self._wish = None if delay_ms == self._delay_ms else _Wish(at, _DELAY_PATIENCE_S, delay_ms)

    def hear(self, sound: SoundQueue) -> list[Cut]:
        """The cuts in what was appended to `sound` since the last call."""
        cuts = []
        while self._measured + BLOCK <= sound.end:
            self._pauses.hear(sound.part(self._measured, self._measured + BLOCK))
            self._measured += BLOCK
            cut = self._cut()
            if cut is not None:
                cuts.append(cut)
        return cuts

    def _cut(self) -> Cut | None:
        """The one to be made where the stream has come to."""
        at = self._measured
        if self._wish is None and at - self._start >= self._longest:
            self._wish = _Wish(at, _LENGTH_PATIENCE_S, self._delay_ms)
        if self._wish is None:
            return None
        pause = self._wish.pause(at)
        if self._pauses.quiet_blocks() < pause:
            return None
        self._start = max(self._start, at - pause // 2 * BLOCK)
        self._delay_ms = self._wish.delay_ms
        self._wish = None
        return Cut(at, self._start, self._delay_ms)
