"""The directory of a GGUF file: metadata, and where each tensor lies. Tensor data is never touched.

    "GGUF" | u32 version | u64 tensors | u64 keys
    keys    x (string key, u32 type, value)                      string = u64 length + UTF-8
    tensors x (string name, u32 n_dims, u64 dims[innermost first], u32 type, u64 offset into the data section)
    padding to `general.alignment` (32 when absent) | data section

The file is not trusted. Every count is held against the bytes it would need before anything is allocated for
it, so work and memory are bounded by the header's real length, and that by MAX_HEADER_BYTES.
"""

import struct
from dataclasses import dataclass
from typing import Any, Final

from voxtab.errors import VoxtabError
from voxtab.formats.ggml_types import GgmlType

__all__ = ["GgmlType", "Gguf", "GgufError", "GgufTensor", "GgufTruncated", "parse_gguf"]

MAGIC: Final = b"GGUF"
VERSIONS: Final = (2, 3)
DEFAULT_ALIGNMENT: Final = 32
ALIGNMENT_KEY: Final = "general.alignment"

# A 4B Voxtral has fewer than 1000 keys, as many tensors, and a header of 3 MB. The limits leave room, and
# keep a hostile file from filling the memory of a browser tab.
MAX_HEADER_BYTES: Final = 64 << 20
MAX_KEYS: Final = 1 << 16
MAX_TENSORS: Final = 1 << 16
MAX_KEY_BYTES: Final = (1 << 16) - 1
MAX_NAME_BYTES: Final = 1024
MAX_ARRAY_ELEMENTS: Final = 1 << 21  # over all arrays of a file: each becomes a Python object
MAX_DIMS: Final = 4
MAX_ALIGNMENT: Final = 1 << 16

_FIXED_HEADER = struct.Struct("<4sIQQ")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")

_STRING: Final = 8
_ARRAY: Final = 9
_BOOL: Final = 7
# value type: struct code
_SCALARS: Final = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    _BOOL: "B",
    10: "Q",
    11: "q",
    12: "d",
}

_MIN_KEY_ENTRY: Final = 8 + 1 + 4 + 1  # length, one byte of key, type, one byte of value
_MIN_TENSOR_ENTRY: Final = 8 + 1 + 4 + 8 + 4 + 8  # length, one byte of name, n_dims, one dim, type, offset

_DAMAGED: Final = "The file is damaged or was not written by a GGUF tool; download or convert it again."


class GgufError(VoxtabError):
    """Code `not-gguf` (wrong magic) or `gguf-invalid` (everything else)."""


class GgufTruncated(Exception):  # noqa: N818 - a request for more bytes, not a fault of the file
    """The prefix is good so far but too short: parse again with at least `needed` bytes of the file.

    `needed` is more than was given and at most the file's length. It doubles what was given where it can, so
    that reading until this stops being raised takes few rounds.
    """

    def __init__(self, needed: int) -> None:
        super().__init__(f"the GGUF header goes on: read {needed} bytes of the file")
        self.needed = needed


@dataclass(frozen=True, slots=True)
class GgufTensor:
    name: str
    type: GgmlType
    shape: tuple[int, ...]  # outermost first, as in numpy; the file stores the reverse
    offset: int  # bytes from the start of the file
    nbytes: int


@dataclass(frozen=True, slots=True)
class Gguf:
    version: int
    alignment: int
    metadata: dict[str, Any]  # bool, int, float, str, or a list of one of them
    tensors: dict[str, GgufTensor]  # in file order
    data_offset: int
    file_bytes: int


def parse_gguf(head: bytes | memoryview, file_bytes: int) -> Gguf:
    """Read the directory from `head`, the first bytes of a file of `file_bytes` bytes (all of it or fewer).

    Raises GgufTruncated when `head` is too short for the directory, GgufError when the file is unacceptable.
    """
    if len(head) > file_bytes:
        raise ValueError(f"{len(head)} bytes given of a file of {file_bytes}")
    cursor = _Cursor(head, file_bytes)
    version, tensor_count, key_count = _read_fixed_header(cursor)
    metadata = _read_metadata(cursor, key_count)
    alignment = _alignment(metadata)
    entries = _read_tensor_entries(cursor, tensor_count)
    data_offset = cursor.position + -cursor.position % alignment
    tensors = _place_tensors(entries, data_offset, alignment, file_bytes)
    return Gguf(version, alignment, metadata, tensors, data_offset, file_bytes)


def _invalid(message: str) -> GgufError:
    return GgufError("gguf-invalid", message[:1].upper() + message[1:], _DAMAGED)


