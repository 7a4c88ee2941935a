"""The native engine against transformers on random checkpoints of random sizes: no golden file involved."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from shard_tools.quantize import quantize_checkpoint
from shard_tools.sizes import StackSizes
from shard_tools.synth import SynthSizes, synth_checkpoint
from tests.parity import comparison
from tests.parity.engine import Floats, loaded, traced
from tests.parity.transformers_reference import Reference
from voxtab.gpu.native import NativeGpu
from voxtab.models.asr_state import AsrOptions

SEEDS = range(6)
DELAYS_MS = (80, 160, 240, 480, 720, 960, 1200, 2400)


def random_sizes(draw: random.Random) -> SynthSizes:
    """Widths with and without a whole number of Q4_0 blocks, odd head counts, windows that wrap and that don't."""
    heads = draw.choice([1, 2, 3, 5])
    kv_heads = draw.choice([1, 2, 3])
    return SynthSizes(
        encoder=StackSizes(
            dim=draw.choice([32, 48, 70, 96, 130]),
            layers=draw.randint(1, 3),
            heads=heads,
            kv_heads=heads,
            head_dim=draw.choice([32, 64]),
            ffn=draw.choice([64, 100, 161, 224]),
            window=draw.choice([5, 24, 101, 750]),
        ),
        decoder=StackSizes(
            dim=draw.choice([32, 64, 74, 100, 160]),
            layers=draw.randint(1, 3),
            heads=kv_heads * draw.choice([1, 2, 4]),
            kv_heads=kv_heads,
            head_dim=draw.choice([32, 64, 128]),
            ffn=draw.choice([64, 90, 129, 320]),
            window=draw.choice([7, 32, 8192]),
            rope_theta=draw.choice([1e4, 1e6]),
        ),
        vocab_size=draw.choice([1256, 1300, 1537]),
        ada_dim=32,  # transformers hard-codes it
    )


def random_sound(seed: int) -> Floats:
    """One to two seconds of gliding tones and noise, of a length that is no multiple of a token's."""
    rng = np.random.default_rng(seed)
    time = np.arange(rng.integers(16000, 32000) | 1) / 16000
    glide = np.sin(2 * np.pi * (200 + 300 * time * rng.random()) * time) * np.sin(7 * time) ** 2
    return np.asarray(0.3 * glide + 0.02 * rng.standard_normal(len(time)), np.float32)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weights", ["f32", "q4_0"])
def test_random_checkpoints_decode_as_in_transformers(
    native_gpu: NativeGpu, tmp_path: Path, seed: int, weights: str
) -> None:
    draw = random.Random(seed)
    sizes = random_sizes(draw)
    delay_ms = draw.choice(DELAYS_MS)
    checkpoint = tmp_path / "checkpoint"
    synth_checkpoint(checkpoint, sizes, seed)
    model = tmp_path / "model.gguf"
    quantize_checkpoint(
        checkpoint,
        model,
        "f32" if weights == "f32" else "q4_0",
        scales="absmax",
        names=draw.choice(["short", "mistral"]),
    )
    audio = random_sound(seed)
    options = AsrOptions(delay_ms=delay_ms, cache="f32")
    feeds = draw.choice([(), (1280,), (400, 5000)])
    got = traced(loaded(native_gpu, model), audio, options, feeds)
    want = vars(Reference(checkpoint, q4_0=weights == "q4_0").transcribe(audio, delay_ms=delay_ms))
    comparison.assert_stages_agree(got, want, comparison.F32_BARS)
    comparison.assert_decodes_agree(got, want, comparison.F32_BARS["logits"])


def test_a_long_recording_outgrows_the_first_caches_and_wraps_the_encoders(
    native_gpu: NativeGpu, data: Path, tmp_path: Path
) -> None:
    """24 s: 1200 encoder positions in a window of 750, more decoder positions than its first cache holds."""
    audio = np.concatenate([random_sound(seed) for seed in range(20)])[: 24 * 16000 + 5]
    assert len(audio) > 24 * 16000
    model = tmp_path / "model.gguf"
    quantize_checkpoint(data / "asr-tiny", model, "f32")
    got = traced(loaded(native_gpu, model), audio, AsrOptions(delay_ms=480, cache="f32"), (50_000,))
    want = vars(Reference(data / "asr-tiny").transcribe(audio))
    assert len(want["tokens_full"]) > 300
    comparison.assert_stages_agree(got, want, comparison.F32_BARS)
    comparison.assert_decodes_agree(got, want, comparison.F32_BARS["logits"])
