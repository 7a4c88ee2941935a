"""The engine in Chromium against the golden checkpoints, served over HTTPS: every stage, all logits, all tokens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.tab import Tab, stages
from tests.parity import comparison
from tests.parity.golden import SETS, WEIGHTS, Expected

MODELS = [(checkpoint, weights) for checkpoint in SETS for weights in WEIGHTS]
CHUNKS_MS = {"offline": 0, "80 ms chunks": 80}
chunked = pytest.mark.parametrize("chunk_ms", CHUNKS_MS.values(), ids=CHUNKS_MS.keys())


@dataclass(frozen=True)
class Golden:
    """A model on the tab's GPU, the recording that belongs to it, and what the reference made of that."""

    tab: Tab
    wav: bytes
    expected: Expected


@pytest.fixture(scope="module", params=MODELS, ids="-".join)
def golden(request: pytest.FixtureRequest, tab: Tab, data: Path) -> Golden:
    checkpoint, weights = request.param
    tab.load(f"{checkpoint}-{weights}")
    wav = (data / checkpoint / "input.wav").read_bytes()
    return Golden(tab, wav, Expected(data / checkpoint, weights))


@chunked
def test_every_stage_in_chromium_is_within_the_float32_bars(golden: Golden, chunk_ms: int) -> None:
    transcript = golden.tab.transcribe(golden.wav, delayMs=480, cache="f32", chunkMs=chunk_ms, trace=True)
    got, want = stages(transcript), golden.expected(480)
    comparison.assert_stages_agree(got, want, comparison.F32_BARS)
    comparison.assert_decodes_agree(got, want, comparison.F32_BARS["logits"])
    assert np.array_equal(got["tokens_full"], want["tokens_full"])
    pieces = chunk_ms and golden.expected.audio.size // (16 * chunk_ms)
    assert transcript["steps"] >= pieces  # one after each piece


def test_keys_and_values_in_float16_in_chromium_are_within_their_bars(golden: Golden) -> None:
    got = stages(golden.tab.transcribe(golden.wav, delayMs=480, cache="f16", trace=True))
    want = golden.expected(480)
    comparison.assert_stages_agree(got, want, comparison.F16_BARS)
    comparison.assert_decodes_agree(got, want, comparison.F16_BARS["logits"])


@pytest.mark.parametrize("delay_ms", [240, 480, 960])
@chunked
def test_tokens_in_chromium_equal_the_reference(golden: Golden, delay_ms: int, chunk_ms: int) -> None:
    transcript = golden.tab.transcribe(golden.wav, delayMs=delay_ms, chunkMs=chunk_ms)
    assert transcript["tokens"] == golden.expected.transcript(delay_ms)
