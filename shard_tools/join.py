"""Shards become the GGUF again, verified on the way."""

import shutil
from pathlib import Path

from shard_tools.gguf_header import read_header
from shard_tools.output_check import check_output
from shard_tools.output_file import writing
from shard_tools.progress import Progress, silent
from shard_tools.verify import checked_chunks
from voxtab.errors import VoxtabError
from voxtab.formats.model_layout import MANIFEST, find_shards, read_manifest, whole_set

_HINT = "Get that shard again, then: voxtab-shards verify DIR"


def join_shards(directory: Path, out_path: Path, force: bool = False, progress: Progress = silent) -> bool:
    """Write `out_path` from the shards of `directory`; True if a manifest proved every byte.

    A set without manifest.json is joined too; all that is checked then is that a GGUF comes out. Raises
    VoxtabError: model-missing, shard-missing, shard-altered, manifest-invalid, not-gguf, gguf-invalid,
    option-invalid, quota-full. `out_path` appears only if all is well.
    """
    check_output(out_path, [*find_shards(directory), directory / MANIFEST], force)
    if (directory / MANIFEST).exists():
        _join_verified(directory, out_path, progress)
        return True
    _join_bare(directory, out_path, progress)
    return False


def _join_verified(directory: Path, out_path: Path, progress: Progress) -> None:
    manifest = read_manifest(directory)
    with writing(out_path, manifest.file.bytes) as out:
        for chunk, fault in checked_chunks(directory, manifest, progress):
            if fault:
                raise VoxtabError(fault.code, fault.message, _HINT)
            out.write(chunk)


def _join_bare(directory: Path, out_path: Path, progress: Progress) -> None:
    shards = whole_set(directory)
    if not shards:
        raise VoxtabError(
            "model-missing", f"{directory} holds no shards.", "Give the folder of shard-aa, shard-ab, ..."
        )
    total = sum(shard.stat().st_size for shard in shards)
    done = 0
    with writing(out_path, total) as out:
        for shard in shards:
            with shard.open("rb") as source:
                shutil.copyfileobj(source, out, 1 << 20)
            done += shard.stat().st_size
            progress(done, total)
        out.flush()
        read_header(Path(out.name))