class _Cursor:
    """Reads forward through `head`, and tells a prefix that is too short from a file that is."""

    def __init__(self, head: bytes | memoryview, file_bytes: int) -> None:
        self.head = memoryview(head)[:MAX_HEADER_BYTES]
        self.file_bytes = file_bytes
        self.position = 0
        self.elements_left = MAX_ARRAY_ELEMENTS

    def need(self, nbytes: int, what: str) -> None:
        """Make sure that `nbytes` more bytes are at hand."""
        end = self.position + nbytes
        if end <= len(self.head):
            return
        if end > self.file_bytes:
            raise _invalid(
                f"{what} at byte {self.position} runs past the end of the file ({self.file_bytes} bytes)."
            )
        if end > MAX_HEADER_BYTES:
            raise _invalid(
                f"{what} at byte {self.position} would make the header longer than {MAX_HEADER_BYTES} bytes."
            )
        raise GgufTruncated(min(max(end, 2 * len(self.head)), self.file_bytes, MAX_HEADER_BYTES))

    def u32(self, what: str) -> int:
        self.need(4, what)
        (value,) = _U32.unpack_from(self.head, self.position)
        self.position += 4
        return int(value)

    def u64(self, what: str) -> int:
        self.need(8, what)
        (value,) = _U64.unpack_from(self.head, self.position)
        self.position += 8
        return int(value)

    def string(self, what: str, max_bytes: int = MAX_HEADER_BYTES) -> str:
        length = self.u64(f"the length of {what}")
        if length > max_bytes:
            raise _invalid(f"{what} is {length} bytes long; at most {max_bytes} are accepted.")
        self.need(length, what)
        start, self.position = self.position, self.position + length
        return _utf8(self.head[start : self.position], what)

    def name(self, what: str, max_bytes: int) -> str:
        """A string that something is called by: bounded, and not empty."""
        name = self.string(what, max_bytes)
        if not name:
            raise _invalid(f"{what} is empty.")
        return name


def _utf8(data: memoryview, what: str) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        raise _invalid(f"{what} is not valid UTF-8.") from None


def _read_fixed_header(cursor: _Cursor) -> tuple[int, int, int]:
    start = bytes(cursor.head[: len(MAGIC)])
    if start != MAGIC[: len(start)] or cursor.file_bytes < len(MAGIC):
        raise GgufError(
            "not-gguf",
            f"This file is not a GGUF: it starts with {start!r}, not with {MAGIC!r}.",
            "Choose a .gguf file, or the folder or URL of a sharded one.",
        )
    cursor.need(_FIXED_HEADER.size, "the GGUF header")
    _, version, tensor_count, key_count = _FIXED_HEADER.unpack_from(cursor.head, 0)
    cursor.position = _FIXED_HEADER.size
    if version not in VERSIONS:
        if int.from_bytes(version.to_bytes(4, "little"), "big") in VERSIONS:
            raise _invalid("The file is a big-endian GGUF; only little-endian ones are read.")
        raise _invalid(f"GGUF version {version} is not known; versions 2 and 3 are read.")
    if key_count > MAX_KEYS:
        raise _invalid(f"The header announces {key_count} keys; at most {MAX_KEYS} are accepted.")
    if tensor_count > MAX_TENSORS:
        raise _invalid(f"The header announces {tensor_count} tensors; at most {MAX_TENSORS} are accepted.")
    least = _FIXED_HEADER.size + key_count * _MIN_KEY_ENTRY + tensor_count * _MIN_TENSOR_ENTRY
    if least > cursor.file_bytes:
        raise _invalid(
            f"The header announces {key_count} keys and {tensor_count} tensors, "
            f"which do not fit in {cursor.file_bytes} bytes."
        )
    return version, tensor_count, key_count


