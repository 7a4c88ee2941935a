"""A preset voice as torch.save wrote it, read without torch and without unpickling.

Such a file is a zip whose members are stored as they are: FOLDER/data.pkl, a pickle of some 160 bytes that says which
tensor it is, and FOLDER/data/0, the tensor's bytes. The pickle is compared with the only one that a contiguous BF16
matrix on the CPU can have, save for its numbers; nothing in it is carried out.
"""

import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from shard_tools.tekken_file import MAX_VOICE_ROWS
from voxtab.errors import VoxtabError

# The largest published one has 1.3 MB.
MAX_VOICE_BYTES: Final = 64 << 20
_MAX_MEMBERS: Final = 64
_MAX_PICKLE: Final = 1024

_END: Final = struct.Struct("<4s4H2LH")
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_ENCRYPTED: Final = 1

# Opcodes of protocol 2. PUT: keep in the memo, to no effect here; INT: the three ways to write a small number.
_PUT: Final = rb"(?:q.)?"
_INT: Final = rb"(K.|M..|J....)"
_PICKLE: Final = re.compile(
    _PUT.join(
        (
            rb"\x80\x02ctorch\._utils\n_rebuild_tensor_v2\n",
            rb"\(\(X\x07\x00\x00\x00storage",
            rb"ctorch\nBFloat16Storage\n",
            rb"X\x01\x00\x00\x000",
            rb"X\x03\x00\x00\x00cpu",
            _INT + rb"t",  # the storage: its kind, member, device and number of elements
            rb"Q" + _INT + _INT + _INT + rb"\x86",  # the offset in it, and the shape
            _INT + _INT + rb"\x86",  # the stride
            rb"\x89ccollections\nOrderedDict\n",  # needs no gradient, has no hooks
            rb"\)R",
            rb"t",
            rb"R",
            rb"\.",
        )
    ),
    re.DOTALL,
)


@dataclass(frozen=True)
class VoiceRows:
    """`data`: BF16 [rows, dim], little-endian, every value finite."""

    rows: int
    dim: int
    data: bytes


class _RefusedError(Exception):
    """Why a file is no voice."""


def read_voice(file: bytes, name: str) -> VoiceRows:
    """The matrix in a .pt file. `name` is what an error calls the file.

    Raises VoxtabError `checkpoint-invalid` for all that is not exactly such a file.
    """
    try:
        return _read(file)
    except _RefusedError as refused:
        raise VoxtabError(
            "checkpoint-invalid",
            f"{name} is no voice of Voxtral TTS: {refused}.",
            "Download it again; files that torch.save wrote of anything but one BF16 matrix are not read.",
        ) from refused


