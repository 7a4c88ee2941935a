"""The native codec against the golden speech checkpoint: every block, the samples, and any way to cut a sound."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parity.codec import LONGEST, Decoder
from tests.parity.comparison import difference
from tests.parity.random_tts import write_checkpoint
from tests.parity.random_tts_sizes import random_sizes
from tests.parity.speech_comparison import BAR, assert_near, codec_blocks
from tests.parity.tts_reference import TtsReference
from voxtab.gpu.native import NativeGpu


@pytest.fixture(scope="module")
def expected(data: Path) -> dict[str, Any]:
    return dict(np.load(data / "tts-tiny" / "expected.npz"))


@pytest.fixture(scope="module")
def gpu(native_adapter: Any) -> NativeGpu:
    """One device for the file: pipelines take longer to compile than to run."""
    return NativeGpu(native_adapter)


@pytest.fixture(scope="module")
def f32(gpu: NativeGpu, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Decoder:
    return Decoder(gpu, data / "tts-tiny", tmp_path_factory.mktemp("f32"), "f32")


@pytest.fixture(scope="module")
def q4_0(gpu: NativeGpu, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Decoder:
    return Decoder(gpu, data / "tts-tiny", tmp_path_factory.mktemp("q4_0"), "q4_0")


def test_every_block_is_within_the_bar(f32: Decoder, expected: dict[str, Any]) -> None:
    codes = expected["f32/steps7/codes"]
    state = f32.state(trace=True)
    wave = f32.decode(state, codes, LONGEST)
    blocks = codec_blocks(expected)
    got = {name: f32.kept(state, name, len(want)) for name, want in blocks.items()}
    state.free()
    assert_near(got, blocks)
    assert difference(wave, expected["f32/codec/wave"]) <= BAR


def test_quantized_layers_give_their_own_samples(q4_0: Decoder, expected: dict[str, Any]) -> None:
    state = q4_0.state()
    wave = q4_0.decode(state, expected["q4_0/steps7/codes"], LONGEST)
    state.free()
    assert difference(wave, expected["q4_0/codec/wave"]) <= BAR


def test_the_quantized_runs_codes_through_exact_layers(f32: Decoder, expected: dict[str, Any]) -> None:
    state = f32.state()
    wave = f32.decode(state, expected["q4_0/steps7/codes"], LONGEST)
    state.free()
    assert difference(wave, expected["q4_0/codec_f32w/wave"]) <= BAR


@pytest.mark.parametrize("chunks", [(1,), (1, 2, 5, 3), (7, 1), (4,)], ids=str)
def test_chunks_of_any_sizes_give_what_one_gives(
    f32: Decoder, expected: dict[str, Any], chunks: tuple[int, ...]
) -> None:
    state = f32.state()
    wave = f32.decode(state, expected["f32/steps7/codes"], chunks)
    state.free()
    assert difference(wave, expected["f32/codec/wave"]) <= BAR


def test_chunks_as_servers_cut_them_give_what_one_gives(q4_0: Decoder, expected: dict[str, Any]) -> None:
    state = q4_0.state()
    chunks = [int(new) for _, _, new in expected["q4_0/codec/chunk_plan"]]
    wave = q4_0.decode(state, expected["q4_0/steps7/codes"], chunks)
    state.free()
    assert difference(wave, expected["q4_0/codec/wave"]) <= BAR


@pytest.mark.parametrize("cut", ["as servers do", "longest"])
def test_a_long_sound_with_clusters_hardly_used(f32: Decoder, expected: dict[str, Any], cut: str) -> None:
    state = f32.state()
    plan = [int(new) for _, _, new in expected["codec_long/chunk_plan"]]
    wave = f32.decode(state, expected["codec_long/codes"], plan if cut == "as servers do" else LONGEST)
    state.free()
    assert difference(wave, expected["f32/codec_long/wave"]) <= BAR


def test_one_state_serves_one_sound_after_the_other(f32: Decoder, expected: dict[str, Any]) -> None:
    state = f32.state()
    f32.decode(state, expected["codec_long/codes"][:9], (4,))
    state.restart()
    wave = f32.decode(state, expected["f32/steps7/codes"], (5,))
    state.restart()
    first = f32.decode(state, expected["codec_long/codes"][:1], (1,))
    state.free()
    assert difference(wave, expected["f32/codec/wave"]) <= BAR
    assert difference(first, expected["f32/codec_long/wave_first_frame_alone"]) <= BAR


def test_the_bar_tells_every_known_mistake(f32: Decoder, expected: dict[str, Any]) -> None:
    """The golden file says what each would give: a bar they could pass would prove nothing."""
    state = f32.state()
    wave = f32.decode(state, expected["f32/steps7/codes"][:8], LONGEST)
    state.free()
    mistakes = [name for name in expected if name.startswith("diag/codec/")]
    assert len(mistakes) == 5
    for name in mistakes:
        assert difference(wave, expected[name]) > 100 * BAR, name


def test_codes_after_the_end_are_harmless(f32: Decoder, expected: dict[str, Any]) -> None:
    """Frames are queued before the end is known; what they give is dropped, what came before stays as it is."""
    codes = expected["f32/steps7/codes"][:3]
    end = np.tile(expected["f32/steps7/end_codes"], (2, 1))
    wild = np.full((1, codes.shape[1]), 0x7FFFFFFF, np.int32)
    state = f32.state()
    wave = f32.decode(state, np.concatenate([codes, end, wild]), LONGEST)
    state.free()
    samples = 3 * f32.codec.config.samples_per_frame
    assert difference(wave[:samples], expected["f32/codec/wave"][:samples]) <= BAR
    assert np.isfinite(wave).all()


def test_several_chunks_queue_without_the_host(f32: Decoder, expected: dict[str, Any]) -> None:
    """One program, run again and again: the position is the GPU's."""
    codes = expected["f32/steps7/codes"][:6]
    state = f32.state()
    f32.gpu.write(state.codes.buffer, 0, np.ascontiguousarray(codes, np.uint32).data)
    program = f32.codec.record_decode(state, 2)
    reads = []
    size = 2 * f32.codec.config.samples_per_frame * 4
    for _ in range(3):
        f32.gpu.run(program)
        reads.append(f32.gpu.read(state.samples.buffer, 0, size))
    parts = [np.frombuffer(asyncio.run(read.bytes()), np.float32) for read in reads]
    state.free()
    assert program.dispatches <= 120
    assert difference(np.concatenate(parts), expected["f32/codec/wave"][: 3 * size // 4]) <= BAR


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("weights", ["f32", "q4_0"])
def test_codecs_of_other_sizes_equal_the_float64_reference(
    gpu: NativeGpu, tmp_path: Path, weights: str, seed: int
) -> None:
    sizes = random_sizes(random.Random(seed))
    checkpoint = write_checkpoint(tmp_path / "checkpoint", sizes, seed)
    rng = np.random.default_rng(seed)
    codes = np.empty((7, 1 + sizes.codebooks), np.int32)
    codes[:, 0] = rng.integers(2, 2 + sizes.semantic_size, len(codes))
    codes[:, 1:] = rng.integers(2, 2 + sizes.levels, (len(codes), sizes.codebooks))
    want = TtsReference(checkpoint, q4_0=weights == "q4_0").decode(codes)
    decoder = Decoder(gpu, checkpoint, tmp_path, weights)
    for chunks in (LONGEST, (1, 3)):
        state = decoder.state()
        wave = decoder.decode(state, codes, chunks)
        state.free()
        assert difference(wave, want) <= BAR, sizes
