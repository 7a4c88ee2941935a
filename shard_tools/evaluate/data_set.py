"""Finds recordings and what is said in them, in the layouts that collections of speech come in.

    a table           TSV, CSV or JSON lines (data_table.py), its recordings in the table's folder or one below it:
                      audio/<table>/, <table>/, audio/, clips/ or wavs/ (FLEURS, Common Voice, ...)
    a folder with     metadata.csv, .tsv or .jsonl          Hugging Face's audiofolder
                      *.trans.txt, at any depth             LibriSpeech; groups are its speakers
                      recordings and NAME.txt beside each   at any depth; groups are the folders
                      one table                             that table

Recordings lie in the data's folder, or in one that the caller names; a table that points elsewhere is refused.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from shard_tools.evaluate.data_table import AUDIO_SUFFIXES, SUFFIXES, read_table, read_text
from shard_tools.evaluate.items import Item
from voxtab.errors import VoxtabError

_METADATA: Final = ("metadata.csv", "metadata.tsv", "metadata.jsonl")
_TRANSCRIPTS: Final = ".trans.txt"
_MOST_TEXT: Final = 1 << 20


def find_items(data: Path, audio: Path | None = None, text_column: str | None = None) -> list[Item]:
    """The recordings of `data`, at least one of them existing, in the table's order or sorted by path.

    `audio`: another folder that a table's recordings may be in. `text_column`: of a table, in place of the usual names.
    Raises VoxtabError dataset-missing, dataset-invalid, audio-missing (all of them are) or option-invalid.
    """
    if audio is not None and not audio.is_dir():
        raise VoxtabError(
            "option-invalid", f"{audio} is no folder.", "Give --audio the folder of the recordings."
        )
    about_tables = audio is not None or text_column is not None
    table = _find_table(data, about_tables)
    if table is None and about_tables:
        raise VoxtabError(
            "option-invalid", f"{data} has no table.", "Leave --audio and --text-column out, or give a table."
        )
    items = _from_files(data) if table is None else _from_table(table, audio, text_column)
    if not any(isinstance(item.audio, Path) and os.path.isfile(item.audio) for item in items):
        raise VoxtabError(
            "audio-missing",
            f"None of the {len(items)} recordings of {data} is there, such as {items[0].audio}.",
            "Unpack them beside their texts, or name the folder of a table's recordings with --audio.",
        )
    return items


def _find_table(data: Path, wanted: bool) -> Path | None:
    """The table at or in `data`. In a folder without metadata.*, texts in files of their own come before a table unless
    one is `wanted`."""
    if data.is_file():
        if data.suffix.lower() in AUDIO_SUFFIXES:
            raise VoxtabError("dataset-invalid", f"{data} is a recording.", "Give a table, or a folder.")
        return data
    if not data.is_dir():
        raise VoxtabError(
            "dataset-missing", f"{data} does not exist.", "Give a table, or a folder of recordings."
        )
    for name in _METADATA:
        if (data / name).is_file():
            return data / name
    files = _files(data)
    if not wanted:
        beside = {path.with_suffix("") for path in files if path.suffix == ".txt"}
        recordings = (path for path in files if path.suffix.lower() in AUDIO_SUFFIXES)
        if _transcripts(files) or any(path.with_suffix("") in beside for path in recordings):
            return None
    tables = [path for path in files if path.parent == data and path.suffix.lower() in SUFFIXES]
    if len(tables) > 1:
        raise VoxtabError(
            "dataset-invalid",
            f"{data} has several tables.",
            f"Give one of them: {', '.join(path.name for path in tables[:8])}.",
        )
    return tables[0] if tables else None


def _from_table(table: Path, audio: Path | None, text_column: str | None) -> list[Item]:
    rows = read_table(table, text_column)
    home = Path(os.path.abspath(table.parent))
    roots = [home] if audio is None else [Path(os.path.abspath(audio)), home]
    below = (f"audio/{table.stem}", table.stem, "audio", "clips", "wavs")
    bases = [*roots, *(home / folder for folder in below if (home / folder).is_dir())]
    items = []
    for row in rows:
        tried = [Path(os.path.normpath(base / row.recording)) for base in bases]
        allowed = [path for path in tried if any(root in path.parents for root in roots)]
        if not row.recording or "\0" in row.recording or not allowed:
            raise VoxtabError(
                "dataset-invalid",
                f"{table} line {row.line}: {row.recording[:200]!r} is not in the folder {roots[0]}.",
                "Name the recordings' folder with --audio.",
            )
        path = next((path for path in allowed if os.path.isfile(path)), allowed[0])
        items.append(Item(path, row.text, row.group, row.recording))
    return items


def _from_files(folder: Path) -> list[Item]:
    files = _files(folder)
    transcripts = _transcripts(files)
    if transcripts:
        return _from_transcripts(folder, transcripts)
    recordings = [path for path in files if path.suffix.lower() in AUDIO_SUFFIXES]
    if not recordings:
        raise VoxtabError(
            "dataset-missing",
            f"{folder} holds no recordings.",
            f"Put {', '.join(AUDIO_SUFFIXES[:4])} files in it, or give a table.",
        )
    there = set(files)
    silent = [path for path in recordings if path.with_suffix(".txt") not in there]
    if silent:
        raise VoxtabError(
            "dataset-invalid",
            f"{len(silent)} of {len(recordings)} recordings in {folder} have no text, such as {silent[0]}.",
            f"Write what it says into {silent[0].with_suffix('.txt').name} beside it, or a table of all texts.",
        )
    return [
        Item(
            path,
            read_text(path.with_suffix(".txt"), _MOST_TEXT).strip(),
            "" if path.parent == folder else path.parent.relative_to(folder).as_posix(),
            path.relative_to(folder).as_posix(),
        )
        for path in recordings
    ]


def _from_transcripts(folder: Path, transcripts: Sequence[Path]) -> list[Item]:
    """Lines of SPEAKER-CHAPTER-NUMBER TEXT, as LibriSpeech has them, the recordings beside them."""
    items = []
    for transcript in transcripts:
        for number, line in enumerate(read_text(transcript, _MOST_TEXT).split("\n"), 1):
            name, _, text = line.strip().partition(" ")
            if not name:
                continue
            if Path(name).name != name or "\0" in name:
                raise VoxtabError(
                    "dataset-invalid",
                    f"{transcript} line {number}: {name[:200]!r} names no recording beside it.",
                    "Begin each line with the name of a recording, without its ending.",
                )
            beside = [transcript.parent / (name + suffix) for suffix in (".flac", *AUDIO_SUFFIXES)]
            path = next((path for path in beside if os.path.isfile(path)), beside[0])
            items.append(Item(path, text.strip(), name.split("-")[0], path.relative_to(folder).as_posix()))
    if not items:
        raise VoxtabError(
            "dataset-invalid",
            f"{transcripts[0]} is empty.",
            "Give each recording a line: its name, then its text.",
        )
    return items


def _transcripts(files: Iterable[Path]) -> list[Path]:
    return [path for path in files if path.name.endswith(_TRANSCRIPTS)]


def _files(folder: Path) -> list[Path]:
    """All files at any depth, sorted; what is hidden is left out."""
    found = []
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(at, name) for name in sorted(names) if not name.startswith(".")]
    return found
