"""The preset voices of a Voxtral TTS checkpoint: voice_embedding/NAME.pt, one matrix of backbone inputs each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shard_tools.voice_file import MAX_VOICE_BYTES, read_voice
from voxtab.errors import VoxtabError

FOLDER: Final = "voice_embedding"
# Mistral's terms for the published voices, and for a model that contains them.
LICENCE: Final = "CC-BY-NC-4.0"
ENGLISH: Final = "en"
# What the published names begin with; English ones begin with a manner of speaking instead.
_LANGUAGES: Final = frozenset({"ar", "de", "es", "fr", "hi", "it", "nl", "pt", ENGLISH})
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,47}")

# The published voices: rows, one for 80 ms of the recording each was made from.
PUBLISHED: Final[Mapping[str, int]] = {
    "casual_female": 214,
    "casual_male": 147,
    "cheerful_female": 132,
    "neutral_female": 218,
    "neutral_male": 169,
    "fr_male": 97,
    "fr_female": 97,
    "es_male": 208,
    "es_female": 138,
    "de_male": 163,
    "de_female": 147,
    "it_male": 168,
    "it_female": 172,
    "pt_male": 144,
    "pt_female": 175,
    "nl_male": 138,
    "nl_female": 146,
    "ar_male": 67,
    "hi_male": 94,
    "hi_female": 86,
}


@dataclass(frozen=True)
class Voice:
    """`data`: BF16 [rows, dim], little-endian."""

    name: str
    rows: int
    data: bytes

    @property
    def language(self) -> str:
        """BCP 47: fr_male -> fr, casual_male -> en."""
        prefix = self.name.partition("_")[0]
        return prefix if prefix in _LANGUAGES else ENGLISH


def licence_of(card: str | None) -> str:
    """The voices' licence: the model card's, which is Mistral's if there is no card; hubs write it in small letters."""
    return LICENCE if card is None or card.lower() == LICENCE.lower() else card


def voice_files(checkpoint: Path) -> list[Path]:
    """The files of all voices, by name; the file's name is the voice's."""
    return sorted((checkpoint / FOLDER).glob("*.pt"))


def read_voices(checkpoint: Path, dim: int, expected: Mapping[str, int]) -> tuple[Voice, ...]:
    """All voices, in the order of `expected`, the rows that tekken.json lists for each.

    Raises VoxtabError `checkpoint-invalid`: a file that is no voice, another number of rows or columns, files and list
    that don't name the same voices, or no voice at all.
    """
    paths = {path.stem: path for path in voice_files(checkpoint)}
    if not paths and not expected:
        raise _bad(f"{checkpoint} has no voices", "There is no speech without one")
    if missing := [name for name in expected if name not in paths]:
        raise _bad(f"{FOLDER} lacks the voice {missing[0][:60]!a}; tekken.json lists {len(expected)}")
    if unlisted := [name for name in paths if name not in expected]:
        raise _bad(f"tekken.json does not know the voice {unlisted[0][:60]!a}")
    return tuple(_read(paths[name], dim, rows) for name, rows in expected.items())


def check_name(name: str) -> None:
    """Raises VoxtabError `checkpoint-invalid` for a name that no tensor of a GGUF, or no table, could show."""
    if not _NAME.fullmatch(name):
        raise _bad(f"{name[:60]!a} is no name for a voice: letters, digits, _ and -, at most 48")


def _read(path: Path, dim: int, rows: int) -> Voice:
    check_name(path.stem)
    shown = f"{FOLDER}/{path.name}"
    try:
        with path.open("rb") as file:
            found = read_voice(file.read(MAX_VOICE_BYTES + 1), shown)
    except OSError as error:
        raise _bad(f"{path} cannot be read: {error.strerror or error}") from error
    if found.dim != dim:
        raise _bad(f"{shown} has rows of {found.dim} numbers, the model has {dim}")
    if found.rows != rows:
        raise _bad(f"{shown} has {found.rows} rows, tekken.json lists {rows}")
    return Voice(path.stem, found.rows, found.data)


def _bad(reason: str, advice: str = "Take all files from the same repository") -> VoxtabError:
    return VoxtabError(
        "checkpoint-invalid",
        f"{reason}.",
        f"{advice}; voxtab-shards fetch brings tekken.json and {FOLDER}/ with the weights.",
    )
