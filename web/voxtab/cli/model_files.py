"""Models on disk: one GGUF, a shard set with or without a manifest, or the parts of a gguf-split set."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxtab.errors import VoxtabError
from voxtab.formats.model_layout import find_model
from voxtab.gpu.base import Gpu
from voxtab.models.source import ModelSource
from voxtab.nn.upload import Piece


@dataclass(frozen=True)
class _Part:
    """A file of a stream, and the SHA-256 of each of its chunks where a manifest gives them."""

    path: Path
    nbytes: int
    chunk_bytes: int
    chunks: Sequence[str] | None


class FileSource(ModelSource):
    """A model's files. Chunks are checked against the manifest once, as they are first read.

    `progress(done, total)` is called with bytes while uploading.
    """

    def __init__(
        self,
        streams: Sequence[Sequence[_Part]],
        tekken: bytes | None,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._streams = streams
        self.stream_bytes = [sum(part.nbytes for part in parts) for parts in streams]
        self.tekken = tekken
        self._progress = progress
        self._checked: set[tuple[Path, int]] = set()
        self._done = 0

    async def read(self, stream: int, offset: int, length: int) -> bytes:
        out = bytearray()
        start = 0
        for part in self._streams[stream]:
            begin, end = max(offset, start), min(offset + length, start + part.nbytes)
            if begin < end:
                out += self._read_part(part, begin - start, end - begin)
            start += part.nbytes
        if len(out) != length:
            raise VoxtabError(
                "gguf-invalid", "The model's files end before their headers say.", "Fetch them again."
            )
        return bytes(out)

    async def upload(self, gpu: Gpu, stream: int, pieces: Sequence[Piece]) -> None:
        since_drain = 0
        for piece in pieces:
            data = await self.read(stream, piece.offset, piece.nbytes)
            gpu.write(piece.buffer, piece.buffer_offset, data + bytes(-len(data) % 4))
            if piece.program is not None:
                gpu.run(piece.program)
            self._done += piece.nbytes
            since_drain += piece.nbytes
            if since_drain > 64 << 20:
                await gpu.drain()
                since_drain = 0
            if self._progress is not None:
                self._progress(self._done, sum(self.stream_bytes))
            await asyncio.sleep(0)  # where Ctrl-C takes effect

    def _read_part(self, part: _Part, offset: int, length: int) -> bytes:
        try:
            with part.path.open("rb") as file:
                for chunk in self._unchecked(part, offset, length):
                    file.seek(chunk * part.chunk_bytes)
                    found = hashlib.sha256(file.read(part.chunk_bytes)).hexdigest()
                    if part.chunks is not None and found != part.chunks[chunk]:
                        raise VoxtabError(
                            "shard-altered",
                            f"{part.path.name}: chunk {chunk} does not match its SHA-256 in manifest.json.",
                            f"Run: voxtab-shards verify {part.path.parent}",
                        )
                    self._checked.add((part.path, chunk))
                file.seek(offset)
                return file.read(length)
        except OSError as error:
            raise VoxtabError(
                "shard-missing",
                f"{part.path} can't be read: {error.strerror}.",
                "Fetch or split the model again.",
            ) from error

    def _unchecked(self, part: _Part, offset: int, length: int) -> Iterator[int]:
        if part.chunks is not None and length:
            for chunk in range(offset // part.chunk_bytes, (offset + length - 1) // part.chunk_bytes + 1):
                if (part.path, chunk) not in self._checked:
                    yield chunk


def open_model(path: Path, progress: Callable[[int, int], None] | None = None) -> FileSource:
    """The model at `path`; see voxtab.formats.model_layout, whose errors this raises too."""
    layout = find_model(path)
    streams = [[_Part(file, file.stat().st_size, 1, None) for file in stream] for stream in layout.streams]
    if layout.manifest is not None:
        chunk_bytes = layout.manifest.chunk_bytes
        hashed = zip(layout.streams[0], layout.manifest.shards, strict=True)
        streams = [[_Part(file, shard.bytes, chunk_bytes, shard.chunks) for file, shard in hashed]]
    tekken = layout.folder / "tekken.json"
    return FileSource(streams, tekken.read_bytes() if tekken.is_file() else None, progress)
