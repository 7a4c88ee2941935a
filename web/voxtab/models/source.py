"""Where a model's bytes come from: one or more GGUF byte streams, whatever files or requests they are made of."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence

from voxtab.formats.gguf import Gguf, GgufTruncated, parse_gguf
from voxtab.formats.gguf_split import MergedGguf, merge_splits
from voxtab.gpu.base import Gpu
from voxtab.nn.upload import Piece

_FIRST_READ = 1 << 20


class ModelSource(ABC):
    """`stream_bytes`: the length of each GGUF stream (one, or the parts of a gguf-split set)."""

    stream_bytes: Sequence[int]

    @abstractmethod
    async def read(self, stream: int, offset: int, length: int) -> bytes:
        """These bytes, checked where there is something to check them against."""

    @abstractmethod
    async def upload(self, gpu: Gpu, stream: int, pieces: Sequence[Piece]) -> None:
        """Stream the file once and carry out its pieces, which come in order of their offsets."""


async def read_directory(source: ModelSource) -> MergedGguf:
    """Metadata and tensors of a model. Raises GgufError."""
    files: list[Gguf] = []
    for stream, size in enumerate(source.stream_bytes):
        wanted = min(_FIRST_READ, size)
        head = await source.read(stream, 0, wanted)
        while True:
            try:
                files.append(parse_gguf(head, size))
                break
            except GgufTruncated as short:
                # Grow at least by half again: the directory of a full vocabulary is some 10 MB, told piece by piece.
                wanted = min(size, max(short.needed, len(head) * 3 // 2, _FIRST_READ))
                head += await source.read(stream, len(head), wanted - len(head))
                await asyncio.sleep(0)
    return merge_splits(files)
