"""Tables of recordings and their texts: TSV, CSV and JSON lines, from anywhere.

Columns go by their names in the first line (in any order and case; further ones are ignored):
    recording   path, file_name, filename, file, audio, wav
    text        text, transcription, transcript, sentence, raw_transcription
    group       group, voice, speaker, gender                                            (may be absent)
Without such a line, a TSV may have FLEURS' seven columns (id, file_name, raw_transcription, transcription, chars,
num_samples, gender) or two (path, text). Nothing in a TSV is quoted; a CSV is quoted the usual way. A text may be empty:
then nothing is said.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shard_tools.json_text import parse_json_object
from voxtab.errors import VoxtabError

SUFFIXES: Final = (".tsv", ".csv", ".jsonl")
AUDIO_SUFFIXES: Final = (
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus"),
    *(".aif", ".aiff", ".au", ".caf", ".w64"),
)
_MOST_BYTES: Final = 64 << 20
_RECORDING: Final = ("path", "file_name", "filename", "file", "audio", "wav")
_TEXT: Final = ("text", "transcription", "transcript", "sentence", "raw_transcription")
_GROUP: Final = ("group", "voice", "speaker", "gender")
_FLEURS: Final = ("id", "file_name", "raw_transcription", "transcription", "chars", "num_samples", "gender")


@dataclass(frozen=True)
class Row:
    """`line` counts from 1; `recording` is a file's name as the table has it."""

    line: int
    recording: str
    text: str
    group: str


_Line = tuple[int, dict[str, str]]


def read_table(path: Path, text_column: str | None = None) -> list[Row]:
    """The rows of the table, at least one. `text_column`: where the texts are, in place of the usual names.

    Raises VoxtabError dataset-missing, dataset-invalid (with the line) or option-invalid (no such text column).
    """
    text = read_text(path, _MOST_BYTES)
    if path.suffix.lower() == ".jsonl":
        lines = _json_lines(path, text)
    else:
        cells = _comma_separated(path, text) if path.suffix.lower() == ".csv" else _tab_separated(text)
        lines = _named(path, cells)
    if not lines:
        raise _invalid(path, "has no rows", "Give a table with a line for each recording.")
    names = list(lines[0][1])
    recording = _column(path, names, _RECORDING, "recordings")
    wanted = _TEXT if text_column is None else (text_column.lower(),)
    if text_column is not None and text_column.lower() not in names:
        raise VoxtabError(
            "option-invalid",
            f"{path} has no column {text_column!r}.",
            f"Its columns are {', '.join(names)}."[:300],
        )
    said = _column(path, names, wanted, "texts")
    group = next((name for name in _GROUP if name in names), None)
    rows = []
    for line, row in lines:
        for name in (recording, said):
            if name not in row:
                raise _invalid(path, f"line {line} has no {name!r}", "Give every recording its text.")
        rows.append(Row(line, row[recording].strip(), row[said].strip(), row.get(group or "", "").strip()))
    return rows


def read_text(path: Path, most_bytes: int) -> str:
    """A UTF-8 file of at most so many bytes, with or without a byte order mark."""
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
        if len(data) > most_bytes:
            raise _invalid(path, f"is larger than {most_bytes:,} bytes", "Cut it into parts.")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise VoxtabError(
            "dataset-missing", f"{path} can't be read: {error.strerror}.", "Give an existing file or folder."
        ) from error
    except UnicodeDecodeError as error:
        raise _invalid(path, f"is not UTF-8 (byte {error.start})", "Save it as UTF-8.") from error


def _tab_separated(text: str) -> list[tuple[int, list[str]]]:
    lines = enumerate(text.split("\n"), 1)
    return [(number, line.rstrip("\r").split("\t")) for number, line in lines if line.strip()]


def _comma_separated(path: Path, text: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = []
    try:
        for cells in reader:
            if any(cells):
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise _invalid(
            path, f"line {reader.line_num}: {error}", "Write it with a CSV library, or use TSV."
        ) from error
    return rows


def _named(path: Path, rows: list[tuple[int, list[str]]]) -> list[_Line]:
    """Cells by their columns' names."""
    if not rows:
        return []
    first = [cell.strip().lower() for cell in rows[0][1]]
    names = _unnamed(first)
    if not names:
        names, rows = first, rows[1:]
        if not set(names) & {*_RECORDING, *_TEXT}:
            raise _invalid(
                path,
                "has no line with column names",
                "Begin it with a line such as path<tab>text, or use FLEURS' seven columns.",
            )
        twice = {name for name in names if names.count(name) > 1} & {*_RECORDING, *_TEXT, *_GROUP}
        if twice:
            raise _invalid(path, f"has two columns {min(twice)!r}", "Give each column a name of its own.")
    for line, cells in rows:
        if len(cells) != len(names):
            raise _invalid(
                path,
                f"line {line} has {len(cells)} columns and not {len(names)}",
                "Check it for tabs in texts, or commas in texts without quotes.",
            )
    return [(line, dict(zip(names, cells, strict=True))) for line, cells in rows]


def _unnamed(first: Sequence[str]) -> list[str]:
    """The names of the columns of a table that doesn't give them, by its first row; none if it is no known one."""
    if len(first) == len(_FLEURS) and first[1].endswith(AUDIO_SUFFIXES) and first[5].isdecimal():
        return list(_FLEURS)
    if len(first) == 2 and first[0].endswith(AUDIO_SUFFIXES):
        return ["path", "text"]
    return []


def _json_lines(path: Path, text: str) -> list[_Line]:
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = parse_json_object(line.encode())
        except (ValueError, VoxtabError) as error:
            raise _invalid(
                path, f"line {number} is no JSON object: {error}", "Write one object a line."
            ) from error
        lines.append((number, {key.lower(): value for key, value in found.items() if isinstance(value, str)}))
    return lines


def _column(path: Path, names: Sequence[str], wanted: Sequence[str], what: str) -> str:
    found = next((name for name in wanted if name in names), None)
    if found is None:
        raise _invalid(
            path, f"has no column with the {what}", f"Name it {wanted[0]} (or {', '.join(wanted[1:])})."
        )
    return found


def _invalid(path: Path, what: str, hint: str) -> VoxtabError:
    return VoxtabError("dataset-invalid", f"{path} {what}.", hint)
