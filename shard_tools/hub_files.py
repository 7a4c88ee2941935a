"""Which files of a hub repository make a model, and where they go."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from voxtab.errors import VoxtabError
from voxtab.formats.gguf_split import split_file_names

_CHECKPOINT = ("params.json", "consolidated.safetensors", "tekken.json")
_VOICE = re.compile(r"voice_embedding/[^/]+\.pt")
_SHARD = re.compile(r"shard-[a-z]{2,4}")


@dataclass(frozen=True)
class HubFile:
    """`sha256` is known for large files only."""

    name: str
    bytes: int | None
    sha256: str | None = None


def choose_files(repo: str, files: Sequence[HubFile], wanted: str | None) -> list[HubFile]:
    """`wanted` and the like, if given; else what makes a model. Raises VoxtabError model-missing, option-invalid."""
    by_name = {file.name: file for file in files}
    if wanted is not None:
        # As in a shell, a pattern does not mean hidden files: every repository has a .gitattributes.
        names = [
            name for name in by_name if name == wanted or (fnmatchcase(name, wanted) and not _hidden(name))
        ]
        if not names:
            raise VoxtabError(
                "model-missing", f"{repo} has no file {wanted}.", f"It has: {_listed(by_name)}."
            )
    else:
        names = _model_files(repo, list(by_name))
    for name in names:
        _require_safe(name)
    return [by_name[name] for name in names]


def _model_files(repo: str, names: list[str]) -> list[str]:
    extras = [name for name in ("tekken.json", "README.md") if name in names]
    if all(name in names for name in _CHECKPOINT):
        voices = sorted(name for name in names if _VOICE.fullmatch(name))
        return [*_CHECKPOINT, *(name for name in extras if name not in _CHECKPOINT), *voices]
    if shards := sorted(name for name in names if _SHARD.fullmatch(name)):
        return [*(["manifest.json"] if "manifest.json" in names else []), *shards, *extras]
    ggufs = sorted(name for name in names if name.endswith(".gguf"))
    if ggufs:
        parts = split_file_names(ggufs[0]) or [ggufs[0]]
        if parts == ggufs:
            return [*ggufs, *extras]
        raise VoxtabError(
            "option-invalid",
            f"{repo} holds {len(ggufs)} GGUF files.",
            f"Choose with --file: {_listed(ggufs)}.",
        )
    raise VoxtabError(
        "model-missing",
        f"{repo} holds neither a Mistral checkpoint nor a GGUF nor shards.",
        f"It has: {_listed(names)}. Choose with --file.",
    )


def local_path(directory: Path, name: str) -> Path:
    """Where a repository's file goes. Raises VoxtabError option-invalid for a name that would leave the folder, hide
    in it or garble a terminal.
    """
    _require_safe(name)
    return directory.joinpath(*name.split("/"))


def _require_safe(name: str) -> None:
    if (
        not name.isprintable()
        or any(mark in name for mark in "\\:")
        or any(not part or part.startswith(".") for part in name.split("/"))
    ):
        raise VoxtabError(
            "option-invalid",
            f"The hub lists a file named {name[:200]!a}, which is not safe to write.",
            "Choose other files with --file, or another repository.",
        )


def _hidden(name: str) -> bool:
    return any(part.startswith(".") and part.strip(".") for part in name.split("/"))


def _listed(names: Sequence[str] | dict[str, HubFile]) -> str:
    shown = [ascii(name)[1:-1] for name in list(names)[:12]]
    return ", ".join(shown) + (", ..." if len(names) > 12 else "")
