"""A corpus on disk: `audio.i16`, `phrases.jsonl` and, written last, `corpus.json`.

`audio.i16` holds all phrases end to end, little-endian int16 mono at 16 kHz. A line of `phrases.jsonl` is one phrase:
voice, split, offset and samples (where it lies in audio.i16), and for each word words, known (of the vocabulary),
starts and ends (samples from the phrase's start) and phones (flite's, vowels with stress digits).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from voxtab.errors import VoxtabError

AUDIO: Final = "audio.i16"
PHRASES: Final = "phrases.jsonl"
INFO: Final = "corpus.json"
FORMAT: Final = "voxtab-demo-corpus"
VERSION: Final = 1
SPLITS: Final = ("train", "valid", "valid_unseen", "test", "test_unseen", "test_foreign")
_MOST_INFO_BYTES: Final = 16 << 20
_MOST_WORDS: Final = 64


@dataclass(frozen=True)
class Phrase:
    """One spoken phrase; `offset` and `samples` are of audio.i16, `starts` and `ends` of the phrase."""

    voice: str
    split: str
    offset: int
    samples: int
    words: tuple[str, ...]
    known: tuple[bool, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    phones: tuple[tuple[str, ...], ...]

    def to_json(self) -> str:
        """Its line, without the line's end."""
        return json.dumps(asdict(self), separators=(",", ":"))


class Corpus:
    """A finished corpus, its audio mapped into memory.

    `Corpus.open` raises VoxtabError corpus-missing where there is no finished one, corpus-invalid where its files
    do not fit together.
    """

    def __init__(self, phrases: list[Phrase], info: dict[str, Any], audio: npt.NDArray[np.int16]) -> None:
        self.phrases = phrases
        self.info = info
        self._audio = audio

    @classmethod
    def open(cls, folder: Path) -> "Corpus":
        """The corpus in `folder`."""
        info = read_info(folder)
        if info is None:
            raise VoxtabError(
                "corpus-missing",
                f"{folder} holds no finished corpus.",
                f"Make it: voxtab-shards demo-asr data {folder}",
            )
        path = folder / AUDIO
        try:
            size = path.stat().st_size
            audio = np.memmap(path, np.dtype("<i2"), "r") if size and size % 2 == 0 else np.zeros(0, np.int16)
        except (OSError, ValueError) as error:
            raise _invalid(folder, f"{AUDIO} cannot be read ({error})") from error
        if size % 2:
            raise _invalid(folder, f"{AUDIO} has an odd number of bytes")
        phrases = list(read_phrases(folder / PHRASES))
        if any(phrase.offset + phrase.samples > len(audio) for phrase in phrases):
            raise _invalid(folder, f"{PHRASES} tells of sound beyond the end of {AUDIO}")
        if sum(phrase.samples for phrase in phrases) != len(audio):
            raise _invalid(folder, f"{AUDIO} and {PHRASES} differ in length")
        return cls(phrases, info, audio)

    def samples(self, phrase: Phrase) -> npt.NDArray[np.int16]:
        """The phrase's sound [samples], not copied."""
        return self._audio[phrase.offset : phrase.offset + phrase.samples]

    def split(self, name: str) -> list[Phrase]:
        """The phrases of one split, in order."""
        return [phrase for phrase in self.phrases if phrase.split == name]


def read_info(folder: Path) -> dict[str, Any] | None:
    """corpus.json of a finished corpus, None where there is none.

    Raises VoxtabError corpus-invalid for a file that is something else.
    """
    path = folder / INFO
    try:
        if path.stat().st_size > _MOST_INFO_BYTES:
            raise _invalid(folder, f"{INFO} is too large")
        info = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _invalid(folder, f"{INFO} cannot be read ({error})") from error
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        raise _invalid(folder, f"{INFO} is not that of a corpus")
    if info.get("version") != VERSION:
        raise _invalid(folder, f"{INFO} is of version {info.get('version')!r}, not {VERSION}")
    return info if info.get("finished") is True else None


def read_phrases(path: Path) -> Iterator[Phrase]:
    """The phrases of a file of lines. Raises VoxtabError corpus-invalid."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield _phrase(json.loads(line))
                except (ValueError, KeyError, TypeError, RecursionError) as error:
                    raise _invalid(
                        path.parent, f"line {number} of {path.name} is no phrase ({error})"
                    ) from error
    except OSError as error:
        raise _invalid(path.parent, f"{path.name} cannot be read ({error})") from error


def _phrase(row: Mapping[str, Any]) -> Phrase:
    phrase = Phrase(
        voice=_text(row["voice"]),
        split=_text(row["split"]),
        offset=_count(row["offset"]),
        samples=_count(row["samples"]),
        words=tuple(_text(word) for word in row["words"]),
        known=tuple(row["known"]),
        starts=tuple(_count(start) for start in row["starts"]),
        ends=tuple(_count(end) for end in row["ends"]),
        phones=tuple(tuple(_text(phone) for phone in phones) for phones in row["phones"]),
    )
    lengths = {len(part) for part in (phrase.words, phrase.known, phrase.starts, phrase.ends, phrase.phones)}
    if len(lengths) != 1 or not 0 < len(phrase.words) <= _MOST_WORDS:
        raise ValueError("its lists differ in length")
    if phrase.split not in SPLITS:
        raise ValueError(f"unknown split {phrase.split!r}")
    if not all(isinstance(known, bool) for known in phrase.known):
        raise ValueError("known must be true or false")
    edges = [edge for pair in zip(phrase.starts, phrase.ends, strict=True) for edge in pair]
    if edges != sorted(edges) or edges[-1] > phrase.samples:
        raise ValueError("words out of order")
    return phrase


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is no count")
    return value


def _invalid(folder: Path, what: str) -> VoxtabError:
    return VoxtabError(
        "corpus-invalid",
        f"The corpus in {folder} is damaged: {what}.",
        f"Make it again: voxtab-shards demo-asr data {folder} --force",
    )