def write_voice(voice: VoiceRows) -> bytes:
    """The .pt file of a voice, which `torch.load` reads."""
    put = iter(range(256))

    def memo(opcodes: bytes) -> bytes:
        return opcodes + b"q" + bytes([next(put)])

    pickle = b"".join(
        (
            memo(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n"),
            memo(b"((X\x07\x00\x00\x00storage"),
            memo(b"ctorch\nBFloat16Storage\n"),
            memo(b"X\x01\x00\x00\x000"),
            memo(b"X\x03\x00\x00\x00cpu"),
            memo(_number(voice.rows * voice.dim) + b"t"),
            memo(b"Q" + _number(0) + _number(voice.rows) + _number(voice.dim) + b"\x86"),
            memo(_number(voice.dim) + _number(1) + b"\x86"),
            memo(b"\x89ccollections\nOrderedDict\n"),
            memo(b")R"),
            memo(b"t"),
            memo(b"R"),
            b".",
        )
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for member, data in (
            ("data.pkl", pickle),
            ("byteorder", b"little"),
            ("data/0", voice.data),
            ("version", b"3\n"),
        ):
            archive.writestr(zipfile.ZipInfo(f"voice/{member}"), data)  # dated 1980, as torch does
    return file.getvalue()


def _read(file: bytes) -> VoiceRows:
    if len(file) > MAX_VOICE_BYTES:
        raise _RefusedError(f"it has {len(file)} bytes, more than {MAX_VOICE_BYTES}")
    members = _members(file)
    pickles = [name for name in members if name.endswith(b"/data.pkl")]
    if len(pickles) != 1:
        raise _RefusedError(f"it holds {len(pickles)} pickles, expected one")
    folder = pickles[0].removesuffix(b"data.pkl")
    order, tensor = members.get(folder + b"byteorder"), members.get(folder + b"data/0")
    if tensor is None:
        raise _RefusedError("it holds no tensor")
    if order is not None and order.content(file) != b"little":
        raise _RefusedError("its bytes are not in little-endian order")
    rows, dim = _shape(members[pickles[0]].content(file))
    data = tensor.content(file)
    if len(data) != 2 * rows * dim:
        raise _RefusedError(f"a matrix of {rows} x {dim} BF16 numbers does not have {len(data)} bytes")
    exponents = np.frombuffer(data, "<u2") & 0x7F80
    if (exponents == 0x7F80).any():
        raise _RefusedError("a number in it is infinite or none at all")
    return VoiceRows(rows, dim, data)


def _shape(pickle: bytes) -> tuple[int, int]:
    found = _PICKLE.fullmatch(pickle) if len(pickle) <= _MAX_PICKLE else None
    if found is None:
        raise _RefusedError("its pickle describes something other than one BF16 matrix on the CPU")
    count, offset, rows, dim, row_stride, stride = (_value(opcode) for opcode in found.groups())
    if not (1 <= rows <= MAX_VOICE_ROWS and dim >= 1):
        raise _RefusedError(f"a matrix of {rows} x {dim} is no voice")
    if (offset, row_stride, stride, count) != (0, dim, 1, rows * dim):
        raise _RefusedError(f"its matrix of {rows} x {dim} is a part of something else")
    return rows, dim


def _value(opcode: bytes) -> int:
    return int.from_bytes(opcode[1:], "little", signed=opcode[:1] == b"J")


def _number(value: int) -> bytes:
    if value < 1 << 8:
        return b"K" + struct.pack("<B", value)
    return b"M" + struct.pack("<H", value) if value < 1 << 16 else b"J" + struct.pack("<i", value)


@dataclass(frozen=True)
class _Member:
    """An entry of the zip's directory, which has the sizes; those beside the data are 0 in torch's files."""

    method: int
    flags: int
    checksum: int
    stored_bytes: int
    size: int
    header: int

    def content(self, file: bytes) -> bytes:
        if self.method != zipfile.ZIP_STORED or self.flags & _ENCRYPTED or self.stored_bytes != self.size:
            raise _RefusedError("it is compressed or encrypted")
        if self.header + _LOCAL.size > len(file):
            raise _RefusedError("it ends early")
        signature, *_, name_bytes, extra_bytes = _LOCAL.unpack_from(file, self.header)
        start = self.header + _LOCAL.size + name_bytes + extra_bytes
        data = file[start : start + self.size]
        if signature != b"PK\3\4" or len(data) != self.size:
            raise _RefusedError("it ends early, or its directory points elsewhere")
        # torch can be told to leave checksums out; they are 0 then.
        if self.checksum not in (0, zlib.crc32(data)):
            raise _RefusedError("its content does not match its checksum")
        return data


def _members(file: bytes) -> dict[bytes, _Member]:
    """By name; the directory lies at the end of the file, followed by a record with its place and a comment."""
    last = len(file) - _END.size
    end = file.rfind(b"PK\5\6", max(0, last - 0xFFFF), max(0, last + 4))
    if not 0 <= end <= last:
        raise _RefusedError("it is no zip file, or ends early")
    _, disk, first_disk, here, count, size, position, comment = _END.unpack_from(file, end)
    if disk or first_disk or here != count or end + _END.size + comment != len(file):
        raise _RefusedError("its directory is damaged")
    if count > _MAX_MEMBERS or position + size > end:
        raise _RefusedError("its directory is too large")
    members: dict[bytes, _Member] = {}
    for _ in range(count):
        if position + _ENTRY.size > end:
            raise _RefusedError("its directory ends early")
        signature, *numbers = _ENTRY.unpack_from(file, position)
        _, _, flags, method, _, _, checksum, stored_bytes, content_bytes = numbers[:9]
        name_bytes, extra_bytes, comment_bytes, _, _, _, header = numbers[9:]
        position += _ENTRY.size
        name = file[position : position + name_bytes]
        if signature != b"PK\1\2" or name in members:
            raise _RefusedError("its directory is damaged")
        members[name] = _Member(method, flags, checksum, stored_bytes, content_bytes, header)
        position += name_bytes + extra_bytes + comment_bytes
    return members
