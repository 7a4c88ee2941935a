"""voxtab.js hands its options to the engine, which refuses what makes no sense."""

from __future__ import annotations

import pytest

from tests.conftest import DATA
from tests.e2e.tab import Tab
from voxtab.errors import VoxtabError

WAV = (DATA / "asr-window" / "input.wav").read_bytes()


@pytest.fixture(scope="module")
def model(tab: Tab) -> Tab:
    tab.load("asr-window-f32")
    return tab


NONSENSE = {
    "delayMs": (0, 100, 1280, -480, 480.5, "480"),
    "chunkMs": (-1, 30_001, 0.5),
    "submitMs": (0, 60_001),
    "maxTokens": (0, -1, True),
    "temperature": (-0.1, 101, "0"),
    "seed": (0.5, "7"),
    "kvWindow": (0, 1.5),
    "leftPadTokens": (0, 513),
    "cache": ("f64", 16),
    "trace": (1, "yes"),
    "normalizePeak": (1, "yes"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_a_value_that_makes_no_sense_is_refused_with_what_does(model: Tab, name: str) -> None:
    for value in NONSENSE[name]:
        with pytest.raises(VoxtabError) as caught:
            model.transcribe(WAV, **{name: value})
        assert caught.value.code == "option-invalid"
        assert caught.value.hint.startswith("Use ")


def test_max_tokens_ends_the_transcript(model: Tab) -> None:
    whole = model.transcribe(WAV)["tokens"]
    assert model.transcribe(WAV, maxTokens=7)["tokens"] == whole[:7]


def test_a_seed_makes_sampling_repeatable(model: Tab) -> None:
    first, again, other = (
        model.transcribe(WAV, temperature=1.0, seed=seed, maxTokens=20)["tokens"] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_less_left_padding_and_a_smaller_window_take_less_memory(model: Tab) -> None:
    usual = model.transcribe(WAV, maxTokens=1)["stats"]["gpu_bytes"]
    assert model.transcribe(WAV, maxTokens=1, kvWindow=4)["stats"]["gpu_bytes"] < usual
    assert model.transcribe(WAV, maxTokens=1, leftPadTokens=8)["stats"]["gpu_bytes"] < usual
