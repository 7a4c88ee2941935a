"""Attention over a ring of keys and values against numpy: shared heads, shared rows, long contexts in parts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from voxtab.gpu.native import NativeGpu
from voxtab.nn.recorder import Recorder, Workspace
from voxtab.nn.ring_cache import RingCache
from voxtab.nn.rope import RopeTable
from voxtab.nn.weights import Tensor

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    heads: int
    kv_heads: int
    head_dim: int
    window: int
    position: int  # of row 0
    n: int
    alibi: bool = False


CASES = {
    "first position": Case(4, 1, 16, 8, 0, 1),
    "four heads together": Case(8, 2, 128, 8192, 70, 1),
    "two heads together, two rows": Case(4, 2, 64, 512, 130, 5),
    "no heads together, rows of which some are masked": Case(2, 2, 64, 12, 3, 11),
    "three heads of a kv head": Case(6, 2, 34, 100, 40, 3),
    "the ring has wrapped": Case(4, 1, 32, 60, 500, 6),
    "a long context in parts, the last ones empty": Case(4, 1, 128, 2048, 300, 1),
    "a long context in parts, wrapped": Case(8, 4, 64, 700, 5000, 1),
    "a wide head": Case(2, 1, 256, 90, 80, 2),
    "linear biases": Case(8, 8, 24, 17, 30, 9, alibi=True),
}


@pytest.fixture(scope="module")
def gpu(native_adapter: Any) -> NativeGpu:
    """One device for the file: pipelines take longer to compile than to run."""
    return NativeGpu(native_adapter)


@pytest.mark.parametrize("cache", ["f32", "f16"])
@pytest.mark.parametrize("name", CASES)
def test_attention_equals_numpy(gpu: NativeGpu, name: str, cache: str) -> None:
    case = CASES[name]
    rng = np.random.default_rng(1)
    end = case.position + case.n
    shape = (end, case.kv_heads, case.head_dim)
    stored = np.float16 if cache == "f16" else np.float32
    keys, values = (rng.standard_normal(shape).astype(stored) for _ in range(2))
    q = (2 * rng.standard_normal((case.n, case.heads, case.head_dim))).astype(np.float32)
    slopes = (2.0 ** -np.arange(case.heads) if case.alibi else np.zeros(case.heads)).astype(np.float32)
    got = _computed(gpu, case, cache, q, keys, values, slopes)
    want = _expected(case, q.astype(np.float64), keys.astype(np.float64), values.astype(np.float64), slopes)
    assert np.max(np.abs(got - want)) < 4e-6 * np.max(np.abs(values))


@pytest.mark.parametrize("name", ["a long context in parts, wrapped", "a wide head", "linear biases"])
def test_the_tiles_for_gpus_equal_numpy(native_gpu: NativeGpu, name: str) -> None:
    native_gpu.info = replace(native_gpu.info, software=False)
    test_attention_equals_numpy(native_gpu, name, "f32")


def _computed(
    gpu: NativeGpu,
    case: Case,
    cache: str,
    q: Floats,
    keys: npt.NDArray[Any],
    values: npt.NDArray[Any],
    slopes: Floats,
) -> Floats:
    ring = RingCache(gpu, case.kv_heads * case.head_dim, case.window, case.n, cache)
    ring.reserve(len(keys))
    for buffer, rows in ((ring.keys, keys), (ring.values, values)):
        held = np.zeros((ring.slots, *rows.shape[1:]), rows.dtype)
        for position in range(max(0, len(rows) - ring.slots), len(rows)):
            held[position % ring.slots] = rows[position]
        gpu.write(buffer, 0, held.tobytes())
    control = gpu.buffer(16, "control")
    gpu.write(control, 0, np.array([case.position, 0], np.uint32).tobytes())
    source, target, biases = (gpu.buffer(size, "rows") for size in (q.nbytes, q.nbytes, slopes.nbytes))
    gpu.write(source, 0, q.tobytes())
    gpu.write(biases, 0, slopes.tobytes())
    record = Recorder(gpu, control, Workspace(gpu, case.n))
    width = case.heads * case.head_dim
    record.attend(
        Tensor(source, width),
        ring,
        case.head_dim,
        Tensor(target, width),
        case.n,
        biases if case.alibi else None,
    )
    gpu.run(record.finish())
    back = asyncio.run(gpu.read(target, 0, q.nbytes).bytes())
    return np.frombuffer(back, np.float32).reshape(q.shape)


def _expected(
    case: Case,
    q: npt.NDArray[np.float64],
    keys: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    slopes: Floats,
) -> npt.NDArray[np.float64]:
    out = np.empty_like(q)
    for row in range(case.n):
        position = case.position + row
        seen = np.arange(max(0, position - case.window + 1), position + 1)
        for head in range(case.heads):
            kv = head * case.kv_heads // case.heads
            scores = keys[seen, kv] @ q[row, head] / np.sqrt(case.head_dim)
            scores -= float(slopes[head]) * (position - seen)
            weights = np.exp(scores - scores.max())
            out[row, head] = weights / weights.sum() @ values[seen, kv]
    return out


@pytest.mark.parametrize("cache", ["f32", "f16"])
@pytest.mark.parametrize(
    "name",
    [
        *("first position", "four heads together", "a long context in parts, wrapped"),
        *("three heads of a kv head", "a long context in parts, the last ones empty"),
    ],
)
def test_a_row_alone_is_rotated_and_stored_as_chunks_are(gpu: NativeGpu, name: str, cache: str) -> None:
    case = replace(CASES[name], n=1)
    rng = np.random.default_rng(2)
    heads = case.heads + 2 * case.kv_heads
    qkv = rng.standard_normal((1, heads * case.head_dim)).astype(np.float32)
    control = gpu.buffer(16, "control")
    gpu.write(control, 0, np.array([case.position, 0], np.uint32).tobytes())
    rope = RopeTable(gpu, case.head_dim, 1e6, 512)
    rope.prepare(case.position + 1)
    found = []
    for alone in (True, False):
        ring = RingCache(gpu, case.kv_heads * case.head_dim, case.window, 1, cache)
        ring.reserve(case.position + 1)
        earlier = np.random.default_rng(3).standard_normal(ring.keys.size // 4).astype(np.float32)
        if cache == "f16":
            earlier = np.repeat(earlier.astype(np.float16), 2).view(np.float32)
        for buffer in (ring.keys, ring.values):
            gpu.write(buffer, 0, earlier.tobytes())
        source, target = gpu.buffer(qkv.nbytes, "row"), gpu.buffer(case.heads * case.head_dim * 4, "out")
        gpu.write(source, 0, qkv.tobytes())
        record = Recorder(gpu, control, Workspace(gpu, 1))
        row, out = Tensor(source, qkv.shape[1]), Tensor(target, case.heads * case.head_dim)
        if alone:
            record.rope_attend(row, ring, rope, out, 1)
        else:
            record.rope_store(row, ring, rope, 1)
            record.attend(row, ring, case.head_dim, out, 1)
        gpu.run(record.finish())
        kind = np.float32 if cache == "f32" else np.float16
        for buffer, read_as in ((target, np.float32), (ring.keys, kind), (ring.values, kind)):
            back = asyncio.run(gpu.read(buffer, 0, buffer.size).bytes())
            found.append(np.frombuffer(back, read_as).astype(np.float64))
    for one, other in zip(found[:3], found[3:], strict=True):
        assert np.max(np.abs(one - other)) < 1e-5 * np.max(np.abs(other))
