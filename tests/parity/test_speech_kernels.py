"""Kernels of a speech frame against numpy: embeddings of every weight type, rounding, masking, attention of any width."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.parity.test_linear import SHAPES, uploaded
from voxtab.formats.gguf import GgmlType
from voxtab.gpu.base import Buffer
from voxtab.gpu.native import NativeGpu
from voxtab.nn.recorder import Workspace
from voxtab.nn.speech_recorder import SpeechRecorder
from voxtab.nn.weights import Tensor

Array = npt.NDArray[Any]


class Bench:
    """A recorder, and buffers filled from arrays."""

    def __init__(self, gpu: NativeGpu, position: int = 0, frame: int = 0) -> None:
        self.gpu = gpu
        control = self.filled(np.array([position, frame, 0, 0], np.uint32))
        self.record = SpeechRecorder(gpu, control, Workspace(gpu, 1))

    def filled(self, values: Array) -> Buffer:
        buffer = self.gpu.buffer(values.nbytes, "bench")
        self.gpu.write(buffer, 0, values.tobytes() + bytes(-values.nbytes % 4))
        return buffer

    def rows(self, values: Array) -> Tensor:
        return Tensor(self.filled(values), values.shape[-1])

    def run(self, out: Tensor, kind: Any = np.float32) -> Array:
        """All rows of `out` after the program."""
        self.gpu.run(self.record.finish())
        back = asyncio.run(self.gpu.read(out.buffer, 0, out.buffer.size).bytes())
        return np.frombuffer(back, kind).reshape(-1, out.width)


@pytest.fixture(scope="module")
def gpu(native_adapter: Any) -> NativeGpu:
    return NativeGpu(native_adapter)


@pytest.mark.parametrize("kind", SHAPES, ids=lambda kind: kind.name)
@pytest.mark.parametrize("bindings", ["default", "tiny"])
def test_prompts_and_codes_are_embedded_from_every_weight_type(
    gpu: NativeGpu, monkeypatch: pytest.MonkeyPatch, kind: GgmlType, bindings: str
) -> None:
    if bindings == "tiny":
        monkeypatch.setattr("voxtab.nn.upload.MOST_SEGMENT_BYTES", 1024)
    rng = np.random.default_rng(int(kind))
    for cols in {shape[1] for shape in SHAPES[kind]}:
        weight, meant = uploaded(gpu, kind, rng.standard_normal((150, cols)).astype(np.float32))
        assert bindings == "default" or len(weight.segments) > 1

        bench = Bench(gpu, position=3)
        tokens = rng.integers(0, 150, 20).astype(np.uint32)
        voice = rng.standard_normal((4, cols)).astype(np.float32)
        out = bench.rows(np.full((9, cols), np.nan, np.float32))
        bench.record.embed_prompt(weight, Tensor(bench.filled(tokens), 1), bench.rows(voice), (5, 4), out, 9)
        want = meant[tokens[3:12]]
        want[2:6] = voice
        assert np.array_equal(bench.run(out), want)

        # 3 codebooks: 40 rows, then twice 30; frame 6 lies in slot 2.
        bench = Bench(gpu, frame=6)
        codes = rng.integers(0, 30, (4, 3)).astype(np.uint32)
        out = bench.rows(np.full((1, cols), np.nan, np.float32))
        bench.record.embed_codes(weight, bench.rows(codes), 4, (40, 30), out)
        want = meant[codes[2] + np.array([0, 40, 70])].astype(np.float64).sum(axis=0)
        assert np.abs(bench.run(out)[0] - want).max() < 1e-5


def test_levels_are_rounded_to_even_and_clamped(gpu: NativeGpu) -> None:
    # With 5 levels these are 0.5, 1.5, 2.5 and 3.5 exactly, then beyond both ends, then plain ones.
    x = np.array([-0.75, -0.25, 0.25, 0.75, -1.5, 3.0, -1.0, 1.0, 0.1], np.float32)
    logits = np.zeros((1, 300), np.float32)
    logits[0, 7] = 1.0
    bench = Bench(gpu, frame=5)
    codes = bench.rows(np.zeros((2, len(x) + 1), np.uint32))
    bench.record.choose_codes(bench.rows(logits), 300, bench.rows(x[None]), 5, codes, 2)
    got = bench.run(codes, np.uint32)
    assert got[1].tolist() == [7, *(np.array([0, 2, 2, 4, 0, 4, 0, 4, 2]) + 2)]
    assert got[0].tolist() == [0] * (len(x) + 1)


@pytest.mark.parametrize(
    ("peaks", "code"),
    [
        ({0: 9.0, 5: 1.0}, 5),
        ({130: 9.0, 299: 8.0, 5: 1.0}, 5),
        ({129: 3.0, 5: 1.0}, 129),
        ({7: 3.0, 70: 3.0, 71: 3.0}, 7),
        ({1: 3.0}, 1),
    ],
    ids=["empty is masked", "padding is masked", "the last code is not", "the first of equals", "END"],
)
def test_the_best_allowed_semantic_code_is_chosen(gpu: NativeGpu, peaks: dict[int, float], code: int) -> None:
    logits = np.zeros((1, 300), np.float32)
    logits[0, list(peaks)] = list(peaks.values())
    bench = Bench(gpu)
    codes = bench.rows(np.zeros((1, 3), np.uint32))
    x = bench.rows(np.array([[0.0, 1.0]], np.float32))
    bench.record.choose_codes(bench.rows(logits), 130, x, 21, codes, 1)
    assert bench.run(codes, np.uint32)[0].tolist() == [code, *((2, 2) if code == 1 else (12, 22))]


def test_logits_that_are_no_numbers_choose_a_code_inside_the_table(gpu: NativeGpu) -> None:
    bench = Bench(gpu)
    codes = bench.rows(np.zeros((1, 2), np.uint32))
    nothing = bench.rows(np.full((1, 300), np.nan, np.float32))
    bench.record.choose_codes(nothing, 130, bench.rows(np.zeros((1, 1), np.float32)), 21, codes, 1)
    assert bench.run(codes, np.uint32)[0, 0] < 130


@pytest.mark.parametrize(("heads", "kv_heads", "head_dim"), [(1, 1, 2), (6, 2, 16), (3, 3, 128), (4, 1, 256)])
@pytest.mark.parametrize("branches", [1, 2])
def test_three_tokens_see_each_other_in_their_branch(
    gpu: NativeGpu, heads: int, kv_heads: int, head_dim: int, branches: int
) -> None:
    rng = np.random.default_rng(heads)
    q, k, v = (
        rng.standard_normal((9, count * head_dim)).astype(np.float32) for count in (heads, kv_heads, kv_heads)
    )
    places = [0, 0, 7, 7, 1, 2] if branches == 2 else [0, 7, 1]
    for asking in (1, 3):
        bench = Bench(gpu)
        out = bench.rows(np.zeros((3 * branches, heads * head_dim), np.float32))
        rows = bench.rows(np.concatenate([q, k, v], axis=1))
        bench.record.attend_tokens(rows, places, branches, asking, head_dim, out)
        got = bench.run(out).reshape(3, branches, heads, head_dim)
        for branch in range(branches):
            own = [places[token * branches + branch] for token in range(3)]
            queries = q[own].reshape(3, heads, head_dim).astype(np.float64)
            keys, values = (
                np.repeat(rows[own].reshape(3, kv_heads, head_dim), heads // kv_heads, axis=1)
                for rows in (k, v)
            )
            scores = np.einsum("thd,uhd->htu", queries, keys) / np.sqrt(head_dim)
            weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
            weights /= weights.sum(axis=-1, keepdims=True)
            want = np.einsum("htu,uhd->thd", weights, values)
            assert np.abs(got[:asking, branch] - want[:asking]).max() < 1e-5
        assert not got[asking:].any()
