"""Preset voices, and what the backbone has made of them: the beginning of a prompt depends on the voice alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from voxtab.gpu.base import Buffer, Gpu
from voxtab.nn.ring_cache import RingCache

# Positions before the voice's rows: BOS and BEGIN_AUDIO.
VOICE_BEGIN = 2

# A kept beginning of the 4B model takes some 20 MB, and people seldom alternate between more voices.
_KEPT = 2


@dataclass(frozen=True)
class Voice:
    """`buffer`: f32[rows, dim], in the backbone's input space; `language` in BCP 47."""

    name: str
    language: str
    rows: int
    buffer: Buffer

    @property
    def prefix(self) -> int:
        """Positions of a prompt that are the same for every text."""
        return VOICE_BEGIN + self.rows


class VoicePrefixes:
    """Keys and values of those positions, of the voices used last."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._kept: dict[tuple[str, str], list[Buffer]] = {}

    def restore(self, voice: Voice, caches: Sequence[RingCache]) -> bool:
        """Fill the first positions of the caches, which have room for them. False when the voice is not kept."""
        buffers = self._kept.pop((voice.name, caches[0].kind), None)
        if buffers is None:
            return False
        self._kept[(voice.name, caches[0].kind)] = buffers
        for source, target in zip(buffers, _rings(caches), strict=True):
            self._gpu.copy(source, target, source.size)
        return True

    def keep(self, voice: Voice, caches: Sequence[RingCache]) -> None:
        """Copy them out of caches that have them; the voice not used for longest makes room."""
        key = (voice.name, caches[0].kind)
        if key in self._kept:
            return
        while len(self._kept) >= _KEPT:
            self._drop(next(iter(self._kept)))
        buffers: list[Buffer] = []
        with self._gpu.all_or_nothing():
            for cache in caches:
                size = cache.keys.size // cache.slots * voice.prefix
                buffers += [self._gpu.buffer(size, f"prompt of {voice.name}") for _ in range(2)]
        for source, target in zip(_rings(caches), buffers, strict=True):
            self._gpu.copy(source, target, target.size)
        self._kept[key] = buffers

    def free(self) -> None:
        for key in list(self._kept):
            self._drop(key)

    def _drop(self, key: tuple[str, str]) -> None:
        for buffer in self._kept.pop(key):
            self._gpu.free(buffer)


def _rings(caches: Sequence[RingCache]) -> list[Buffer]:
    return [ring for cache in caches for ring in (cache.keys, cache.values)]
