"""Random speech checkpoints are what they claim: others read them, the reference speaks them, every code is clear."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.checkpoints import read_weights
from tests.parity.random_tts import ROUND_MARGIN, SEMANTIC_MARGIN, random_case, write_checkpoint
from tests.parity.random_tts_sizes import Stack, TtsSizes, params, random_sizes, tensor_shapes
from tests.parity.tts_reference import TtsReference

GOLDEN = Path(__file__).parents[1] / "data" / "tts-tiny"


def test_the_golden_sizes_give_the_golden_params_and_tensors() -> None:
    meta = json.loads((GOLDEN / "meta.json").read_text())["args"]
    stack = Stack(meta["layers"], meta["heads"], meta["kv_heads"], meta["head_dim"], meta["ffn"])
    sizes = TtsSizes(
        dim=meta["dim"],
        backbone=stack,
        acoustic=Stack(
            meta["at_layers"], meta["at_heads"], meta["at_kv_heads"], meta["at_head_dim"], meta["at_ffn"]
        ),
        codec=Stack(2, meta["codec_heads"], meta["codec_heads"], meta["codec_head_dim"], meta["codec_ffn"]),
        vocab_size=meta["vocab"],
        semantic_size=meta["semantic_size"],
        codebooks=meta["acoustic_codebooks"],
        levels=meta["levels"],
        codec_dim=meta["codec_dim"],
        semantic_dim=meta["semantic_dim"],
        stages=(2, 2, 2, 2),
        patch=meta["patch"],
        voices=tuple((name, rows) for name, rows in meta["voices"]),
    )
    assert params(sizes) == json.loads((GOLDEN / "params.json").read_text())
    assert dict(tensor_shapes(sizes)) == {name: values.shape for name, values in read_weights(GOLDEN).items()}


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    sizes = random_sizes(random.Random(0))
    first, again, other = (
        write_checkpoint(tmp_path / name, sizes, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    names = sorted(str(path.relative_to(first)) for path in first.rglob("*") if path.is_file())
    assert names[:2] == ["consolidated.safetensors", "params.json"]
    weights = [(folder / names[0]).read_bytes() for folder in (first, again, other)]
    assert weights[0] == weights[1] != weights[2]
    voices = [torch.load(folder / names[-1], weights_only=True) for folder in (first, again, other)]
    assert torch.equal(voices[0], voices[1])
    assert not torch.equal(voices[0], voices[2])


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["f32", "q4_0"])
def test_random_checkpoints_speak_and_every_choice_is_clear(tmp_path: Path, seed: int, kind: str) -> None:
    draw = random.Random(seed)
    sizes = random_sizes(draw)
    reference = TtsReference(write_checkpoint(tmp_path / "model", sizes, seed), q4_0=kind == "q4_0")
    prompt, voice, noise = random_case(reference, sizes, draw, frames=3, steps=3)
    assert prompt.max() == sizes.vocab_size - 1

    got = reference.speak(prompt, voice, noise, steps=3)
    assert len(got.codes) + got.stopped == len(noise)
    assert got.semantic_margin.min() >= SEMANTIC_MARGIN
    assert got.round_margin.min(initial=1.0) >= ROUND_MARGIN
    if len(got.codes):
        wave = reference.decode(got.codes)
        assert wave.shape == (len(got.codes) * sizes.samples_per_frame,)
        assert 0.01 < np.sqrt(np.mean(wave**2)) < 1


def test_random_sizes_cover_what_the_released_model_does_not() -> None:
    drawn = [random_sizes(random.Random(seed)) for seed in range(60)]
    assert {sizes.dim % 32 == 0 for sizes in drawn} == {True, False}
    assert {sizes.codec.heads for sizes in drawn} >= {1, 3, 5, 6}
    assert {sizes.backbone.heads // sizes.backbone.kv_heads for sizes in drawn} >= {1, 2, 3, 5}
    assert {len(sizes.stages) for sizes in drawn} == {4, 5}
    assert {sizes.codebooks for sizes in drawn} >= {1, 40}
