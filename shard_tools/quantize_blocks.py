"""Q4_0 and Q8_0, by blocks of 32 along a row, F16 and BF16 from float32.

Q4_0: 18 bytes, a float16 scale d and 16 bytes; byte j holds element j in its low and element j+16 in its high
nibble; value = (nibble - 8) d. Q8_0: 34 bytes, a float16 scale and 32 signed bytes; value = byte x d.

`absmax` maps the value of largest magnitude to an end of the range, bit for bit as gguf-py does.
`search` tries several scales around that and keeps the one of least squared error; the format is the same.
"""

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

BLOCK: Final = 32
F16_MAX: Final = 65504.0
BF16_MAX: Final = float.fromhex("0x1.fep127")

Scales = Literal["search", "absmax"]
Float32 = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

# What the extreme value of a block is mapped to, instead of -8: below 8 the range is not used up, above it
# the extreme is clipped and the rest gets finer steps. More candidates gain less than 0.1% of RMSE.
_CANDIDATES: Final = np.arange(7.0, 9.01, 0.25, dtype=np.float32)

# Blocks worked on at once: 2048 x 32 floats and two buffers of that stay in a core's L2 cache.
_PART_BLOCKS: Final = 2048


def quantize_q4_0(values: Float32, scales: Scales = "search") -> Bytes:
    """Flat float32 [32 n] -> bytes [18 n]. Values must be finite and below 8 x 65504 in magnitude."""
    return _by_parts(values, 18, _q4_0_absmax if scales == "absmax" else _q4_0_search)


def quantize_q8_0(values: Float32) -> Bytes:
    """Flat float32 [32 n] -> bytes [34 n], equal to gguf-py's. Halves round away from zero."""
    return _by_parts(values, 34, _q8_0)


def to_float16(values: Float32) -> Bytes:
    """Flat float32 [n] -> bytes [2 n]. BF16 values of 2^-17 to 65504 are kept exactly, smaller to 2^-25."""
    return values.astype("<f2").view(np.uint8)


def to_bfloat16(values: Float32) -> Bytes:
    """Flat float32 [n] -> bytes [2 n], to the nearest, of two the even one. Values must not exceed BF16_MAX."""
    bits = values.view(np.uint32)
    rounded = (bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))) >> np.uint32(16)
    return rounded.astype("<u2").view(np.uint8)


def _by_parts(values: Float32, block_bytes: int, quantize: Callable[[Float32], Bytes]) -> Bytes:
    blocks = values.reshape(-1, BLOCK)
    out = np.empty((len(blocks), block_bytes), np.uint8)
    for start in range(0, len(blocks), _PART_BLOCKS):
        part = slice(start, start + _PART_BLOCKS)
        out[part] = quantize(blocks[part])
    return out.reshape(-1)


def _q8_0(blocks: Float32) -> Bytes:
    magnitude: Float32 = np.abs(blocks)
    scale = magnitude.max(axis=1, keepdims=True) / np.float32(127)
    magnitude *= _reciprocal(scale)
    whole = np.floor(magnitude)
    whole += (magnitude - whole) >= 0.5
    out = np.empty((len(blocks), 34), np.uint8)
    out[:, :2] = scale.astype("<f2").view(np.uint8)
    out[:, 2:] = np.copysign(whole, blocks).astype(np.int8).view(np.uint8)
    return out


def _q4_0_absmax(blocks: Float32) -> Bytes:
    extreme = _extremes(blocks.T)[:, None]
    scale = extreme / np.float32(-8)
    # gguf-py's arithmetic, in its order: x/d + 8.5 truncated, in float32, with d not yet rounded to float16.
    shifted = np.trunc(blocks * _reciprocal(scale) + np.float32(8.5))
    return _pack_q4_0(scale, np.minimum(shifted, 15).astype(np.uint8).T)


def _q4_0_search(blocks: Float32) -> Bytes:
    """Blocks lie in columns here: sums over a block are then additions of whole rows, which vectorise."""
    x = np.ascontiguousarray(blocks.T)
    extreme = _extremes(x)
    inverse = _reciprocal(-extreme)
    best_gain = np.zeros(x.shape[1], np.float32)
    best_scale = np.zeros(x.shape[1], np.float32)
    levels = np.empty_like(x)
    products = np.empty_like(x)
    for candidate in _CANDIDATES:
        _round_to_levels(x, inverse * candidate, levels)
        # For fixed levels q, the best scale is <x,q>/<q,q>, and it lowers the squared error by <x,q>^2/<q,q>.
        correlation = np.add.reduce(np.multiply(x, levels, out=products), axis=0)
        energy = np.add.reduce(np.multiply(levels, levels, out=products), axis=0)
        scale = correlation / np.maximum(energy, 1)
        gain = scale * correlation
        better = gain > best_gain
        np.copyto(best_gain, gain, where=better)
        np.copyto(best_scale, scale, where=better)
    # A wider scale than any float16 would be better only for values at the very limit.
    stored = np.clip(best_scale, -F16_MAX, F16_MAX).astype("<f2").astype(np.float32)
    _round_to_levels(x, _reciprocal(stored), levels)
    levels += 8
    return _pack_q4_0(stored[:, None], levels.astype(np.uint8))


def _extremes(columns: Float32) -> Float32:
    """The signed value of largest magnitude in each column, the first of equals."""
    index = np.abs(columns).argmax(axis=0)
    extremes: Float32 = np.take_along_axis(columns, index[None], axis=0)[0]
    return extremes


def _reciprocal(scale: Float32) -> Float32:
    """1/x, and 0 where that overflows: such a block holds nothing that a float16 scale could show."""
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.float32(1) / scale
    inverse[~np.isfinite(inverse)] = 0
    return inverse


def _round_to_levels(x: Float32, inverse: Float32, out: Float32) -> None:
    np.multiply(x, inverse, out=out)
    np.rint(out, out=out)
    np.minimum(out, 7, out=out)
    np.maximum(out, -8, out=out)


def _pack_q4_0(scale: Float32, nibbles: Bytes) -> Bytes:
    """scale [n, 1], nibbles [32, n] -> bytes [n, 18]."""
    out = np.empty((len(scale), 18), np.uint8)
    out[:, :2] = scale.astype("<f2").view(np.uint8)
    out[:, 2:] = (nibbles[:16] | (nibbles[16:] << 4)).T
    return out
