"""Layers that share a pass, against numpy: projections end to end, gate and up in one, a norm on the way in."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.parity.test_linear import SHAPES, Floats, stored
from voxtab.formats.gguf import GgmlType, GgufTensor
from voxtab.formats.gguf_split import MergedGguf
from voxtab.gpu.native import NativeGpu
from voxtab.models.tensor_loader import TensorLoader
from voxtab.nn.recorder import Recorder, Workspace
from voxtab.nn.upload import Upload
from voxtab.nn.weights import GATED_ROWS, Norm, Tensor

EPS = 1e-5


class File:
    """Tensors by name as a loader finds them, their values as gguf-py reads them, and where pieces come from."""

    def __init__(self, gpu: NativeGpu) -> None:
        self.gpu = gpu
        self.upload = Upload(gpu)
        self.tensors: dict[str, tuple[int, GgufTensor]] = {}
        directory = MergedGguf(metadata={}, tensors=self.tensors)
        self.loader = TensorLoader(directory, self.upload, str, "made-up")
        self.meant: dict[str, Floats] = {}
        self._data = b""

    def add(self, name: str, kind: GgmlType, values: Floats) -> None:
        data, self.meant[name] = stored(kind, values)
        self.tensors[name] = (0, GgufTensor(name, kind, values.shape, len(self._data), len(data)))
        self._data += data + bytes(-len(data) % 32)

    def load(self) -> None:
        for piece in self.upload.ordered():
            part = self._data[piece.offset : piece.offset + piece.nbytes]
            self.gpu.write(piece.buffer, piece.buffer_offset, part + bytes(-len(part) % 4))
            if piece.program is not None:
                self.gpu.run(piece.program)


class Rows:
    """Rows of x on the GPU, and a recorder over them."""

    def __init__(self, gpu: NativeGpu, x: Floats) -> None:
        self.gpu, self.n = gpu, len(x)
        self.record = Recorder(gpu, gpu.buffer(16, "control"), Workspace(gpu, self.n))
        self.x = Tensor(self.filled(x), x.shape[1])

    def filled(self, values: Floats) -> Any:
        buffer = self.gpu.buffer(values.nbytes, "rows")
        self.gpu.write(buffer, 0, values.tobytes())
        return buffer

    def read(self, out: Tensor) -> npt.NDArray[Any]:
        self.gpu.run(self.record.finish())
        back = asyncio.run(self.gpu.read(out.buffer, 0, self.n * out.width * 4).bytes())
        return np.frombuffer(back, np.float32).reshape(self.n, out.width)


@pytest.fixture(scope="module")
def gpu(native_adapter: Any) -> NativeGpu:
    return NativeGpu(native_adapter)


@pytest.fixture(params=["default", "tiny"])
def bindings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "tiny":
        monkeypatch.setattr("voxtab.nn.upload.MOST_SEGMENT_BYTES", 1024)
    return str(request.param)


def normed(x: Floats, gain: Floats) -> npt.NDArray[np.float64]:
    wide = x.astype(np.float64)
    return np.asarray(wide / np.sqrt(np.mean(wide**2, axis=1, keepdims=True) + EPS) * gain)


@pytest.mark.parametrize("kind", SHAPES, ids=lambda kind: kind.name)
def test_gate_and_up_in_one_equal_numpy(gpu: NativeGpu, bindings: str, kind: GgmlType) -> None:
    """Rows that can take turns lie in one weight, others in two; both also with a norm on the way of a single row."""
    rng = np.random.default_rng(int(kind))
    for shape in SHAPES[kind]:
        rows, cols = shape
        file = File(gpu)
        for name in ("gate", "up"):
            values = rng.standard_normal(shape).astype(np.float32) / np.float32(np.sqrt(cols))
            file.add(f"{name}.weight", kind, values)
        layer = file.loader.gated("gate.", "up.", rows, cols)
        file.load()
        together = layer.parts[0].weight.storage
        assert len(layer.parts) == (1 if rows % GATED_ROWS[together] == 0 else 2)
        for n in (1, 3, 11):
            x = (3 * rng.standard_normal((n, cols))).astype(np.float32)
            gains = (1 + rng.standard_normal(2 * cols)).astype(np.float32)
            on = Rows(gpu, x)
            norm = Norm(on.filled(gains), EPS, offset=cols // 4 * 4)
            out = Tensor(gpu.buffer(n * rows * 4, "out"), rows)
            on.record.gated(layer, on.record.normed(on.x, norm, n), out, n)
            taken = normed(x, gains[cols // 4 * 4 :][:cols])
            gate, up = (taken @ file.meant[f"{name}.weight"].T.astype(np.float64) for name in ("gate", "up"))
            want = gate / (1 + np.exp(-gate)) * up
            assert np.max(np.abs(on.read(out) - want)) < 1e-5 * (1 + np.max(np.abs(want))), (shape, n)


MIXED = [(GgmlType.Q4_0, 64), (GgmlType.Q8_0, 12), (GgmlType.Q8_0, 6), (GgmlType.F32, 3)]


@pytest.mark.parametrize(
    "parts",
    [
        *([(kind, 64), (kind, 12), (kind, 6)] for kind in SHAPES),
        [(GgmlType.Q4_0, 6), (GgmlType.Q4_0, 8), (GgmlType.Q4_0, 6)],
        MIXED,
    ],
    ids=[*(kind.name for kind in SHAPES), "rows that fill no quad", "mixed"],
)
def test_projections_end_to_end_equal_numpy(
    gpu: NativeGpu, bindings: str, parts: list[tuple[GgmlType, int]]
) -> None:
    rng = np.random.default_rng(5)
    cols = 64
    file = File(gpu)
    for number, (kind, rows) in enumerate(parts):
        file.add(f"{number}.weight", kind, rng.standard_normal((rows, cols)).astype(np.float32))
        file.add(f"{number}.bias", GgmlType.F32, rng.standard_normal(rows).astype(np.float32))
    wanted = [(f"{number}.", rows, number != 1) for number, (_, rows) in enumerate(parts)]
    layers = file.loader.stacked(wanted, cols)
    file.load()
    if bindings == "default":
        assert len(layers) == {6: 2, 64: 1}[parts[0][1]] if parts is not MIXED else len(layers) == 3
    for n in (1, 3):
        x = rng.standard_normal((n, cols)).astype(np.float32)
        on = Rows(gpu, x)
        width = sum(rows for _, rows in parts)
        out = Tensor(gpu.buffer(n * width * 4, "out"), width)
        column = 0
        for layer in layers:
            on.record.linear(layer, on.x, Tensor(out.buffer, width, column=column), n)
            column += layer.weight.rows
        matrix = np.concatenate([file.meant[f"{number}.weight"] for number in range(len(parts))])
        bias = np.concatenate(
            [file.meant[f"{number}.bias"] * np.float32(number != 1) for number in range(len(parts))]
        )
        want = x.astype(np.float64) @ matrix.T.astype(np.float64) + bias
        scale = np.abs(x) @ np.abs(matrix).T + np.abs(bias) + 1
        assert np.max(np.abs(on.read(out) - want) / scale) < 4e-6
