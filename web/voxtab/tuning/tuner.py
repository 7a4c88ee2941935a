"""Tunes a device when it first pays: once for each device and version, then from what was kept."""

from typing import Protocol

from voxtab.errors import VoxtabError
from voxtab.gpu.base import Gpu
from voxtab.tuning.choice import choice_name, from_text, to_text
from voxtab.tuning.trial import tune

# What a choice saves on a small model in a whole session is less than making it takes.
LEAST_WEIGHTS = 64 << 20


class TuningStore(Protocol):
    """Keeps texts of a few hundred characters by name. What can't be read or kept is as if it were not there."""

    async def read(self, name: str) -> str | None: ...

    async def write(self, name: str, text: str) -> None: ...


class Tuner:
    """`least_weights`: bytes of weights that a model must have for it to matter."""

    def __init__(self, store: TuningStore, least_weights: int = LEAST_WEIGHTS) -> None:
        self._store = store
        self._least_weights = least_weights

    async def prepare(self, gpu: Gpu, weights: int) -> None:
        """Give the device its tiles, before a model with so many bytes of weights is loaded to it. It keeps those it was
        given. Raises VoxtabError device-lost."""
        if gpu.chosen_tiles is not None or weights < self._least_weights:
            return
        name = choice_name(gpu.info)
        text = await self._store.read(name)
        tiles = None if text is None else from_text(text, gpu.info)
        if tiles is None:
            try:
                tiles = await tune(gpu)
            except VoxtabError as error:
                if error.code == "adapter-too-small":
                    return  # perhaps there is room for it another time
                raise
            await self._store.write(name, to_text(tiles, gpu.info))
        gpu.chosen_tiles = tiles
