"""Models on disk: one GGUF, a shard set with or without a manifest, or the parts of a gguf-split set."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxtab.errors import VoxtabError
from voxtab.formats.gguf_split import split_file_names
from voxtab.formats.manifest import Manifest, parse_manifest
from voxtab.gpu.base import Gpu
from voxtab.models.source import ModelSource
from voxtab.nn.upload import Piece

_BARE_SHARD = re.compile(r"shard-[a-z]{2,4}")


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
    """The model at `path`: a .gguf, one part of a split, or a folder. Raises VoxtabError model-missing, shard-missing,
    shard-altered or manifest-invalid."""
    if path.is_dir():
        return _open_folder(path, progress)
    if not path.is_file():
        raise VoxtabError(
            "model-missing", f"There is no model at {path}.", "Give a .gguf file or a folder of shards."
        )
    names = split_file_names(path.name) or [path.name]
    streams = [[_whole(path.parent / name)] for name in names]
    return FileSource(streams, _tekken(path.parent), progress)


def _open_folder(folder: Path, progress: Callable[[int, int], None] | None) -> FileSource:
    manifest = folder / "manifest.json"
    if manifest.is_file():
        parts = _manifest_parts(folder, parse_manifest(manifest.read_bytes()))
        return FileSource([parts], _tekken(folder), progress)
    shards = sorted(p for p in folder.iterdir() if _BARE_SHARD.fullmatch(p.name))
    if shards:
        return FileSource([[_whole(shard) for shard in shards]], _tekken(folder), progress)
    ggufs = sorted(folder.glob("*.gguf"))
    splits = {tuple(split_file_names(p.name) or [p.name]) for p in ggufs}
    if len(splits) == 1:
        return open_model(ggufs[0], progress)
    found = "several models" if splits else "no model"
    raise VoxtabError(
        "model-missing",
        f"{folder} holds {found}.",
        "Give one .gguf file, or a folder with manifest.json, shard-aa, ... or one .gguf.",
    )


def _manifest_parts(folder: Path, manifest: Manifest) -> list[_Part]:
    parts = []
    for shard in manifest.shards:
        part = _whole(folder / shard.name)
        if part.nbytes != shard.bytes:
            raise VoxtabError(
                "shard-altered",
                f"{shard.name} has {part.nbytes} bytes; manifest.json says {shard.bytes}.",
                f"Run: voxtab-shards verify {folder}",
            )
        parts.append(_Part(part.path, shard.bytes, manifest.chunk_bytes, shard.chunks))
    return parts


def _whole(path: Path) -> _Part:
    if not path.is_file():
        raise VoxtabError("shard-missing", f"{path} is not there.", "Fetch or split the model again.")
    return _Part(path, path.stat().st_size, 1, None)


def _tekken(folder: Path) -> bytes | None:
    file = folder / "tekken.json"
    return file.read_bytes() if file.is_file() else None
