"""What is in a model: a summary, its voices, tensor types, metadata and tensors, as tables or as JSON."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shard_tools.model_files import ModelFiles, open_model
from shard_tools.printable import printable
from shard_tools.tts_metadata import read_voice_infos
from voxtab.formats.gguf import GgufTensor

# Longer lists (the vocabulary has 130072 entries) are cut to their length and first entries.
_LONGEST_LIST: Final = 64
_FIRST: Final = 4


def describe(path: Path, whole_lists: bool = False) -> dict[str, Any]:
    """All that `voxtab-shards inspect --json` prints: kind, name, architecture, licence, bytes, parameters,
    bits_per_weight, types, voices (name, language, rows, licence), metadata, tensors (shape outermost first,
    offset in `file`), files, manifest.

    Metadata lists of more than 64 entries become {"length", "first"} unless `whole_lists`. Raises the errors
    of `open_model`.
    """
    model = open_model(path)
    tensors = [
        {
            "name": tensor.name,
            "type": tensor.type.name,
            "shape": list(tensor.shape),
            "file": part,
            "offset": tensor.offset,
            "bytes": tensor.nbytes,
        }
        for part, tensor in model.merged.tensors.values()
    ]
    metadata = model.merged.metadata
    about = model.manifest.model if model.manifest else None
    parameters = sum(math.prod(tensor.shape) for _, tensor in model.merged.tensors.values())
    tensor_bytes = sum(tensor.nbytes for _, tensor in model.merged.tensors.values())
    return {
        "path": str(path),
        "kind": model.kind,
        "name": about.name if about else metadata.get("general.name"),
        "architecture": metadata.get("general.architecture"),
        "licence": about.licence if about else metadata.get("general.license"),
        "bytes": model.bytes,
        "gguf_version": model.parts[0].version,
        "alignment": model.parts[0].alignment,
        "parameters": parameters,
        "bits_per_weight": round(8 * tensor_bytes / max(parameters, 1), 3),
        "types": _types(model),
        "voices": [asdict(voice) for voice in read_voice_infos(metadata)],
        "metadata": {key: _shown(value, whole_lists) for key, value in metadata.items()},
        "tensors": tensors,
        "files": [{"name": file.name, "bytes": file.stat().st_size} for file in model.files],
        "manifest": None if model.manifest is None else asdict(model.manifest),
    }


def print_tables(description: Mapping[str, Any], console: Console) -> None:
    """The description as tables; text from the file is printed without control characters or markup."""
    summary = Table("", "", show_header=False, box=None)
    for key in (
        "path",
        "kind",
        "name",
        "architecture",
        "licence",
        "gguf_version",
        "alignment",
        "bits_per_weight",
    ):
        _row(summary, key.replace("_", " "), description[key])
    _row(summary, "size", f"{description['bytes']:,} bytes in {len(description['files'])} file(s)")
    _row(summary, "parameters", f"{description['parameters']:,}")
    console.print(summary)
    _print(console, "types", ("type", "tensors", "parameters", "bytes"), description["types"])
    if description["voices"]:
        _print(console, "voices", ("name", "language", "rows", "licence"), description["voices"])
    metadata = [{"key": key, "value": value} for key, value in description["metadata"].items()]
    _print(console, "metadata", ("key", "value"), metadata)
    _print(console, "tensors", ("name", "type", "shape", "offset", "bytes"), description["tensors"])
    if len(description["files"]) > 1:
        _print(console, "files", ("name", "bytes"), description["files"])


def _types(model: ModelFiles) -> list[dict[str, Any]]:
    by_type: dict[str, list[GgufTensor]] = {}
    for _, tensor in model.merged.tensors.values():
        by_type.setdefault(tensor.type.name, []).append(tensor)
    return [
        {
            "type": name,
            "tensors": len(tensors),
            "parameters": sum(math.prod(tensor.shape) for tensor in tensors),
            "bytes": sum(tensor.nbytes for tensor in tensors),
        }
        for name, tensors in by_type.items()
    ]


def _shown(value: Any, whole_lists: bool) -> Any:
    """A metadata value that JSON can say."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if not isinstance(value, list):
        return value
    if len(value) > _LONGEST_LIST and not whole_lists:
        return {"length": len(value), "first": [_shown(item, False) for item in value[:_FIRST]]}
    return [_shown(item, whole_lists) for item in value]


def _print(console: Console, title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right" if rows and isinstance(rows[0][column], int) else "left")
    for row in rows:
        _row(table, *(row[column] for column in columns))
    console.print(table)


def _row(table: Table, *values: Any) -> None:
    table.add_row(*(Text(_line(value)) for value in values))


def _line(value: Any) -> str:
    """One printable line of at most 100 characters."""
    if isinstance(value, dict):
        value = f"{value['length']:,} entries: {', '.join(map(str, value['first']))}, ..."
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    text = printable(text[:200])
    return text if len(text) <= 100 else text[:97] + "..."
