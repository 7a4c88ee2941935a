"""A matrix product on 4-bit weights as onnxruntime has it: an ONNX file with a single MatMulNBits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from voxtab.bench.made_up import q4_0_bytes
from voxtab.nn.upload import PIECE_BYTES

_FLOAT, _UINT8, _INT_ATTRIBUTE = 1, 2, 2
_BLOCK = np.dtype([("scale", "<f2"), ("quants", "u1", (16,))])


def made_up_blocks(rows: int, cols: int) -> npt.NDArray[np.void]:
    """[rows, cols / 32] blocks of Q4_0: the matrix that voxtab.bench.made_up.made_up_matrix puts on the GPU."""
    row_bytes = cols // 32 * _BLOCK.itemsize
    per_piece = PIECE_BYTES // row_bytes // 4 * 4
    piece = q4_0_bytes(PIECE_BYTES)
    data = b"".join(piece[: min(per_piece, rows - row) * row_bytes] for row in range(0, rows, per_piece))
    return np.frombuffer(data, _BLOCK).reshape(rows, cols // 32)


def dequantized(blocks: npt.NDArray[np.void]) -> npt.NDArray[np.float64]:
    """[rows, cols]"""
    quants = blocks["quants"]
    values = np.concatenate([quants & 15, quants >> 4], axis=-1).astype(np.float64) - 8
    scaled: npt.NDArray[np.float64] = values * blocks["scale"][..., None]
    return scaled.reshape(len(blocks), -1)


def onnx_product(blocks: npt.NDArray[np.void], n: int) -> bytes:
    """y[n, rows] = x[n, cols] W^T, with block 32, f32 scales and the zero point that MatMulNBits assumes, 8."""
    rows, count = blocks.shape
    quants = blocks["quants"]
    elements = np.concatenate([quants & 15, quants >> 4], axis=-1)
    packed = np.ascontiguousarray(elements[..., 0::2] | (elements[..., 1::2] << 4))
    scales = np.ascontiguousarray(blocks["scale"].astype(np.float32))
    attributes = {"K": count * 32, "N": rows, "bits": 4, "block_size": 32}
    node = (
        *(_bytes(1, name) for name in (b"x", b"w", b"scales")),
        _bytes(2, b"y"),
        _bytes(4, b"MatMulNBits"),
        *(
            _bytes(5, _bytes(1, name.encode()) + _int(3, value) + _int(20, _INT_ATTRIBUTE))
            for name, value in attributes.items()
        ),
        _bytes(7, b"com.microsoft"),
    )
    graph = (
        _bytes(1, b"".join(node)),
        _bytes(2, b"product"),
        _bytes(5, _tensor(b"w", _UINT8, packed.shape, packed.tobytes())),
        _bytes(5, _tensor(b"scales", _FLOAT, (scales.size,), scales.tobytes())),
        _bytes(11, _value(b"x", (n, count * 32))),
        _bytes(12, _value(b"y", (n, rows))),
    )
    opsets = ((b"", 17), (b"com.microsoft", 1))
    return b"".join(
        (
            _int(1, 8),
            _bytes(7, b"".join(graph)),
            *(_bytes(8, _bytes(1, domain) + _int(2, version)) for domain, version in opsets),
        )
    )


def _tensor(name: bytes, kind: int, shape: tuple[int, ...], data: bytes) -> bytes:
    return b"".join((*(_int(1, size) for size in shape), _int(2, kind), _bytes(8, name), _bytes(9, data)))


def _value(name: bytes, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(_bytes(1, _int(1, size)) for size in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _int(1, _FLOAT) + _bytes(2, dims)))


# The two kinds of protobuf fields that are needed.


def _bytes(field: int, data: bytes) -> bytes:
    return bytes([*_varint(field << 3 | 2), *_varint(len(data))]) + data


def _int(field: int, value: int) -> bytes:
    return bytes([*_varint(field << 3), *_varint(value)])


def _varint(value: int) -> Iterator[int]:
    while value > 127:
        yield value & 127 | 128
        value >>= 7
    yield value
