"""GGUF files written byte by byte, as no writer would: what a loader must refuse, and one it must accept.

Used natively and in the browser, so that both see the same bytes. Nothing here uses voxtab or gguf-py.
"""

import struct
from collections.abc import Sequence

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
Q4_0 = 2
MOST = 2**64 - 1


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def text(data: bytes, length: int | None = None) -> bytes:
    """A string as GGUF has it, its length true unless said otherwise."""
    return u64(len(data) if length is None else length) + data


def key(name: bytes, kind: int, value: bytes) -> bytes:
    return text(name) + u32(kind) + value


def array(kind: int, count: int, values: bytes) -> bytes:
    return u32(kind) + u64(count) + values


def tensor(name: bytes, dims: Sequence[int], kind: int, offset: int) -> bytes:
    """Dims as in the file: innermost first."""
    return text(name) + u32(len(dims)) + b"".join(map(u64, dims)) + u32(kind) + u64(offset)


def gguf(
    keys: Sequence[bytes] = (),
    tensors: Sequence[bytes] = (),
    data: bytes = b"",
    *,
    magic: bytes = b"GGUF",
    version: int = 3,
    key_count: int | None = None,
    tensor_count: int | None = None,
    alignment: int = 32,
) -> bytes:
    """A file of the parts given, its counts true unless said otherwise."""
    counts = u64(len(tensors) if tensor_count is None else tensor_count)
    counts += u64(len(keys) if key_count is None else key_count)
    head = magic + u32(version) + counts + b"".join(keys) + b"".join(tensors)
    return head + bytes(-len(head) % alignment) + data


ARCHITECTURE = key(b"general.architecture", STRING, text(b"voxtral_realtime"))
NORM = tensor(b"norm.weight", (8,), 0, 0)  # f32[8]: 32 bytes
NORM_DATA = bytes(range(32))


def valid_gguf() -> bytes:
    """A file with a key of every kind and two tensors, ending with the last byte of the last tensor."""
    return gguf(
        [
            ARCHITECTURE,
            key(b"general.alignment", U32, u32(32)),
            key(b"a.bool", BOOL, b"\x01"),
            key(b"a.u8", U8, b"\xff"),
            key(b"a.i16", I16, struct.pack("<h", -2)),
            key(b"a.f32", F32, struct.pack("<f", 0.5)),
            key(b"a.u64", U64, u64(MOST)),
            key(b"a.f64", F64, struct.pack("<d", -1.5)),
            key(b"a.numbers", ARRAY, array(I32, 2, struct.pack("<2i", -1, 7))),
            key(b"a.bools", ARRAY, array(BOOL, 2, b"\x00\x01")),
            key(b"a.words", ARRAY, array(STRING, 3, text(b"") + text("\u00e9".encode()) + text(b"word"))),
            key(b"a.nothing", ARRAY, array(STRING, 0, b"")),
        ],
        [NORM, tensor(b"tok_embeddings.weight", (32, 2), Q4_0, 32)],
        NORM_DATA + bytes(36),
    )


def truncated_files() -> dict[str, bytes]:
    """valid_gguf() cut after each of its bytes but the last."""
    whole = valid_gguf()
    return {f"cut after {length} of {len(whole)} bytes": whole[:length] for length in range(len(whole))}


def hostile_headers() -> dict[str, bytes]:
    """What is wrong: the bytes of the whole file. Each must be refused as `not-gguf` or `gguf-invalid`."""
    return {
        **_not_gguf(),
        **_bad_versions_and_counts(),
        **_bad_keys(),
        **_bad_values(),
        **_bad_arrays(),
        **_bad_alignments(),
        **_bad_tensor_entries(),
        **_bad_tensor_places(),
    }


def _not_gguf() -> dict[str, bytes]:
    return {
        "empty file": b"",
        "magic cut short": b"GGU",
        "magic in lower case": gguf([ARCHITECTURE], magic=b"gguf"),
        "magic reversed": gguf([ARCHITECTURE], magic=b"FUGG"),
        "magic of the older ggml format": gguf([ARCHITECTURE], magic=b"lmgg"),
        "a web page": b"<!DOCTYPE html><title>404 Not Found</title>" + bytes(64),
        "a zip archive": b"PK\x03\x04" + bytes(64),
        "zeros": bytes(4096),
    }


