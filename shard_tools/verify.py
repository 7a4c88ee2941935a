"""Holds a folder of shards against its manifest, and says which shard and which chunk differ."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from shard_tools.progress import Progress, silent
from voxtab.formats.manifest import Manifest, Shard
from voxtab.formats.model_layout import find_shards, read_manifest


@dataclass(frozen=True)
class Fault:
    """`code` is shard-missing, shard-altered or manifest-invalid; `chunk` counts from 0 within the shard."""

    code: str
    message: str
    shard: str | None = None
    chunk: int | None = None


def verify_shards(directory: Path, progress: Progress = silent) -> list[Fault]:
    """Every difference between the shards of `directory` and its manifest.json; none means they are whole.

    Raises VoxtabError: model-missing, manifest-invalid.
    """
    manifest = read_manifest(directory)
    faults = [fault for _, fault in checked_chunks(directory, manifest, progress) if fault]
    listed = {shard.name for shard in manifest.shards}
    for path in find_shards(directory):
        if path.name not in listed:
            message = f"{path.name} is not in the manifest, but `cat shard-*` would include it."
            faults.append(Fault("shard-altered", message, path.name))
    return faults


def checked_chunks(
    directory: Path, manifest: Manifest, progress: Progress = silent
) -> Iterator[tuple[bytes, Fault | None]]:
    """The chunks of all shards in file order, each with its fault; a missing shard gives a fault only."""
    whole = hashlib.sha256()
    done = 0
    good = True
    for shard in manifest.shards:
        for chunk, fault in _checked_shard(directory, shard, manifest.chunk_bytes):
            whole.update(chunk)
            good &= fault is None
            done += len(chunk)
            progress(done, manifest.file.bytes)
            yield chunk, fault
    if good and whole.hexdigest() != manifest.file.sha256:
        message = (
            "Every chunk is right, yet the whole does not match file.sha256: the manifest contradicts itself."
        )
        yield b"", Fault("manifest-invalid", message)


def _checked_shard(directory: Path, shard: Shard, chunk_bytes: int) -> Iterator[tuple[bytes, Fault | None]]:
    path = directory / shard.name
    try:
        file: BinaryIO = path.open("rb")
    except OSError as error:
        message = f"{shard.name} cannot be read: {error.strerror or error}."
        yield b"", Fault("shard-missing", message, shard.name)
        return
    with file:
        size = path.stat().st_size
        if size != shard.bytes:
            message = f"{shard.name} has {size} bytes, the manifest says {shard.bytes}."
            yield b"", Fault("shard-altered", message, shard.name)
            return
        whole = hashlib.sha256()
        good = True
        for index, expected in enumerate(shard.chunks):
            chunk = file.read(min(chunk_bytes, shard.bytes - index * chunk_bytes))
            whole.update(chunk)
            fault = None
            if hashlib.sha256(chunk).hexdigest() != expected:
                good = False
                message = f"{shard.name}: chunk {index} does not match its SHA-256."
                fault = Fault("shard-altered", message, shard.name, index)
            yield chunk, fault
        if good and whole.hexdigest() != shard.sha256:
            message = (
                f"{shard.name}: its chunks are right, its SHA-256 is not: the manifest contradicts itself."
            )
            yield b"", Fault("manifest-invalid", message, shard.name)
