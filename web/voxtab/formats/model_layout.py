"""Which files of a folder are one model: a GGUF, the parts of gguf-split, or raw shards with or without a manifest."""

import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from string import ascii_lowercase
from typing import Final, Literal

from voxtab.errors import VoxtabError
from voxtab.formats.gguf_split import split_file_names
from voxtab.formats.manifest import MAX_TEXT_BYTES, Manifest, parse_manifest

MANIFEST: Final = "manifest.json"
_SHARD: Final = re.compile(r"shard-[a-z]{2,4}")

Kind = Literal["gguf", "gguf-split", "manifest", "shards"]


@dataclass(frozen=True, slots=True)
class ModelLayout:
    """Each stream is one GGUF: a file, or raw shards to be read end to end. All files are there."""

    kind: Kind
    streams: tuple[tuple[Path, ...], ...]
    manifest: Manifest | None = None

    @property
    def folder(self) -> Path:
        return self.streams[0][0].parent


def find_model(path: Path) -> ModelLayout:
    """The model at `path`: a GGUF, one part of a split, or a folder that holds one model.

    Raises VoxtabError: model-missing, shard-missing, shard-altered (a wrong size), manifest-invalid.
    """
    if path.is_dir():
        return _in_folder(path)
    if not path.is_file():
        raise VoxtabError(
            "model-missing", f"There is no model at {path}.", "Give a .gguf file, or a folder of shards."
        )
    names = split_file_names(path.name)
    return _split([path.with_name(name) for name in names]) if names else ModelLayout("gguf", ((path,),))


def find_shards(folder: Path) -> list[Path]:
    """The raw shards of a folder in file order; files still being written do not count."""
    return sorted(path for path in folder.glob("shard-*") if path.is_file() and _SHARD.fullmatch(path.name))


def whole_set(folder: Path) -> list[Path]:
    """`find_shards`, if their names follow each other from shard-aa (or -aaa, -aaaa) on without a gap.

    Nothing says how many there should be, so shards missing at the end are for the reader of the GGUF to notice.
    Raises VoxtabError: shard-missing.
    """
    shards = find_shards(folder)
    if shards:
        letters = product(ascii_lowercase, repeat=len(shards[0].name) - len("shard-"))
        for shard, expected in zip(shards, letters, strict=False):
            name = "shard-" + "".join(expected)
            if shard.name != name:
                raise VoxtabError(
                    "shard-missing",
                    f"{folder} lacks {name}, which comes before {shard.name}.",
                    "Get that shard again; a model needs all of its parts.",
                )
    return shards


def read_manifest(folder: Path) -> Manifest:
    """The checked manifest.json of a folder. Raises VoxtabError: model-missing, manifest-invalid."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            text = file.read(MAX_TEXT_BYTES + 1)
    except OSError as error:
        raise VoxtabError(
            "model-missing",
            f"{folder / MANIFEST} cannot be read: {error.strerror or error}.",
            "Give a folder that voxtab-shards split has written.",
        ) from error
    return parse_manifest(text)


def _in_folder(folder: Path) -> ModelLayout:
    if (folder / MANIFEST).exists():
        manifest = read_manifest(folder)
        files = tuple(folder / shard.name for shard in manifest.shards)
        for file, shard in zip(files, manifest.shards, strict=True):
            size = _size(file)
            if size != shard.bytes:
                raise VoxtabError(
                    "shard-altered",
                    f"{file} has {size} bytes, the manifest says {shard.bytes}.",
                    "Get that shard again.",
                )
        return ModelLayout("manifest", (files,), manifest)
    if shards := whole_set(folder):
        return ModelLayout("shards", (tuple(shards),))
    ggufs = sorted(folder.glob("*.gguf"))
    if ggufs and (names := split_file_names(ggufs[0].name)) and {file.name for file in ggufs} <= set(names):
        return _split([folder / name for name in names])
    if len(ggufs) == 1:
        return ModelLayout("gguf", ((ggufs[0],),))
    raise VoxtabError(
        "model-missing",
        f"{folder} holds {len(ggufs)} GGUF files."
        if ggufs
        else f"{folder} holds neither shards nor a GGUF file.",
        "Name the file itself." if ggufs else "Check the path.",
    )


def _split(files: list[Path]) -> ModelLayout:
    for file in files:
        _size(file)
    return ModelLayout("gguf-split", tuple((file,) for file in files))


def _size(file: Path) -> int:
    if not file.is_file():
        raise VoxtabError(
            "shard-missing", f"{file} is missing.", "Get that file again; a model needs all of its parts."
        )
    return file.stat().st_size
