"""Checkpoints for tests: read by the safetensors library, and damaged on purpose."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors

Float32 = npt.NDArray[np.float32]
WEIGHTS = "consolidated.safetensors"


def read_weights(directory: Path) -> dict[str, Float32]:
    """Every tensor of a BF16 checkpoint as float32, by the safetensors library."""
    tensors: dict[str, Float32] = {}
    entries: list[tuple[str, Any]] = safetensors.deserialize((directory / WEIGHTS).read_bytes())  # type: ignore[no-untyped-call]
    for name, entry in entries:
        assert entry["dtype"] == "BF16"
        halves = np.frombuffer(bytes(entry["data"]), np.uint16)
        words = np.zeros(2 * len(halves), np.uint16)
        words[1::2] = halves  # BF16 is the upper half of a float32
        tensors[name] = words.view(np.float32).reshape(entry["shape"])
    return tensors


def copy_checkpoint(source: Path, target: Path) -> Path:
    target.mkdir()
    for name in ("params.json", WEIGHTS, "tekken.json"):
        shutil.copyfile(source / name, target / name)
    return target


def edit_json(path: Path, change: Callable[[Any], None]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def edit_header(directory: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the safetensors header, leaving the data as it is."""
    path = directory / WEIGHTS
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def edit_value(directory: Path, name: str, bits: int) -> None:
    """Set the first value of a BF16 tensor."""
    path = directory / WEIGHTS
    data = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<Q", data)
    begin = 8 + length + json.loads(data[8 : 8 + length])[name]["data_offsets"][0]
    struct.pack_into("<H", data, begin, bits)
    path.write_bytes(data)