def _bad_versions_and_counts() -> dict[str, bytes]:
    files = {
        f"version {version}": gguf([ARCHITECTURE], [NORM], NORM_DATA, version=version)
        for version in (0, 1, 4, 2**32 - 1)
    }
    files["version 3 in big-endian"] = gguf([ARCHITECTURE], [NORM], NORM_DATA, version=3 << 24)
    for count in (2, 1000, 65537, 2**31, 2**32, 2**60, 2**63, MOST):
        files[f"{count} keys announced, 1 there"] = gguf([ARCHITECTURE], [NORM], NORM_DATA, key_count=count)
        files[f"{count} tensors announced, 1 there"] = gguf(
            [ARCHITECTURE], [NORM], NORM_DATA, tensor_count=count
        )
    files["counts that overflow when multiplied"] = gguf(
        [ARCHITECTURE], key_count=2**60 + 1, tensor_count=2**61
    )
    return files


def _bad_keys() -> dict[str, bytes]:
    value = u32(U8) + b"\x01"
    return {
        "empty key": gguf([text(b"") + value]),
        "key of 65536 bytes": gguf([text(b"k" * 65536) + value]),
        "key one byte longer than the file": gguf([text(b"key", 1000) + value]),
        "key length 2^31": gguf([text(b"key", 2**31) + value]),
        "key length 2^63": gguf([text(b"key", 2**63) + value]),
        "key length 2^64 - 1": gguf([text(b"key", MOST) + value]),
        "key that is not UTF-8": gguf([text(b"k\xff\xfey") + value]),
        "key that is half a surrogate pair": gguf([text(b"k\xed\xa0\x80") + value]),
        "duplicate key": gguf([key(b"twice", U8, b"\x01"), key(b"twice", U8, b"\x01")]),
        "duplicate key of another type": gguf([ARCHITECTURE, key(b"general.architecture", U8, b"\x01")]),
    }


def _bad_values() -> dict[str, bytes]:
    files = {
        f"value of type {kind}": gguf([key(b"a", kind, bytes(64))])
        for kind in (13, 14, 255, 256, 2**31, 2**32 - 1)
    }
    for length in (65, 2**30, 2**30 + 1, 2**32, 2**63, MOST - 7, MOST):
        files[f"string of {length} bytes in a smaller file"] = gguf(
            [key(b"a", STRING, text(b"s" * 32, length))]
        )
    files["string that is not UTF-8"] = gguf([key(b"a", STRING, text(b"caf\xe9"))])
    files["string with an overlong form"] = gguf([key(b"a", STRING, text(b"\xc0\x80"))])
    files["boolean of 2"] = gguf([key(b"a", BOOL, b"\x02")])
    files["number cut by the end"] = gguf([key(b"a", U64, b"\x01")], alignment=1)
    return files


def _bad_arrays() -> dict[str, bytes]:
    inner = array(U8, 1, b"\x01")
    deep = array(ARRAY, 1, array(ARRAY, 1, array(ARRAY, 1, inner)))
    files = {
        "array of arrays": gguf([key(b"a", ARRAY, array(ARRAY, 1, inner))]),
        "array of arrays of arrays": gguf([key(b"a", ARRAY, deep)]),
        "2^64 - 1 empty arrays in an array": gguf([key(b"a", ARRAY, array(ARRAY, MOST, bytes(64)))]),
        "array of no arrays": gguf([key(b"a", ARRAY, array(ARRAY, 0, b""))]),
        "array of an unknown type": gguf([key(b"a", ARRAY, array(13, 1, bytes(8)))]),
        "empty array of an unknown type": gguf([key(b"a", ARRAY, array(2**32 - 1, 0, b""))]),
        "array one element longer than the file": gguf(
            [key(b"a", ARRAY, array(U32, 3, bytes(8)))], alignment=1
        ),
        "array of strings whose second length is missing": gguf(
            [key(b"a", ARRAY, array(STRING, 2, text(b"word")))], alignment=1
        ),
        "array with a string of 2^64 - 1 bytes": gguf(
            [key(b"a", ARRAY, array(STRING, 2, text(b"a") + text(b"b", MOST)))]
        ),
        "array with a string past the end": gguf(
            [key(b"a", ARRAY, array(STRING, 2, text(b"a") + text(b"b", 100)))]
        ),
        "array with a string that is not UTF-8": gguf([key(b"a", ARRAY, array(STRING, 1, text(b"\x80")))]),
        "array with a boolean of 255": gguf([key(b"a", ARRAY, array(BOOL, 2, b"\x01\xff"))]),
    }
    for kind in (U8, BOOL, F32, STRING, I64, F64):
        for count in (1000, 2**21, 2**30 + 1, 2**32, 2**61, 2**63, MOST):
            name = f"array of {count} values of type {kind} in a smaller file"
            files[name] = gguf([key(b"a", ARRAY, array(kind, count, bytes(64)))])
    return files


