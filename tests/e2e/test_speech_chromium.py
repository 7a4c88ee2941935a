"""The speech model in Chromium against the golden checkpoint, with its noise injected: all stages, codes and samples."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.tab import Floats, Tab, floats, traced
from tests.e2e.worker_python import call_python
from tests.parity.comparison import difference
from tests.parity.speech_comparison import (
    BAR,
    PROMPT_STAGES,
    assert_frames_agree,
    assert_near,
    codec_blocks,
    golden_run,
)

TEXT, VOICE = "Hello there! It's 42 degrees — très bien.", "neutral_female"
STAGES = Path(__file__).with_name("stages_in_worker.py")
CODEBOOKS = 36


@dataclass(frozen=True)
class Golden:
    """The model in the tab, and what the reference made of it."""

    tab: Tab
    weights: str
    expected: dict[str, Any]
    first: dict[str, Any]
    """Seven steps, traced: the first speech, whose voice was not kept from an earlier one."""

    def spoken(self, steps: int) -> dict[str, Any]:
        if steps == 7:
            return self.first
        return traced_speech(self.tab, self.expected, steps)

    def codec(self, codes: Any, chunks: list[int], blocks: dict[str, int] | None = None) -> dict[str, Floats]:
        words = (codes.tolist(), chunks, blocks or {})
        found = call_python(self.tab.worker, STAGES, "codec_alone", *words)
        return {name: floats(text) for name, text in found.items()}


def traced_speech(tab: Tab, expected: dict[str, Any], steps: int) -> dict[str, Any]:
    return tab.speak(TEXT, expected["x0"], voice=VOICE, eulerSteps=steps, cache="f32", trace=True)


@pytest.fixture(scope="module", params=["f32", "q4_0"])
def golden(request: pytest.FixtureRequest, tab: Tab, data: Path) -> Golden:
    tab.load(f"tts-tiny-{request.param}")
    expected = dict(np.load(data / "tts-tiny" / "expected.npz"))
    return Golden(tab, request.param, expected, traced_speech(tab, expected, 7))


# Golden for exact weights alone.
exact = pytest.mark.parametrize("golden", ["f32"], indirect=True)


def test_the_prompt_and_every_layer_of_it_are_within_the_bar(golden: Golden) -> None:
    want = golden_run(golden.expected, f"{golden.weights}/")
    got = traced(golden.first)
    layers = [got[f"prompt_layer_out.{number}"] for number in range(len(want["prompt_layer_out"]))]
    rows = len(golden.expected["prompt_ids"]) - 1  # the last one makes frame 0
    assert_near(
        {**{name: got[name] for name in PROMPT_STAGES[:2]}, "prompt_layer_out": np.stack(layers)},
        {name: want[name][..., :rows, :] for name in PROMPT_STAGES},
    )


@pytest.mark.parametrize("steps", [3, 7, 8])
def test_every_stage_of_every_frame_is_within_the_bar_and_all_codes_are_equal(
    golden: Golden, steps: int
) -> None:
    want = golden_run(golden.expected, f"{golden.weights}/steps{steps}/")
    spoken = golden.spoken(steps)
    assert spoken["codes"] == want["codes"].tolist()
    assert spoken["cut_short"] == (0 if want["stopped"] else 1)
    got = traced(spoken)
    velocity = got["velocity"].reshape(-1, steps, 2, CODEBOOKS)
    got |= {"x": got["x"].reshape(-1, steps + 1, CODEBOOKS)}
    got |= {"v_cond": velocity[:, :, 0], "v_uncond": velocity[:, :, 1]}
    assert_frames_agree(got, want)


def test_frames_queued_together_speak_the_golden_codes_in_chunks_the_first_one_early(golden: Golden) -> None:
    """As a page asks for it: keys and values in float16."""
    spoken = golden.tab.speak(TEXT, golden.expected["x0"], voice=VOICE)
    assert spoken["codes"] == golden.expected[f"{golden.weights}/steps7/codes"].tolist()
    lengths = [chunk.size for chunk in spoken["chunks"]]
    assert lengths[0] < sum(lengths) / 4
    wave = np.concatenate(spoken["chunks"])
    assert difference(wave, golden.expected[f"{golden.weights}/codec/wave"]) <= BAR


@exact
def test_padding_rows_and_the_empty_code_never_win(golden: Golden) -> None:
    cases = golden_run(golden.expected, "f32/head_cases/")
    assert np.array_equal(cases["logits"].argmax(axis=1), cases["row_favoured"])
    hidden = [base64.b64encode(row).decode() for row in cases["hidden"]]
    noise = base64.b64encode(golden.expected["x0"][0].astype("<f4")).decode()
    found = call_python(golden.tab.worker, STAGES, "head_cases", VOICE, hidden, noise)
    assert [case["codes"] for case in found] == cases["codes"].tolist()
    assert_near({"logits": np.stack([floats(case["logits"]) for case in found])}, cases)


@exact
def test_every_block_of_the_codec_is_within_the_bar(golden: Golden) -> None:
    want = codec_blocks(golden.expected)
    codes = golden.expected["f32/steps7/codes"]
    got = golden.codec(codes, [len(codes)], {name: len(rows) for name, rows in want.items()})
    assert difference(got.pop("wave"), golden.expected["f32/codec/wave"]) <= BAR
    assert_near({name: values.reshape(want[name].shape) for name, values in got.items()}, want)


def test_the_codec_in_chunks_gives_what_one_gives(golden: Golden) -> None:
    """In chunks of any sizes, and as servers cut them."""
    expected, weights = golden.expected, golden.weights
    plan = expected[f"{weights}/codec/chunk_plan"][:, 2].tolist()
    chunks = [1, 2, 5, 3] if weights == "f32" else plan
    wave = golden.codec(expected[f"{weights}/steps7/codes"], chunks)["wave"]
    assert difference(wave, expected[f"{weights}/codec/wave"]) <= BAR


@exact
def test_a_long_sound_and_one_frame_alone(golden: Golden) -> None:
    codes = golden.expected["codec_long/codes"]
    plan = golden.expected["codec_long/chunk_plan"][:, 2].tolist()
    assert difference(golden.codec(codes, plan)["wave"], golden.expected["f32/codec_long/wave"]) <= BAR
    alone = golden.codec(codes[:1], [1])["wave"]
    assert difference(alone, golden.expected["f32/codec_long/wave_first_frame_alone"]) <= BAR
