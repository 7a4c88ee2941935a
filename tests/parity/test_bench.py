"""What benchmarks compare must compute the same, on small shapes; onnxruntime-web gets the same blocks."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tests.benchmarks.onnx_product import dequantized, made_up_blocks
from voxtab.bench.kernels import GROUPS, Shape, bench_kernels
from voxtab.bench.plain_kernel import PlainMatrix
from voxtab.bench.report import as_text
from voxtab.gpu.native import NativeGpu


def test_ours_and_the_plain_kernel_agree(native_gpu: NativeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GROUPS, "flow", (Shape("small", 68, 96, n=6),))
    result = asyncio.run(bench_kernels(native_gpu, ["flow"]))
    (found,) = result["kernels"]
    assert found["difference"] < 1e-5
    assert found["times_plain"] == pytest.approx(found["plain_ms"] / found["ms"])
    assert found["times_vectors"] > 0
    assert "small" in as_text(result)


def test_the_plain_kernel_multiplies_by_the_blocks_that_others_get(native_gpu: NativeGpu) -> None:
    rows, cols = 70, 64
    x = np.random.default_rng(0).standard_normal((2, cols)).astype(np.float32)
    given, answer = (native_gpu.buffer(size, "rows") for size in (x.nbytes, 2 * rows * 4))
    native_gpu.write(given, 0, x.tobytes())
    native_gpu.run(PlainMatrix(native_gpu, rows, cols).program(given, answer, 2))
    got = np.frombuffer(asyncio.run(native_gpu.read(answer, 0, 2 * rows * 4).bytes()), np.float32)
    want = x.astype(np.float64) @ dequantized(made_up_blocks(rows, cols)).T
    assert np.max(np.abs(got.reshape(2, rows) - want)) < 1e-5 * np.max(np.abs(want))
