"""Reads a safetensors file by row ranges, without mapping it: memory in use stays at what is asked for.

The file: a 64-bit header length, a JSON header {name: {dtype, shape, data_offsets}}, the data without holes.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, TypeGuard

import numpy as np
import numpy.typing as npt

from shard_tools.json_text import parse_json_object
from voxtab.errors import VoxtabError

# The real header has 0.1 MB. The safetensors library accepts 100 MB, which as Python objects would be gigabytes.
MAX_HEADER_BYTES: Final = 16 << 20
ITEM_BYTES: Final = {"BF16": 2, "F16": 2, "F32": 4}

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TensorEntry:
    """`offset` counts from the start of the file; `dtype` is BF16, F16 or F32."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def rows(self) -> int:
        return self.shape[0]

    @property
    def row_elements(self) -> int:
        return math.prod(self.shape[1:])

    @property
    def row_bytes(self) -> int:
        return self.row_elements * ITEM_BYTES[self.dtype]

    @property
    def nbytes(self) -> int:
        return self.rows * self.row_bytes


class SafetensorsFile:
    """An open, checked safetensors file; `entries` maps names to places.

    Opening raises VoxtabError `checkpoint-invalid`, saying what is wrong.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise VoxtabError(
                "checkpoint-invalid",
                f"{path} cannot be opened: {error.strerror or error}.",
                "Give the folder that holds params.json, consolidated.safetensors and tekken.json.",
            ) from error
        try:
            self.entries = self._read_header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "SafetensorsFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def read_rows(self, entry: TensorEntry, start: int, stop: int) -> bytes:
        """The raw little-endian bytes of rows start..stop (of the first axis)."""
        self._file.seek(entry.offset + start * entry.row_bytes)
        wanted = (stop - start) * entry.row_bytes
        data = self._file.read(wanted)
        if len(data) != wanted:
            raise self._bad(f"{entry.name} ends early: the file became shorter while it was read")
        return data

    def _read_header(self) -> dict[str, TensorEntry]:
        file_bytes = self.path.stat().st_size
        prefix = self._file.read(8)
        if len(prefix) < 8:
            raise self._bad(f"it has {file_bytes} bytes, too few for a header")
        length = int.from_bytes(prefix, "little")
        if not 2 <= length <= min(MAX_HEADER_BYTES, file_bytes - 8):
            raise self._bad(f"its header claims {length} bytes, the file has {file_bytes}")
        try:
            header = parse_json_object(self._file.read(length))
        except ValueError as error:
            raise self._bad(f"its header is unusable: {error}") from error
        start = 8 + length
        spans: list[tuple[int, int, str]] = []
        entries: dict[str, TensorEntry] = {}
        for name, raw in header.items():
            if name == "__metadata__":
                continue
            entry, begin, end = self._entry(name, raw, start)
            entries[name] = entry
            spans.append((begin, end, name))
        self._check_spans(sorted(spans), file_bytes - start)
        return entries

    def _entry(self, name: str, raw: Any, start: int) -> tuple[TensorEntry, int, int]:
        if not isinstance(raw, dict):
            raise self._bad(f"the header's entry {name[:80]!r} is not an object")
        dtype, shape, offsets = raw.get("dtype"), raw.get("shape"), raw.get("data_offsets")
        if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
            raise self._bad(f"{name[:80]!r} has type {str(dtype)[:20]!r}; BF16, F16 and F32 are supported")
        if not _is_int_list(shape, 1 << 48) or not 1 <= len(shape) <= 4 or 0 in shape:
            raise self._bad(f"{name[:80]!r} has shape {str(shape)[:60]}")
        if not _is_int_list(offsets, 1 << 63) or len(offsets) != 2:
            raise self._bad(f"{name[:80]!r} has data_offsets {str(offsets)[:60]}")
        begin, end = offsets
        entry = TensorEntry(name, dtype, tuple(shape), start + begin)
        if end - begin != entry.nbytes:
            raise self._bad(
                f"{name[:80]!r} of shape {shape} needs {entry.nbytes} bytes, its offsets give {end - begin}"
            )
        return entry, begin, end

    def _check_spans(self, spans: list[tuple[int, int, str]], data_bytes: int) -> None:
        position = 0
        for begin, end, name in spans:
            if begin != position:
                raise self._bad(f"{name[:80]!r} starts at {begin}, the tensor before it ends at {position}")
            position = end
        if position != data_bytes:
            raise self._bad(f"its tensors take {position} bytes, {data_bytes} are there")

    def _bad(self, reason: str) -> VoxtabError:
        return VoxtabError(
            "checkpoint-invalid",
            f"{self.path.name} is damaged or incomplete: {reason}.",
            "Download it again (voxtab-shards fetch resumes where it stopped).",
        )


def widen(data: bytes, dtype: str) -> Float32:
    """Raw BF16, F16 or F32 bytes as flat float32; every value is represented exactly."""
    if dtype == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
    return np.frombuffer(data, "<f2" if dtype == "F16" else "<f4").astype(np.float32)


def _is_int_list(value: Any, limit: int) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < limit for item in value)
