"""Where a model lies on disk: one GGUF, the parts of gguf-split, or raw shards with or without a manifest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shard_tools.gguf_header import parse_progressively
from shard_tools.shard_names import MANIFEST, find_shards
from shard_tools.verify import read_manifest
from voxtab.errors import VoxtabError
from voxtab.formats.gguf import Gguf
from voxtab.formats.gguf_split import MergedGguf, merge_splits, split_file_names
from voxtab.formats.manifest import Manifest

Kind = Literal["gguf", "gguf-split", "manifest", "shards"]


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
    if not path.exists():
        raise VoxtabError("model-missing", f"{path} does not exist.", "Check the path.")
    if path.is_dir():
        return _open_folder(path)
    names = split_file_names(path.name)
    return _open_parts([path.with_name(name) for name in names]) if names else _open_single("gguf", [path])


def _open_folder(folder: Path) -> ModelFiles:
    if (folder / MANIFEST).exists():
        manifest = read_manifest(folder)
        files = [folder / shard.name for shard in manifest.shards]
        for file, shard in zip(files, manifest.shards, strict=True):
            if not file.is_file():
                raise VoxtabError("shard-missing", f"{file} is missing.", "Get that shard again.")
            if file.stat().st_size != shard.bytes:
                raise VoxtabError(
                    "shard-altered",
                    f"{file} has {file.stat().st_size} bytes, the manifest says {shard.bytes}.",
                    "Get that shard again.",
                )
        return _open_single("manifest", files, manifest)
    if shards := find_shards(folder):
        return _open_single("shards", shards)
    ggufs = sorted(folder.glob("*.gguf"))
    if ggufs and (names := split_file_names(ggufs[0].name)) and len(names) == len(ggufs):
        return _open_parts([folder / name for name in names])
    if len(ggufs) == 1:
        return _open_single("gguf", ggufs)
    raise VoxtabError(
        "model-missing",
        f"{folder} holds {len(ggufs)} GGUF files."
        if ggufs
        else f"{folder} holds neither shards nor a GGUF file.",
        "Name the file itself." if ggufs else "Check the path.",
    )


def _open_single(kind: Kind, files: Sequence[Path], manifest: Manifest | None = None) -> ModelFiles:
    gguf = _read(files)
    return ModelFiles(kind, tuple(files), (gguf,), merge_splits([gguf]), manifest)


def _open_parts(files: Sequence[Path]) -> ModelFiles:
    for file in files:
        if not file.is_file():
            raise VoxtabError("shard-missing", f"{file} is missing.", "Put all parts in one folder.")
    parts = tuple(_read([file]) for file in files)
    return ModelFiles("gguf-split", tuple(files), parts, merge_splits(parts))


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
