"""How much work goes into one submit."""


class Pace:
    """Doubles from `start` up to `most` while a submit takes under half of `target_s`, halves when it takes over it.

    Large submits save round trips; but the GPU also draws the screen, a cancel waits for what is submitted, and
    drivers reset a device that is busy for some seconds.
    """

    def __init__(self, start: int, most: int, target_s: float) -> None:
        self.size = min(start, most)
        self._most = most
        self._target_s = target_s

    def measured(self, count: int, seconds: float) -> None:
        """A submit of `count` took `seconds`. Only full ones tell that there is room for more."""
        if seconds > self._target_s:
            self.size = max(1, min(self.size, count // 2))
        elif count >= self.size and seconds < self._target_s / 2:
            self.size = min(self._most, self.size * 2)
