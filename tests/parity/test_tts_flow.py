"""The native acoustic head against the golden checkpoint: velocities, paths, all codes, and what a frame costs."""

from __future__ import annotations

import asyncio
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parity.comparison import difference
from tests.parity.speech import Floats, Speaker, floats, speech_model
from tests.parity.speech_comparison import BAR, assert_frames_agree, golden_run
from tests.parity.speech_stages import first_frame
from tests.parity.tts_gguf import write_tts_gguf
from tests.parity.tts_reference import TtsReference
from voxtab.gpu.native import NativeGpu
from voxtab.models.tts import TtsModel
from voxtab.models.tts_state import FLOW_TIMES, FRAME_SLOTS, TtsOptions

# Largest absolute difference allowed with keys and values stored in float16.
F16_BAR = 5e-3
VOICE = "neutral_female"
EXACT = TtsOptions(cache="f32")
END = 1


@pytest.fixture(scope="module")
def expected(data: Path) -> dict[str, Any]:
    return dict(np.load(data / "tts-tiny" / "expected.npz"))


@pytest.fixture(scope="module")
def prompt(expected: dict[str, Any]) -> list[int]:
    return [int(token) for token in expected["prompt_ids"]]


@pytest.fixture(scope="module")
def models(native_adapter: Any, data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, TtsModel]:
    gpu, folder = NativeGpu(native_adapter), tmp_path_factory.mktemp("speech")
    return {
        weights: speech_model(gpu, write_tts_gguf(data / "tts-tiny", folder / f"{weights}.gguf", weights))
        for weights in ("f32", "q4_0")
    }


