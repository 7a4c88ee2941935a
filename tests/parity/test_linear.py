"""Linear layers on the GPU against numpy on weights that gguf-py dequantized: every type, tile, epilogue and split."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import pytest

from voxtab.formats.gguf import GgmlType, GgufTensor
from voxtab.gpu.native import NativeGpu
from voxtab.kernels import key
from voxtab.kernels.tiles import GPU, Tile, Tiles, candidates
from voxtab.nn.recorder import Epilogue, Recorder, Workspace
from voxtab.nn.upload import Upload
from voxtab.nn.weights import GATED_ROWS, Linear, Norm, Tensor, Weight

Floats = npt.NDArray[np.float32]

_QUANT_TYPES = {
    GgmlType.Q4_0: gguf.GGMLQuantizationType.Q4_0,
    GgmlType.Q8_0: gguf.GGMLQuantizationType.Q8_0,
    GgmlType.F16: gguf.GGMLQuantizationType.F16,
    GgmlType.BF16: gguf.GGMLQuantizationType.BF16,
}
# Rows that fill no tile, rows that are odd, columns that need each width of load.
SHAPES = {
    GgmlType.Q4_0: [(1, 32), (67, 96), (132, 512)],
    GgmlType.Q8_0: [(1, 32), (67, 96), (132, 512)],
    GgmlType.F16: [(5, 8), (67, 40), (9, 36), (7, 33)],
    GgmlType.BF16: [(5, 8), (7, 33)],
    GgmlType.F32: [(1, 4), (67, 100), (66, 33)],
}


def stored(kind: GgmlType, values: Floats) -> tuple[bytes, Floats]:
    """The bytes a GGUF would hold, and the values they stand for, both by gguf-py."""
    if kind == GgmlType.F32:
        return values.tobytes(), values
    data = gguf.quants.quantize(values, _QUANT_TYPES[kind])
    return data.tobytes(), gguf.quants.dequantize(data, _QUANT_TYPES[kind]).astype(np.float32)


def uploaded(gpu: NativeGpu, kind: GgmlType, values: Floats) -> tuple[Weight, Floats]:
    data, meant = stored(kind, values)
    upload = Upload(gpu)
    weight = upload.matrix(0, GgufTensor("w", kind, values.shape, 0, len(data)))
    for piece in upload.ordered():
        part = data[piece.offset : piece.offset + piece.nbytes]
        gpu.write(piece.buffer, piece.buffer_offset, part + bytes(-len(part) % 4))
        if piece.program is not None:
            gpu.run(piece.program)
    return weight, meant


def computed(
    gpu: NativeGpu, layer: Linear, x: Floats, before: Floats, epilogue: Epilogue, norm: Norm | None = None
) -> npt.NDArray[Any]:
    n, rows = before.shape
    control = gpu.buffer(16, "control")
    record = Recorder(gpu, control, Workspace(gpu, n))
    source = gpu.buffer(x.nbytes, "x")
    target = gpu.buffer(before.nbytes, "y")
    gpu.write(source, 0, x.tobytes())
    gpu.write(target, 0, before.tobytes())
    record.linear(layer, Tensor(source, x.shape[1], norm=norm), Tensor(target, rows), n, epilogue)
    gpu.run(record.finish())
    back = asyncio.run(gpu.read(target, 0, before.nbytes).bytes())
    return np.frombuffer(back, np.float32).reshape(before.shape)


def expected(total: npt.NDArray[Any], before: Floats, epilogue: Epilogue) -> npt.NDArray[Any]:
    if epilogue is Epilogue.ADD:
        return np.asarray(before + total)
    if epilogue is Epilogue.GELU:
        return np.asarray(0.5 * total * (1 + np.vectorize(math.erf)(total / math.sqrt(2))))
    if epilogue is Epilogue.SILU_GATE:
        return np.asarray(before / (1 + np.exp(-before)) * total)
    return total


@pytest.fixture(scope="module")
def gpu(native_adapter: Any) -> NativeGpu:
    """One device for the file: pipelines take longer to compile than to run."""
    return NativeGpu(native_adapter)


@pytest.mark.parametrize("kind", SHAPES, ids=lambda kind: kind.name)
@pytest.mark.parametrize("bindings", ["default", "tiny"])
def test_linear_equals_numpy(
    gpu: NativeGpu, monkeypatch: pytest.MonkeyPatch, kind: GgmlType, bindings: str
) -> None:
    if bindings == "tiny":  # a matrix then takes several segments, as the 4B embedding does by default
        monkeypatch.setattr("voxtab.nn.upload.MOST_SEGMENT_BYTES", 1024)
    rng = np.random.default_rng(int(kind))
    for shape in SHAPES[kind]:
        rows, cols = shape
        weight, meant = uploaded(gpu, kind, rng.standard_normal(shape).astype(np.float32))
        assert bindings == "default" or rows < 65 or len(weight.segments) > 1
        values = rng.standard_normal(rows).astype(np.float32)
        buffer = gpu.buffer(values.nbytes, "bias or scale")
        gpu.write(buffer, 0, values.tobytes())
        for n in (1, 3, 11):
            for epilogue in (Epilogue.STORE, Epilogue.ADD, Epilogue.GELU, Epilogue.SILU_GATE):
                x = rng.standard_normal((n, cols)).astype(np.float32)
                before = rng.standard_normal((n, rows)).astype(np.float32)
                use = rng.integers(3)
                layer = (Linear(weight), Linear(weight, bias=buffer), Linear(weight, scale=buffer))[use]
                got = computed(gpu, layer, x, before, epilogue)
                product = x.astype(np.float64) @ meant.astype(np.float64).T
                total = (product, product + values, product * values)[use]
                want = expected(total, before, epilogue)
                scale = np.abs(x) @ np.abs(meant).T + 1
                worst = np.max(np.abs(got - want) / scale)
                assert worst < 4e-6, (
                    f"{shape}, {n} rows, {epilogue.name}: {worst:.1e} of the sum of magnitudes"
                )


# SOFTWARE's are what the test above runs. The experiment's run on no software adapter.
VARIANTS = [
    *((True, tile) for tile in candidates(software=True)),
    *((False, tile) for tile in [*GPU, *candidates(software=False)] if tile.kernel != "matmat_subgroup"),
]


@pytest.mark.parametrize(
    ("software", "tile"), VARIANTS, ids=[key(tile.kernel, **tile.parameters) for _, tile in VARIANTS]
)
def test_every_tile_equals_numpy(native_adapter: Any, software: bool, tile: Tile) -> None:
    """Whatever tuning may choose, with weights as they are stored on such adapters. Rows that fill no tile, and several
    steps through the columns, the last one short; a single row is normed on its way in, and gates meet their partners."""
    gpu = NativeGpu(native_adapter)
    assert tile.needs <= gpu.info.features
    gpu.info = replace(gpu.info, software=software)
    gpu.chosen_tiles = Tiles(one=tile, few=(), many=tile)
    rng = np.random.default_rng(4)
    for kind, (rows, cols) in {GgmlType.Q4_0: (72, 1120), GgmlType.Q8_0: (136, 96)}.items():
        weight, meant = uploaded(gpu, kind, rng.standard_normal((rows, cols)).astype(np.float32))
        gain = rng.standard_normal(cols + 4).astype(np.float32)
        gains = gpu.buffer(gain.nbytes, "gains")
        gpu.write(gains, 0, gain.tobytes())
        for n in (1,) if tile.covers[1] == 1 else (7, 70):
            x = rng.standard_normal((n, cols)).astype(np.float32)
            norm = Norm(gains, 1e-5, 4) if n == 1 else None
            factor = gain[4:] / np.sqrt(np.mean(x.astype(np.float64) ** 2) + 1e-5) if norm else 1.0
            total = (x * factor) @ meant.astype(np.float64).T
            scale = np.abs(x * factor) @ np.abs(meant).T + 1
            before = rng.standard_normal((n, rows)).astype(np.float32)
            added = computed(gpu, Linear(weight), x, before, Epilogue.ADD, norm)
            assert np.max(np.abs(added - before - total) / scale) < 4e-6, (kind, n)
            gated = computed(gpu, Linear(weight), x, before[:, : rows // 2], Epilogue.GATED_ROWS, norm)
            turns = total.reshape(n, -1, 2, GATED_ROWS[weight.storage])
            gate, up = (turns[:, :, part].reshape(n, -1) for part in range(2))
            want = gate / (1 + np.exp(-gate)) * up
            assert np.max(np.abs(gated - want)) < 4e-6 * np.max(scale) * np.max(np.abs(total)), (kind, n)


@pytest.mark.parametrize("kind", [GgmlType.F32, GgmlType.F16], ids=lambda kind: kind.name)
def test_a_choice_for_quantized_weights_is_none_for_others(native_gpu: NativeGpu, kind: GgmlType) -> None:
    """They keep the default, here that for GPUs, which nothing else would run on a CPU adapter."""
    native_gpu.info = replace(native_gpu.info, software=False)
    spread, shared = Tile("spread", 64, 16), Tile("matmat_shared", 128, 8, 4)
    native_gpu.chosen_tiles = Tiles(one=spread, few=(), many=shared)
    rng = np.random.default_rng(5)
    weight, meant = uploaded(native_gpu, kind, rng.standard_normal((67, 96)).astype(np.float32))
    for n in (1, 2, 3, 11):
        x = rng.standard_normal((n, 96)).astype(np.float32)
        got = computed(native_gpu, Linear(weight), x, np.zeros((n, 67), np.float32), Epilogue.STORE)
        want = x.astype(np.float64) @ meant.astype(np.float64).T
        assert np.max(np.abs(got - want) / (np.abs(x) @ np.abs(meant).T + 1)) < 4e-6


def test_convolution_weights_are_reordered_by_tap(gpu: NativeGpu) -> None:
    rng = np.random.default_rng(3)
    values = rng.standard_normal((6, 5, 3)).astype(np.float32)
    for kind in (GgmlType.F32, GgmlType.F16):
        data = values.tobytes() if kind == GgmlType.F32 else values.astype(np.float16).tobytes()
        upload = Upload(gpu)
        weight = upload.convolution(0, GgufTensor("conv", kind, values.shape, 0, len(data)))
        for piece in upload.ordered():
            gpu.write(piece.buffer, piece.buffer_offset, data + bytes(-len(data) % 4))
            if piece.program is not None:
                gpu.run(piece.program)
        back = asyncio.run(gpu.read(weight.segments[0].quants, 0, values.nbytes).bytes())
        got = np.frombuffer(back, np.float32).reshape(6, 3, 5)
        want = values if kind == GgmlType.F32 else values.astype(np.float16).astype(np.float32)
        assert np.array_equal(got, want.transpose(0, 2, 1))
