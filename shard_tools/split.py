"""A GGUF becomes raw byte shards, which `cat` joins again, and a manifest with the SHA-256 of every part.

One pass: each block is read once, written once, and hashed for the chunk, the shard and the whole.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from shard_tools.gguf_header import read_header
from shard_tools.output_check import check_not_input
from shard_tools.output_file import FileSet, writing, writing_set
from shard_tools.progress import Progress, silent
from shard_tools.shard_names import shard_names
from voxtab.errors import VoxtabError
from voxtab.formats.gguf import Gguf
from voxtab.formats.manifest import (
    CHUNK_BYTES,
    MAX_SHARD_BYTES,
    FileInfo,
    Manifest,
    ModelInfo,
    Shard,
    TokenizerInfo,
)
from voxtab.formats.model_layout import MANIFEST, find_shards
from voxtab.models.tts_config import ARCHITECTURE as SPEECH

_VOCABULARY_KEY: Final = "voxtral.tokenizer.vocab_token_bytes_b64"
UNKNOWN_LICENCE: Final = "unknown"
_NO_HASH: Final = "0" * 64
# Keeps the manifest well below its limit of 4 MiB.
MAX_SHARDS: Final = 10_000


def split_gguf(
    gguf_path: Path,
    directory: Path,
    shard_bytes: int = MAX_SHARD_BYTES,
    force: bool = False,
    progress: Progress = silent,
    source: str | None = None,
    description: str | None = None,
    name: str | None = None,
    licence: str | None = None,
) -> Manifest:
    """Write `directory`/shard-aa ... and, last, manifest.json. `force` replaces a set that is there already.

    `name` and `licence` default to the GGUF's general.name and general.license. Raises VoxtabError: not-gguf,
    gguf-invalid, model-missing, option-invalid, quota-full.
    """
    if not 1 <= shard_bytes <= MAX_SHARD_BYTES:
        raise VoxtabError(
            "option-invalid",
            f"A shard of {shard_bytes} bytes is not possible: the limit is {MAX_SHARD_BYTES} (512 MiB).",
            "Give a smaller --shard-bytes.",
        )
    gguf = read_header(gguf_path)
    total = gguf.file_bytes
    if total > MAX_SHARDS * shard_bytes:
        raise VoxtabError(
            "option-invalid",
            f"That makes more than {MAX_SHARDS} shards.",
            f"Give a --shard-bytes of at least {-(-total // MAX_SHARDS)}.",
        )
    present = [*find_shards(directory), *directory.glob(MANIFEST)]
    if present and not force:
        raise VoxtabError(
            "option-invalid",
            f"{directory} holds {present[0].name} already.",
            "Choose another folder with -o, or replace that set with --force.",
        )
    check_not_input(gguf_path, present)
    model = _model(gguf, gguf_path, name, licence, source, description)
    tokenizer = _tokenizer(gguf)
    sizes = [min(shard_bytes, total - start) for start in range(0, total, shard_bytes)]
    # A name the manifest cannot hold should be known now, not after gigabytes were written.
    unhashed = tuple(
        Shard(shard_name, size, _NO_HASH, (_NO_HASH,) * -(-size // CHUNK_BYTES))
        for shard_name, size in zip(shard_names(len(sizes)), sizes, strict=True)
    )
    planned = Manifest(model, FileInfo(gguf_path.name, total, _NO_HASH), CHUNK_BYTES, unhashed, tokenizer)
    planned.to_json()
    with writing_set(directory, total) as files:
        manifest = _write_shards(gguf_path, planned, files, progress)
        files.before_appearing = lambda: _remove(present)
    with writing(directory / MANIFEST) as file:
        file.write(manifest.to_json().encode())
    return manifest


def _write_shards(gguf_path: Path, planned: Manifest, files: FileSet, progress: Progress) -> Manifest:
    """The planned manifest with its hashes filled in."""
    whole = hashlib.sha256()
    shards: list[Shard] = []
    done = 0
    with gguf_path.open("rb") as source:
        for shard in planned.shards:
            of_shard = hashlib.sha256()
            chunks: list[str] = []
            with files.open(shard.name) as target:
                for chunk in _chunks(source, shard.bytes):
                    target.write(chunk)
                    of_shard.update(chunk)
                    whole.update(chunk)
                    chunks.append(hashlib.sha256(chunk).hexdigest())
                    done += len(chunk)
                    progress(done, planned.file.bytes)
            shards.append(replace(shard, sha256=of_shard.hexdigest(), chunks=tuple(chunks)))
    file = replace(planned.file, sha256=whole.hexdigest())
    return replace(planned, file=file, shards=tuple(shards))


def _remove(paths: list[Path]) -> None:
    """The manifest goes first: without it, a set that is cut here cannot be mistaken for a whole one."""
    for path in sorted(paths, key=lambda path: path.name != MANIFEST):
        path.unlink(missing_ok=True)


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0:
        chunk = file.read(min(CHUNK_BYTES, size))
        if not chunk:
            raise VoxtabError("gguf-invalid", "The file became shorter while it was read.", "Try again.")
        size -= len(chunk)
        yield chunk


def _model(
    gguf: Gguf, path: Path, name: str | None, licence: str | None, source: str | None, description: str | None
) -> ModelInfo:
    architecture = _text(gguf, "general.architecture") or "unknown"
    return ModelInfo(
        name=name or _text(gguf, "general.name") or path.stem,
        task="text-to-speech" if "tts" in architecture else "speech-to-text",
        architecture=architecture,
        licence=licence or _text(gguf, "general.license") or UNKNOWN_LICENCE,
        source=source,
        description=description,
    )


def _tokenizer(gguf: Gguf) -> TokenizerInfo | None:
    keys = ("voxtral.vocab_size", f"{SPEECH}.vocab_size")
    vocab_size = next((gguf.metadata[key] for key in keys if key in gguf.metadata), None)
    if not isinstance(vocab_size, int) or vocab_size < 1:
        return None
    return TokenizerInfo("tekken", vocab_size, _VOCABULARY_KEY in gguf.metadata)


def _text(gguf: Gguf, key: str) -> str | None:
    value = gguf.metadata.get(key)
    return value if isinstance(value, str) and value else None