@pytest.fixture(params=["f32", "q4_0"])
def weights(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def frame_of(speaker: Speaker, hidden: Floats) -> list[int]:
    """The codes of a first frame decoded from this hidden state."""
    return asyncio.run(first_frame(speaker.model, speaker.state, array("f", hidden.tobytes())))


def test_velocities_paths_and_logits_are_within_the_bar(
    models: dict[str, TtsModel], expected: dict[str, Any], prompt: list[int], weights: str
) -> None:
    want = golden_run(expected, f"{weights}/steps7/")
    speaker = Speaker(models[weights], VOICE, EXACT, expected["x0"])
    speaker.say(prompt)
    codes, got = speaker.generated(24)
    end = speaker.codes(len(got["hidden"]))[-1]
    speaker.free()
    assert np.array_equal(codes, want["codes"])
    assert (end[0] == END) == bool(want["stopped"])
    assert not want["stopped"] or np.array_equal(end, want["end_codes"])
    assert_frames_agree(got, want)


@pytest.mark.parametrize("steps", [3, 7, 8])
def test_frames_queued_in_one_submit_have_the_codes_of_the_reference(
    models: dict[str, TtsModel], expected: dict[str, Any], prompt: list[int], weights: str, steps: int
) -> None:
    """With keys and values in float16, as a session has them."""
    want = expected[f"{weights}/steps{steps}/codes"]
    stopped = bool(expected[f"{weights}/steps{steps}/stopped"])
    speaker = Speaker(models[weights], VOICE, TtsOptions(euler_steps=steps), expected["x0"])
    speaker.say(prompt)
    for count in (1, 5, 18):
        speaker.frames(count)
    codes = speaker.codes(24)
    speaker.free()
    assert np.array_equal(codes[: len(want)], want)
    if stopped:
        assert codes[len(want)].tolist() == [END, *[2] * (codes.shape[1] - 1)]


def test_float16_caches_move_the_path_within_their_bar(
    models: dict[str, TtsModel], expected: dict[str, Any], prompt: list[int], weights: str
) -> None:
    speaker = Speaker(models[weights], VOICE, TtsOptions(euler_steps=3), expected["x0"])
    speaker.say(prompt)
    _, got = speaker.generated(4)
    speaker.free()
    assert difference(got["hidden"], expected[f"{weights}/steps3/hidden"][:4]) <= F16_BAR
    assert difference(got["x"], expected[f"{weights}/steps3/x"][:4]) <= F16_BAR


def test_tokens_and_layers_of_the_first_evaluation_are_within_the_bar(
    models: dict[str, TtsModel], expected: dict[str, Any]
) -> None:
    speaker = Speaker(models["f32"], VOICE, EXACT, expected["x0"], trace=True)
    speaker.state.reserve(1)
    speaker.state.write_noise(0, speaker.noise(1))
    frame_of(speaker, expected["f32/prompt_hidden"][-1])
    # Rows are token by token here, branch by branch there.
    by_token = {
        "flow tokens": expected["f32/flow/tokens_in"].swapaxes(0, 1).reshape(6, -1),
        **{
            f"flow layer {number}": layer.swapaxes(0, 1).reshape(6, -1)
            for number, layer in enumerate(expected["f32/flow/layer_out"])
        },
    }
    found = {}
    for name, want in by_token.items():
        # The last layer is computed for the first token only.
        rows = 2 if name == "flow layer 1" else 6
        found[name] = difference(speaker.kept(name)[:rows], want[:rows])
    times = floats(speaker.gpu, speaker.state.flow_tokens, FLOW_TIMES + 7)[FLOW_TIMES:]
    found["time tokens"] = difference(times, expected["f32/flow/time_tokens7"])
    speaker.free()
    assert max(found.values()) <= BAR, found


def test_padding_rows_and_the_empty_code_never_win(
    models: dict[str, TtsModel], expected: dict[str, Any]
) -> None:
    speaker = Speaker(models["f32"], VOICE, EXACT, expected["x0"])
    speaker.state.write_noise(0, speaker.noise(1))
    cases = zip(
        *(expected[f"f32/head_cases/{name}"] for name in ("row_favoured", "hidden", "logits", "codes")),
        strict=True,
    )
    for favoured, hidden, logits, codes in cases:
        assert int(np.argmax(logits)) == favoured
        assert frame_of(speaker, hidden) == codes.tolist(), favoured
        got = floats(speaker.gpu, speaker.state.logits, 1)[0]
        assert difference(got, logits) <= BAR, favoured
    speaker.free()


@pytest.mark.parametrize("alpha", [1.0, 0.0, 3.0])
def test_other_strengths_of_guidance_equal_the_reference(
    models: dict[str, TtsModel], expected: dict[str, Any], data: Path, alpha: float
) -> None:
    """1 leaves the unconditional branch out altogether."""
    hidden, noise = expected["f32/prompt_hidden"][-1], expected["x0"][0]
    head = TtsReference(data / "tts-tiny").head
    want = head.frame(hidden.astype(np.float64), noise.astype(np.float64), 4, alpha)
    speaker = Speaker(models["f32"], VOICE, TtsOptions(4, alpha), expected["x0"])
    speaker.state.write_noise(0, speaker.noise(1))
    frame_of(speaker, hidden)
    x = floats(speaker.gpu, speaker.state.path, 5)
    branches = speaker.state.branches
    speaker.free()
    assert branches == (1 if alpha == 1.0 else 2)
    assert difference(x, want.x) <= BAR


def test_rings_wrap_around(models: dict[str, TtsModel], expected: dict[str, Any]) -> None:
    """A frame far on reads its own noise and leaves its codes where they belong."""
    speaker = Speaker(models["f32"], VOICE, TtsOptions(2, 1.2), expected["x0"])
    hidden = expected["f32/prompt_hidden"][-1]
    speaker.state.write_noise(0, speaker.noise(1))
    want = frame_of(speaker, hidden)
    # The last slot and, around the corner, the first: only the second has frame 0's noise.
    first = 3 * FRAME_SLOTS - 1
    speaker.state.write_noise(first, speaker.noise(2)[36:] + speaker.noise(1))
    speaker.write_control(0, first)
    program = speaker.model.record_codes(speaker.state)
    for _ in range(2):
        speaker.write(speaker.model.hidden().buffer, hidden)
        speaker.gpu.run(program)
    codes = speaker.codes(FRAME_SLOTS)
    speaker.gpu.free_program(program)
    speaker.free()
    assert codes[0].tolist() == want
    assert codes[-1, 0] == want[0]
    assert codes[-1].tolist() != want


def test_queued_frames_take_one_submit_and_nothing_back(
    models: dict[str, TtsModel], expected: dict[str, Any], prompt: list[int]
) -> None:
    speaker = Speaker(models["q4_0"], VOICE, TtsOptions(euler_steps=3), expected["x0"])
    speaker.say(prompt)
    speaker.frames(1)
    before = speaker.gpu.counters.copy()
    speaker.frames(8)
    assert speaker.gpu.counters.since(before) == {"submits": 1, "readbacks": 0, "calls": 1}
    speaker.free()


@pytest.mark.parametrize("software", [True, False], ids=["CPU", "GPU"])
@pytest.mark.parametrize("steps", [3, 7])
def test_a_frame_is_one_program_of_no_more_dispatches_than_it_needs(
    models: dict[str, TtsModel],
    expected: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
    software: bool,
) -> None:
    model = models["q4_0"]
    monkeypatch.setattr(model.gpu, "info", replace(model.gpu.info, software=software))
    speaker = Speaker(model, VOICE, TtsOptions(euler_steps=steps), expected["x0"])
    program = model.record_frame(speaker.state)
    model.gpu.free_program(program)
    speaker.free()
    layers, flow_layers = model.config.backbone.n_layers, model.config.acoustic.n_layers
    # On a GPU a row alone is normed on its way in.
    norm = int(software)
    # A layer: projections, attention, output, gate and up, the way down. A row alone is rotated where it attends.
    backbone = (5 + 2 * norm) * layers + 1
    # The first flow layer shares its projections between branches and gathers rows; the last asks for its queries apart.
    # None rotates, and the norms of several rows are passes of their own.
    evaluation = 2 + norm + 1 + 5 * flow_layers + 2 * (flow_layers - 1) + 1 + 2 + 1
    around = 1 + 2 + norm + 1 + 2 + 1 + 1  # semantic head, hidden token, noise, choice, embedding, advance
    assert program.dispatches == backbone + steps * evaluation + around
