"""The native speech engine on random checkpoints of odd sizes, against the float64 reference."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parity.comparison import difference
from tests.parity.random_tts import random_case, write_checkpoint
from tests.parity.random_tts_sizes import random_sizes
from tests.parity.speech import Speaker, speech_model
from tests.parity.tts_gguf import write_tts_gguf
from tests.parity.tts_reference import TtsReference
from voxtab.gpu.native import NativeGpu
from voxtab.models.tts_state import TtsOptions

BAR = 1e-4
FRAMES, STEPS = 3, 3


@pytest.fixture(scope="module")
def gpu(native_adapter: Any) -> NativeGpu:
    return NativeGpu(native_adapter)


@pytest.mark.parametrize("seed", range(8))
def test_random_models_speak_as_the_reference_does(gpu: NativeGpu, tmp_path: Path, seed: int) -> None:
    weights = ("f32", "q4_0")[seed % 2]
    draw = random.Random(100 + seed)
    sizes = random_sizes(draw)
    checkpoint = write_checkpoint(tmp_path / "model", sizes, seed)
    reference = TtsReference(checkpoint, q4_0=weights == "q4_0")
    alpha = draw.choice([1.0, 1.2, 2.0])
    prompt, voice, noise = random_case(reference, sizes, draw, FRAMES, STEPS, alpha)
    want = reference.speak(prompt, voice, noise, STEPS, alpha)

    model = speech_model(gpu, write_tts_gguf(checkpoint, tmp_path / "model.gguf", weights))
    speaker = Speaker(model, voice, TtsOptions(STEPS, alpha, "f32"), noise)
    speaker.say([int(token) for token in prompt])
    codes, got = speaker.generated(len(noise))
    speaker.free()
    model.free()
    assert np.array_equal(codes, want.codes), sizes
    found = {name: difference(got[name], getattr(want, name)) for name in ("hidden", "semantic_logits")}
    for name in ("x", "v_cond"):
        found[name] = difference(got[name][: len(codes)], getattr(want, name))
    assert max(found.values()) <= BAR, (sizes, found)
