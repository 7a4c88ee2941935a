"""The headers of a model on disk, however its bytes are spread over files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shard_tools.gguf_header import parse_progressively
from voxtab.errors import VoxtabError
from voxtab.formats.gguf import Gguf
from voxtab.formats.gguf_split import MergedGguf, merge_splits
from voxtab.formats.manifest import Manifest
from voxtab.formats.model_layout import Kind, find_model


@dataclass(frozen=True)
class ModelFiles:
    """`parts` are the GGUFs in order; `files` those on disk, of which raw shards make up a single GGUF."""

    kind: Kind
    files: tuple[Path, ...]
    parts: tuple[Gguf, ...]
    merged: MergedGguf
    manifest: Manifest | None = None

    @property
    def bytes(self) -> int:
        return sum(part.file_bytes for part in self.parts)


def open_model(path: Path) -> ModelFiles:
    """Read the headers of the model at `path`, a GGUF or a folder that holds one model.

    Raises VoxtabError: model-missing, shard-missing, shard-altered, manifest-invalid, not-gguf, gguf-invalid.
    """
    layout = find_model(path)
    parts = tuple(_read(stream) for stream in layout.streams)
    files = tuple(file for stream in layout.streams for file in stream)
    return ModelFiles(layout.kind, files, parts, merge_splits(parts), layout.manifest)


def _read(files: Sequence[Path]) -> Gguf:
    position = 0

    def read(size: int) -> bytes:
        """The next bytes of all files laid end to end; shards are opened as far as the header reaches."""
        nonlocal position
        data = b""
        start = 0
        for file in files:
            length = file.stat().st_size
            if start <= position < start + length and len(data) < size:
                with file.open("rb") as handle:
                    handle.seek(position - start)
                    piece = handle.read(size - len(data))
                data += piece
                position += len(piece)
            start += length
        return data

    try:
        return parse_progressively(read, sum(file.stat().st_size for file in files))
    except OSError as error:
        raise VoxtabError(
            "model-missing", f"{error.filename} cannot be read: {error.strerror or error}.", "Check the path."
        ) from error
