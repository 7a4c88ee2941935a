"""Writes a GGUF (version 3) front to back without holding a tensor in memory.

The layout is drawn in voxtab.formats.gguf.
"""

import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from gguf import GGUFValueType

from shard_tools.output_file import writing
from voxtab.errors import VoxtabError
from voxtab.formats.ggml_types import GgmlType

ALIGNMENT: Final = 32
_SCALARS: Final = {
    GGUFValueType.UINT32: "<I",
    GGUFValueType.INT32: "<i",
    GGUFValueType.INT64: "<q",
    GGUFValueType.FLOAT32: "<f",
    GGUFValueType.FLOAT64: "<d",
    GGUFValueType.BOOL: "<?",
}

Scalar = int | float | bool | str


@dataclass(frozen=True)
class Value:
    """A typed metadata value; a sequence is written as an array of `type`."""

    type: GGUFValueType
    value: Scalar | Sequence[Scalar]

    def pack(self) -> bytes:
        if isinstance(self.value, str) or not isinstance(self.value, Sequence):
            return struct.pack("<I", self.type) + _pack_item(self.type, self.value)
        head = struct.pack("<IIQ", GGUFValueType.ARRAY, self.type, len(self.value))
        return head + b"".join(_pack_item(self.type, item) for item in self.value)


@dataclass(frozen=True)
class PlannedTensor:
    """A tensor to be written: `shape` is outermost first."""

    name: str
    type: GgmlType
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) // self.type.block_elements * self.type.block_bytes


class GgufWriter:
    """Takes the tensors' bytes in the order planned, in pieces of any size."""

    def __init__(
        self, file: BinaryIO, metadata: Mapping[str, Value], tensors: Sequence[PlannedTensor]
    ) -> None:
        self._file = file
        self._metadata = dict(metadata)
        self._tensors = tensors
        self._header_bytes = len(self._header())
        self._next = 0
        self._left = 0
        file.write(b"\0" * self._header_bytes)

    def begin(self, tensor: PlannedTensor) -> None:
        if self._left or self._tensors[self._next] is not tensor:
            raise ValueError(f"{tensor.name} is not the tensor whose turn it is")
        self._next += 1
        self._left = tensor.nbytes

    def write(self, data: bytes | memoryview) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"{self._tensors[self._next - 1].name} gets more bytes than planned")
        self._file.write(data)
        if self._left == 0:
            self._file.write(b"\0" * (-self._file.tell() % ALIGNMENT))

    def replace(self, key: str, value: Value) -> None:
        """Give a key the value that was unknown at the start; it must take as many bytes."""
        if len(value.pack()) != len(self._metadata[key].pack()):
            raise ValueError(f"{key} changes its length")
        self._metadata[key] = value

    def finish(self) -> None:
        if self._left or self._next != len(self._tensors):
            raise ValueError(f"{self._next} of {len(self._tensors)} tensors were written")
        self._file.seek(0)
        self._file.write(self._header())

    def _header(self) -> bytes:
        parts = [b"GGUF", struct.pack("<IQQ", 3, len(self._tensors), len(self._metadata))]
        for key, value in self._metadata.items():
            parts += (_pack_string(key), value.pack())
        offset = 0
        for tensor in self._tensors:
            dims = tensor.shape[::-1]
            parts += (
                _pack_string(tensor.name),
                struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, tensor.type, offset),
            )
            offset += _aligned(tensor.nbytes)
        header = b"".join(parts)
        return header + b"\0" * (-len(header) % ALIGNMENT)


@contextmanager
def writing_gguf(
    path: Path, metadata: Mapping[str, Value], tensors: Sequence[PlannedTensor]
) -> Iterator[GgufWriter]:
    """A writer whose file takes the name `path` once every planned tensor was written, and never before."""
    data_bytes = sum(_aligned(tensor.nbytes) for tensor in tensors)
    with writing(path, data_bytes) as file:
        writer = GgufWriter(file, metadata, tensors)
        yield writer
        writer.finish()


def string(value: str) -> Value:
    return Value(GGUFValueType.STRING, value)


def strings(values: Iterable[str]) -> Value:
    return Value(GGUFValueType.STRING, list(values))


def int32(value: int) -> Value:
    return Value(GGUFValueType.INT32, value)


def int32s(values: Iterable[int]) -> Value:
    return Value(GGUFValueType.INT32, list(values))


def uint32(value: int) -> Value:
    return Value(GGUFValueType.UINT32, value)


def float32(value: float) -> Value:
    return Value(GGUFValueType.FLOAT32, value)


def boolean(value: bool) -> Value:
    return Value(GGUFValueType.BOOL, value)


def _pack_item(type_: GGUFValueType, value: Scalar) -> bytes:
    return _pack_string(value) if isinstance(value, str) else struct.pack(_SCALARS[type_], value)


def _pack_string(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise VoxtabError(
            "checkpoint-invalid",
            f"The text {text[:60]!a} is not valid Unicode.",
            "Download the checkpoint again.",
        ) from error
    return struct.pack("<Q", len(data)) + data


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
