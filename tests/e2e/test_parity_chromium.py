"""The engine in Chromium against the golden checkpoints, served over HTTPS: every stage, all logits, all tokens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.tab import Tab, stages
from tests.parity import comparison

MODELS = [(checkpoint, weights) for checkpoint in ("asr-tiny", "asr-window") for weights in ("f32", "q4_0")]
CHUNKS_MS = {"offline": 0, "80 ms chunks": 80}
chunked = pytest.mark.parametrize("chunk_ms", CHUNKS_MS.values(), ids=CHUNKS_MS.keys())


@dataclass(frozen=True)
class Golden:
    """A model on the tab's GPU, the recording that belongs to it, and what the reference made of that."""

    tab: Tab
    wav: bytes
    arrays: dict[str, Any]
    weights: str

    def expected(self, delay_ms: int) -> dict[str, Any]:
        """Tokens and margins for the delay; for 480 ms all stages too."""
        prefix = f"{self.weights}/" + (f"delay{delay_ms}/" if delay_ms != 480 else "")
        found = {key.removeprefix(prefix): self.arrays[key] for key in self.arrays if key.startswith(prefix)}
        return {"mel": self.arrays["mel"], **found}


@pytest.fixture(scope="module", params=MODELS, ids="-".join)
def golden(request: pytest.FixtureRequest, tab: Tab, data: Path) -> Golden:
    checkpoint, weights = request.param
    tab.load(f"{checkpoint}-{weights}")
    arrays = dict(np.load(data / checkpoint / "expected.npz"))
    return Golden(tab, (data / checkpoint / "input.wav").read_bytes(), arrays, weights)


@chunked
def test_every_stage_in_chromium_is_within_the_float32_bars(golden: Golden, chunk_ms: int) -> None:
    transcript = golden.tab.transcribe(golden.wav, delayMs=480, cache="f32", chunkMs=chunk_ms, trace=True)
    got, want = stages(transcript), golden.expected(480)
    comparison.assert_stages_agree(got, want, comparison.F32_BARS)
    comparison.assert_decodes_agree(got, want, comparison.F32_BARS["logits"])
    assert np.array_equal(got["tokens_full"], want["tokens_full"])
    pieces = chunk_ms and golden.arrays["audio"].size // (16 * chunk_ms)
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
    want = [int(token) for token in golden.expected(delay_ms)["tokens"]]
    assert transcript["tokens"] == [token for token in want if token != 2]
