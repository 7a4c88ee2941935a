"""A model's bytes as the worker fetches them."""

from array import array
from collections.abc import Sequence
from typing import Any

from voxtab.gpu.base import Gpu
from voxtab.gpu.browser import BrowserGpu
from voxtab.models.source import ModelSource
from voxtab.nn.upload import Piece
from voxtab.tab.typed_arrays import to_js


class BrowserSource(ModelSource):
    """The worker's source: it fetches, verifies, caches and writes to the GPU; only headers come to Python."""

    def __init__(self, js: Any) -> None:
        self._js = js
        self.stream_bytes = [int(stream.bytes) for stream in js.streams]

    async def read(self, stream: int, offset: int, length: int) -> bytes:
        return bytes((await self._js.read(stream, offset, length)).to_bytes())

    async def upload(self, gpu: Gpu, stream: int, pieces: Sequence[Piece]) -> None:
        assert isinstance(gpu, BrowserGpu)
        rows = array("d")
        for piece in pieces:
            program = piece.program.id if piece.program else -1
            rows.extend((piece.offset, piece.nbytes, piece.buffer.id, piece.buffer_offset, program))
        await self._js.upload(gpu.js, stream, to_js("Float64Array", rows))

    async def tekken(self) -> bytes | None:
        """The tekken.json beside the model's files, if there is one."""
        found = await self._js.tekken()
        return bytes(found.to_bytes()) if found else None