def _bad_alignments() -> dict[str, bytes]:
    values = {
        "0": (U32, u32(0)),
        "3": (U32, u32(3)),
        "48": (U32, u32(48)),
        "2^17": (U32, u32(2**17)),
        "2^31": (U32, u32(2**31)),
        "2^32 - 1": (U32, u32(2**32 - 1)),
        "2^63": (U64, u64(2**63)),
        "-32": (I32, struct.pack("<i", -32)),
        "32.0": (F32, struct.pack("<f", 32.0)),
        "true": (BOOL, b"\x01"),
        "a string": (STRING, text(b"32")),
        "an array": (ARRAY, array(U32, 1, u32(32))),
    }
    return {
        f"alignment of {name}": gguf([key(b"general.alignment", kind, value)], [NORM], NORM_DATA)
        for name, (kind, value) in values.items()
    }


def _bad_tensor_entries() -> dict[str, bytes]:
    rest = u32(1) + u64(8) + u32(0) + u64(0)
    shapes: dict[str, tuple[Sequence[int], int]] = {
        "no dimensions": ((), 0),
        "5 dimensions": ((8, 1, 1, 1, 1), 0),
        "a dimension of 0": ((8, 0), 0),
        "a row of 0": ((0, 8), 0),
        "a dimension of 2^64 - 1": ((MOST,), 0),
        "a dimension of -8": ((2**64 - 8,), 0),
        "dimensions whose product is 2^64": ((2**32, 2**32), 0),
        "dimensions whose product is 2^64 + 8": ((8, 2**61 + 1), 0),
        "four dimensions of 2^64 - 1": ((MOST, MOST, MOST, MOST), 0),
        "a Q4_0 row of 33": ((33,), Q4_0),
        "a Q4_0 row of 16": ((16, 2), Q4_0),
        "a Q6_K row of 32": ((32,), 14),
        "removed type 4": ((32,), 4),
        "removed type 31": ((32,), 31),
        "type 99": ((32,), 99),
        "type 2^31": ((32,), 2**31),
        "type 2^32 - 1": ((32,), 2**32 - 1),
    }
    files = {
        f"tensor with {name}": gguf([ARCHITECTURE], [tensor(b"w", dims, kind, 0)], bytes(256))
        for name, (dims, kind) in shapes.items()
    }
    files["tensor with 2^32 - 1 dimensions"] = gguf([], [text(b"w") + u32(2**32 - 1)], bytes(256))
    files["tensor with an empty name"] = gguf([], [tensor(b"", (8,), 0, 0)], NORM_DATA)
    files["tensor with a name of 1025 bytes"] = gguf([], [tensor(b"n" * 1025, (8,), 0, 0)], NORM_DATA)
    files["tensor with a name of 2^64 - 1 bytes"] = gguf([], [text(b"w", MOST) + rest], NORM_DATA)
    files["tensor with a name past the end"] = gguf([], [text(b"w", 500) + rest], NORM_DATA)
    files["tensor with a name that is not UTF-8"] = gguf([], [tensor(b"\xff", (8,), 0, 0)], NORM_DATA)
    files["duplicate tensor"] = gguf([], [NORM, tensor(b"norm.weight", (8,), 0, 32)], NORM_DATA * 2)
    return files


def _bad_tensor_places() -> dict[str, bytes]:
    def second(offset: int, data: bytes = NORM_DATA * 2) -> bytes:
        return gguf([ARCHITECTURE], [NORM, tensor(b"output.weight", (8,), 0, offset)], data)

    wide = key(b"general.alignment", U32, u32(64))
    return {
        "tensor past the end": second(64),
        "tensor far past the end": second(2**40),
        "tensor at 2^63": second(2**63),
        "tensor at an offset that wraps around to 0": second(2**64 - 32),
        "tensor at 2^64 - 1": second(MOST),
        "tensor one byte past the end": second(32)[:-1],
        "tensor at an unaligned offset": second(33, NORM_DATA * 4),
        "tensor not aligned to general.alignment": gguf(
            [wide], [NORM, tensor(b"output.weight", (8,), 0, 32)], NORM_DATA * 4, alignment=64
        ),
        "two tensors in one place": second(0),
        "overlapping tensors": gguf(
            [], [tensor(b"a", (16,), 0, 0), tensor(b"b", (16,), 0, 32)], NORM_DATA * 4
        ),
        "tensors out of order": gguf(
            [], [tensor(b"a", (8,), 0, 32), tensor(b"b", (8,), 0, 0)], NORM_DATA * 2
        ),
        "tensors but no data": gguf([ARCHITECTURE], [NORM]),
    }
