"""The native speech backbone against the golden checkpoint: prompt, every layer, hidden states, code embeddings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parity.comparison import difference
from tests.parity.speech import Floats, Speaker, speech_model
from tests.parity.tts_gguf import write_tts_gguf
from voxtab.errors import VoxtabError
from voxtab.formats.gguf_split import MergedGguf
from voxtab.gpu.native import NativeGpu
from voxtab.models.tts import TtsModel
from voxtab.models.tts_state import TtsOptions

# Largest absolute difference allowed, and the one with keys and values stored in float16.
BAR, F16_BAR = 1e-4, 4e-3
VOICE, OTHER_VOICE = "neutral_female", "casual_male"
EXACT = TtsOptions(euler_steps=3, cache="f32")


@pytest.fixture(scope="module")
def expected(data: Path) -> dict[str, Any]:
    return dict(np.load(data / "tts-tiny" / "expected.npz"))


@pytest.fixture(scope="module")
def prompt(expected: dict[str, Any]) -> list[int]:
    return [int(token) for token in expected["prompt_ids"]]


@pytest.fixture(scope="module")
def files(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("speech")
    return {
        weights: write_tts_gguf(data / "tts-tiny", folder / f"{weights}.gguf", weights)
        for weights in ("f32", "q4_0")
    }


@pytest.fixture(scope="module")
def models(native_adapter: Any, files: dict[str, Path]) -> dict[str, TtsModel]:
    gpu = NativeGpu(native_adapter)
    return {weights: speech_model(gpu, path) for weights, path in files.items()}


@pytest.fixture(params=["f32", "q4_0"])
def weights(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def whole_prompt(model: TtsModel, options: TtsOptions, prompt: list[int]) -> dict[str, Floats]:
    """The prompt as one chunk, its last row too."""
    speaker = Speaker(model, VOICE, options, np.zeros((1, model.config.n_codebooks), np.float32), trace=True)
    speaker.state.begin(prompt, 0)
    speaker.state.reserve(len(prompt))
    program = model.record_prefill(speaker.state, len(prompt))
    model.gpu.run(program)
    model.gpu.free_program(program)
    got = {name: speaker.kept(name) for name in speaker.state.kept}
    speaker.free()
    return got


def test_the_prompt_is_made_of_the_tokens_and_the_voice(
    models: dict[str, TtsModel], expected: dict[str, Any]
) -> None:
    config = models["f32"].config
    begin, rows = (int(value) for value in expected["voice_span"])
    ids = expected["prompt_ids"].tolist()
    assert begin == 2
    assert config.prompt(rows, ids[begin + rows + 1 : -2]) == ids
    assert {name: voice.rows for name, voice in models["f32"].voices.items()}[VOICE] == rows


def test_every_layer_of_the_prompt_is_within_the_bar(
    models: dict[str, TtsModel], expected: dict[str, Any], prompt: list[int], weights: str
) -> None:
    got = whole_prompt(models[weights], EXACT, prompt)
    wants = {
        "prompt": expected[f"{weights}/prompt_embeds"],
        "prompt hidden": expected[f"{weights}/prompt_hidden"],
    }
    for number, want in enumerate(expected[f"{weights}/prompt_layer_out"]):
        wants[f"prompt layer {number}"] = want
    found = {name: difference(got[name], want) for name, want in wants.items()}
    assert max(found.values()) <= BAR, found


def test_keys_and_values_in_float16_stay_within_their_bar(
    models: dict[str, TtsModel], expected: dict[str, Any], prompt: list[int], weights: str
) -> None:
    got = whole_prompt(models[weights], TtsOptions(euler_steps=3), prompt)
    assert difference(got["prompt hidden"], expected[f"{weights}/prompt_hidden"]) <= F16_BAR


def test_frame_0_is_decoded_from_the_last_row_of_the_prompt(
    models: dict[str, TtsModel], expected: dict[str, Any], prompt: list[int]
) -> None:
    speaker = Speaker(models["f32"], VOICE, EXACT, expected["x0"])
    speaker.say(prompt)
    codes, got = speaker.generated(1)
    speaker.free()
    assert difference(got["hidden"][0], expected["f32/prompt_hidden"][-1]) <= BAR
    assert difference(got["hidden"][0], expected["diag/hidden0_extra_audio_token"]) > 0.1
    assert np.array_equal(codes, expected["f32/steps3/codes"][:1])


def test_hidden_states_and_embeddings_of_frames_are_within_the_bar(
    models: dict[str, TtsModel], expected: dict[str, Any], prompt: list[int], weights: str
) -> None:
    speaker = Speaker(models[weights], VOICE, EXACT, expected["x0"])
    speaker.say(prompt)
    codes, got = speaker.generated(6)
    speaker.free()
    assert np.array_equal(codes, expected[f"{weights}/steps3/codes"][:6])
    assert difference(got["hidden"], expected[f"{weights}/steps3/hidden"][:6]) <= BAR
    assert difference(got["next_embeds"], expected[f"{weights}/steps3/next_embeds"][:6]) <= BAR


def test_a_kept_voice_gives_the_same_bits_as_a_new_one(
    models: dict[str, TtsModel], expected: dict[str, Any], prompt: list[int]
) -> None:
    model = models["q4_0"]
    options = TtsOptions(euler_steps=2)
    fresh = Speaker(model, OTHER_VOICE, options, expected["x0"])
    text = prompt[22:-2]
    other_prompt = model.config.prompt(model.voices[OTHER_VOICE].rows, text)
    prefix = 2 + model.voices[OTHER_VOICE].rows
    rest = len(other_prompt) - 1 - prefix
    assert fresh.say(other_prompt) == [prefix, rest]
    codes, first = fresh.generated(3)
    # The same state again, then another one: both find the voice's part kept.
    for speaker in (fresh, Speaker(model, OTHER_VOICE, options, expected["x0"])):
        assert speaker.say(other_prompt) == [rest]
        again, second = speaker.generated(3)
        assert np.array_equal(codes, again)
        assert np.array_equal(first["hidden"], second["hidden"])
        speaker.free()


def test_caches_that_grow_while_frames_are_made_change_nothing(
    models: dict[str, TtsModel], expected: dict[str, Any], prompt: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxtab.nn.ring_cache._FIRST_SLOTS", 16)
    speaker = Speaker(models["f32"], VOICE, TtsOptions(euler_steps=3), expected["x0"])
    before = speaker.state.caches[0].slots
    assert len(prompt) < before < len(prompt) + 20
    speaker.say(prompt)
    speaker.frames(10)
    speaker.frames(10)
    assert speaker.state.caches[0].slots > before
    got = speaker.codes(20)
    speaker.free()
    assert np.array_equal(got, expected["f32/steps3/codes"][:20])


def test_matrices_split_over_small_bindings_change_nothing(
    models: dict[str, TtsModel],
    files: dict[str, Path],
    expected: dict[str, Any],
    prompt: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voxtab.nn.upload.MOST_SEGMENT_BYTES", 64 * 128 * 4)
    model = speech_model(models["q4_0"].gpu, files["q4_0"])
    assert len(model.backbone.token_embedding.segments) > 1
    assert len(model.backbone.code_embedding.segments) > 1
    speaker = Speaker(model, VOICE, TtsOptions(euler_steps=3), expected["x0"])
    speaker.say(prompt)
    speaker.frames(3)
    got = speaker.codes(3)
    speaker.free()
    model.free()
    assert np.array_equal(got, expected["q4_0/steps3/codes"][:3])


def test_a_freed_model_leaves_the_gpu_as_it_was(
    models: dict[str, TtsModel], files: dict[str, Path], expected: dict[str, Any], prompt: list[int]
) -> None:
    gpu = models["q4_0"].gpu
    left = []
    for _ in range(2):
        model = speech_model(gpu, files["q4_0"])
        speaker = Speaker(model, VOICE, TtsOptions(euler_steps=1), expected["x0"])
        speaker.say(prompt)
        speaker.frames(1)
        speaker.free()
        model.free()
        left.append(gpu.gpu_bytes)
    # The first time made the constants, which stay with the device.
    assert left[0] == left[1]


CHANGES: dict[str, Callable[[MergedGguf], Any]] = {
    "a voice is gone": lambda directory: directory.tensors.pop("voice.casual_male"),
    "a voice has other rows": lambda directory: directory.metadata.update(
        {"voxtral_tts.voice.rows": [13, 18]}
    ),
    "a norm is gone": lambda directory: directory.tensors.pop("norm.weight"),
    "a layer is missing": lambda directory: directory.metadata.update({"voxtral_tts.acoustic.n_layers": 3}),
    "fewer codes": lambda directory: directory.metadata.update({"voxtral_tts.semantic.codebook_size": 100}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_file_that_is_not_what_it_says_is_refused(
    models: dict[str, TtsModel], files: dict[str, Path], change: Callable[[MergedGguf], Any]
) -> None:
    gpu = models["f32"].gpu
    before = gpu.gpu_bytes
    with pytest.raises(VoxtabError) as caught:
        speech_model(gpu, files["q4_0"], change)
    assert caught.value.code == "not-voxtral"
    assert gpu.gpu_bytes == before
