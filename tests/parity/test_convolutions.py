"""Causal convolutions with weight norm on the GPU against PyTorch's own layers, plain and transposed, whole and cut."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.nn.utils.parametrizations import weight_norm

from tests.parity.test_linear import stored
from voxtab.formats.gguf import GgmlType, GgufTensor
from voxtab.gpu.native import NativeGpu
from voxtab.nn.recorder import Recorder, Workspace
from voxtab.nn.upload import Upload
from voxtab.nn.weights import Linear, Tensor, Weight

Floats = npt.NDArray[np.float32]
KINDS = (GgmlType.F32, GgmlType.F16, GgmlType.BF16)


@pytest.fixture(scope="module")
def gpu(native_adapter: Any) -> NativeGpu:
    """One device for the file: pipelines take longer to compile than to run."""
    return NativeGpu(native_adapter)


def folded(gpu: NativeGpu, layer: Any, kind: GgmlType, transposed: bool) -> Weight:
    """The layer's gain and direction through a file's bytes; the layer keeps what the file says."""
    parts = layer.parametrizations.weight
    data = bytearray()
    tensors = []
    for name, part in (("direction", parts.original1), ("gain", parts.original0)):
        raw, meant = stored(kind, part.detach().numpy())
        with torch.no_grad():
            part.copy_(torch.from_numpy(meant))
        shape = tuple(part.shape) if name == "direction" else (part.shape[0],)
        data += bytes(-len(data) % 32)
        tensors.append(GgufTensor(name, kind, shape, len(data), len(raw)))
        data += raw
    direction, gain = tensors
    upload = Upload(gpu)
    weight = upload.upsampling(0, direction) if transposed else upload.convolution(0, direction)
    upload.weight_norm(weight, upload.vector(0, gain), direction.shape[0] if transposed else 0)
    for piece in upload.ordered():
        part = bytes(data[piece.offset : piece.offset + piece.nbytes])
        gpu.write(piece.buffer, piece.buffer_offset, part + bytes(-len(part) % 4))
        if piece.program is not None:
            gpu.run(piece.program)
    for program in upload.closing:
        gpu.run(program)
    upload.finish()
    return weight


def applied(gpu: NativeGpu, weight: Weight, rows: Floats, width: int, n: int) -> Floats:
    """n rows of the layer over `rows`, whose first ones are the left context."""
    record = Recorder(gpu, gpu.buffer(16, "control"), Workspace(gpu, n))
    x, y = gpu.buffer(rows.nbytes, "x"), gpu.buffer(n * weight.rows * 4, "y")
    gpu.write(x, 0, rows.tobytes())
    record.linear(Linear(weight), Tensor(x, width), Tensor(y, weight.rows), n, x_stride=width)
    gpu.run(record.finish())
    back = asyncio.run(gpu.read(y, 0, n * weight.rows * 4).bytes())
    return np.frombuffer(back, np.float32)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize(("inputs", "outputs", "taps"), [(10, 6, 3), (8, 70, 7)])
def test_a_convolution_equals_pytorch(
    gpu: NativeGpu, kind: GgmlType, inputs: int, outputs: int, taps: int
) -> None:
    torch.manual_seed(taps)
    layer = weight_norm(torch.nn.Conv1d(inputs, outputs, taps, bias=False))
    weight = folded(gpu, layer, kind, transposed=False)
    for n in (1, 5):
        rows = torch.randn(taps - 1 + n, inputs)
        want = layer(rows.T[None])[0].T.detach().numpy()
        got = applied(gpu, weight, rows.numpy(), inputs, n).reshape(n, outputs)
        assert np.abs(got - want).max() < 1e-5


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize(("inputs", "outputs"), [(8, 20), (10, 6)])
def test_an_upsampling_equals_pytorch(gpu: NativeGpu, kind: GgmlType, inputs: int, outputs: int) -> None:
    torch.manual_seed(inputs)
    layer = weight_norm(torch.nn.ConvTranspose1d(inputs, outputs, 4, stride=2, bias=False))
    weight = folded(gpu, layer, kind, transposed=True)
    rows = torch.randn(6, inputs)
    want = layer(rows.T[None])[0].T.detach().numpy()
    before = torch.cat([torch.zeros(1, inputs), rows]).numpy()
    whole = applied(gpu, weight, before, inputs, 6).reshape(12, outputs)
    assert np.abs(whole - want[:12]).max() < 1e-5
    # One row at a time, each with the one before it.
    for t in range(6):
        pair = applied(gpu, weight, np.ascontiguousarray(before[t : t + 2]), inputs, 1).reshape(2, outputs)
        assert np.abs(pair - want[2 * t : 2 * t + 2]).max() < 1e-5
