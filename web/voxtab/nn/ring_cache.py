"""Keys and values of one layer in a ring sized by its sliding window: memory does not grow with the session."""

from collections.abc import Sequence

from voxtab.gpu.base import Buffer, Gpu

_FIRST_SLOTS = 256
_PAIR_BYTES = {"f16": 4, "f32": 8}


class RingCache:
    """Position p lies at p % slots. A chunk of c rows is written before its first row attends, so a full ring has
    window - 1 + c slots. Starts small and doubles up to that; it never wraps before it is full.

    `width` is kv heads x head dim; `kind` is "f16" (packed pairs) or "f32"; `rate`: how many of its positions make one
    of the program's control buffer.
    """

    def __init__(self, gpu: Gpu, width: int, window: int, chunk: int, kind: str, rate: int = 1) -> None:
        self.width = width
        self.window = window
        self.kind = kind
        self.rate = rate
        self._gpu = gpu
        self.full = window - 1 + chunk
        self.slots = min(self.full, max(_FIRST_SLOTS, chunk))
        self.keys: Buffer = self._make("keys")
        self.values: Buffer = self._make("values")

    def _make(self, label: str) -> Buffer:
        return self._gpu.buffer(self._bytes(self.slots), label)

    def _bytes(self, slots: int) -> int:
        return slots * self.width // 2 * _PAIR_BYTES[self.kind]

    def lacks(self, end: int) -> bool:
        """Whether it must grow before positions below `end` are written."""
        return self.slots < end and self.slots < self.full

    def reserve(self, end: int) -> bool:
        """Make room for positions below `end`. True when the buffers changed: programs must be recorded again."""
        if not self.lacks(end):
            return False
        old_bytes = self._bytes(self.slots)
        self.slots = min(self.full, max(end, 2 * self.slots))
        for name in ("keys", "values"):
            old: Buffer = getattr(self, name)
            new = self._make(name)
            self._gpu.copy(old, new, old_bytes)
            self._gpu.free(old)
            setattr(self, name, new)
        return True

    def free(self) -> None:
        self._gpu.free(self.keys)
        self._gpu.free(self.values)


def reserve_all(caches: Sequence[RingCache], end: int) -> bool:
    """`reserve` for the layers of a stack. They are alike, so that the first tells whether there is anything to do,
    which is asked once a token."""
    if not caches or not caches[0].lacks(end):
        return False
    for cache in caches:
        cache.reserve(end)
    return True