def _read_metadata(cursor: _Cursor, key_count: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for index in range(key_count):
        key = cursor.name(f"key {index}", MAX_KEY_BYTES)
        if key in metadata:
            raise _invalid(f"The key {_quoted(key)} appears twice.")
        metadata[key] = _read_value(cursor, f"the value of {_quoted(key)}")
    return metadata


def _read_value(cursor: _Cursor, what: str) -> Any:
    kind = cursor.u32(f"the type of {what}")
    if kind == _STRING:
        return cursor.string(what)
    if kind == _ARRAY:
        return _read_array(cursor, what)
    return _read_scalars(cursor, kind, 1, what)[0]


def _read_array(cursor: _Cursor, what: str) -> list[Any]:
    kind = cursor.u32(f"the element type of {what}")
    count = cursor.u64(f"the length of {what}")
    if kind == _ARRAY:
        raise _invalid(f"{what} is an array of arrays, which GGUF readers do not accept.")
    if count > cursor.elements_left:
        raise _invalid(
            f"{what} has {count} elements; at most {MAX_ARRAY_ELEMENTS} in all arrays are accepted."
        )
    cursor.elements_left -= count
    if kind == _STRING:
        return _read_strings(cursor, count, what)
    return list(_read_scalars(cursor, kind, count, what))


def _read_scalars(cursor: _Cursor, kind: int, count: int, what: str) -> tuple[Any, ...]:
    code = _SCALARS.get(kind)
    if code is None:
        raise _invalid(f"{what} has the unknown type {kind}.")
    layout = struct.Struct(f"<{count}{code}")
    cursor.need(layout.size, what)
    values = layout.unpack_from(cursor.head, cursor.position)
    cursor.position += layout.size
    if kind != _BOOL:
        return values
    if max(values, default=0) > 1:
        raise _invalid(f"{what} is a boolean other than 0 and 1.")
    return tuple(map(bool, values))


def _read_strings(cursor: _Cursor, count: int, what: str) -> list[str]:
    """An array of strings: the vocabulary, 130072 of them, hence a loop of its own instead of string()."""
    cursor.need(8 * count, what)  # their lengths alone
    head, size, position, unpack = cursor.head, len(cursor.head), cursor.position, _U64.unpack_from
    strings: list[str] = []
    for _ in range(count):
        start = position + 8
        end = start + unpack(head, position)[0] if start <= size else start
        if end > size:
            cursor.position = position
            cursor.need(end - position, what)  # raises: it runs off the prefix, or off the file
        strings.append(_utf8(head[start:end], what))
        position = end
    cursor.position = position
    return strings


def _alignment(metadata: dict[str, Any]) -> int:
    alignment = metadata.get(ALIGNMENT_KEY, DEFAULT_ALIGNMENT)
    if type(alignment) is not int or not 0 < alignment <= MAX_ALIGNMENT or alignment & (alignment - 1):
        raise _invalid(
            f"{ALIGNMENT_KEY} must be a power of two up to {MAX_ALIGNMENT}, not {_quoted(alignment)}."
        )
    return alignment


def _read_tensor_entries(
    cursor: _Cursor, tensor_count: int
) -> dict[str, tuple[GgmlType, tuple[int, ...], int]]:
    """name: type, shape (outermost first), offset into the data section."""
    entries: dict[str, tuple[GgmlType, tuple[int, ...], int]] = {}
    for index in range(tensor_count):
        name = cursor.name(f"the name of tensor {index}", MAX_NAME_BYTES)
        what = f"the entry of tensor {_quoted(name)}"
        if name in entries:
            raise _invalid(f"The tensor {_quoted(name)} appears twice.")
        n_dims = cursor.u32(what)
        if not 1 <= n_dims <= MAX_DIMS:
            raise _invalid(
                f"The tensor {_quoted(name)} has {n_dims} dimensions; 1 to {MAX_DIMS} are accepted."
            )
        dims = [cursor.u64(what) for _ in range(n_dims)]
        number = cursor.u32(what)
        try:
            kind = GgmlType(number)
        except ValueError:
            raise _invalid(f"The tensor {_quoted(name)} has the unknown type {number}.") from None
        entries[name] = (kind, tuple(reversed(dims)), cursor.u64(what))
    return entries


def _place_tensors(
    entries: dict[str, tuple[GgmlType, tuple[int, ...], int]],
    data_offset: int,
    alignment: int,
    file_bytes: int,
) -> dict[str, GgufTensor]:
    tensors: dict[str, GgufTensor] = {}
    end = data_offset
    for name, (kind, shape, relative) in entries.items():
        quoted = _quoted(name)
        nbytes = _tensor_bytes(quoted, kind, shape)
        offset = data_offset + relative
        if relative % alignment:
            raise _invalid(
                f"The tensor {quoted} starts at offset {relative}, which is not a multiple of {alignment}."
            )
        if offset < end:
            raise _invalid(
                f"The tensor {quoted} overlaps the one before it, or the tensors are out of order."
            )
        end = offset + nbytes
        if end > file_bytes:
            raise _invalid(f"The tensor {quoted} ends at byte {end}, but the file has only {file_bytes}.")
        tensors[name] = GgufTensor(name, kind, shape, offset, nbytes)
    return tensors


def _tensor_bytes(quoted: str, kind: GgmlType, shape: tuple[int, ...]) -> int:
    if 0 in shape:
        raise _invalid(f"The tensor {quoted} has a dimension of 0: {shape}.")
    row = shape[-1]
    if row % kind.block_elements:
        raise _invalid(
            f"The tensor {quoted} has rows of {row}; {kind.name} needs a multiple of {kind.block_elements}."
        )
    nbytes = row // kind.block_elements * kind.block_bytes
    for dim in shape[:-1]:
        nbytes *= dim
    return nbytes


def _quoted(value: object) -> str:
    """A value from the file as it may stand in a message: escaped, and not a screenful."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
