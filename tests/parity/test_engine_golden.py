"""The native engine against the golden checkpoints: every stage, all logits, all tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from shard_tools.quantize import quantize_checkpoint
from tests.parity import comparison
from tests.parity.engine import Floats, loaded, traced, transcribe
from tests.parity.golden import EOS, SETS, WEIGHTS, Expected
from voxtab.gpu.native import NativeGpu
from voxtab.models.asr_state import AsrOptions
from voxtab.sessions.engine import Engine

FEEDS = {"offline": (), "80 ms": (1280,), "odd sizes": (1, 777, 4000, 13)}


class Golden:
    """One checkpoint on the GPU beside its reference outputs."""

    def __init__(self, gpu: Any, checkpoint: Path, weights: str, folder: Path) -> None:
        model = folder / f"{checkpoint.name}-{weights}.gguf"
        quantize_checkpoint(checkpoint, model, "f32" if weights == "f32" else "q4_0", scales="absmax")
        self.engine: Engine = loaded(gpu, model)
        self.audio: Floats = soundfile.read(checkpoint / "input.wav", dtype="float32")[0]
        self.expected = Expected(checkpoint, weights)


@pytest.fixture(scope="module", params=[(s, w) for s in SETS for w in WEIGHTS], ids=lambda p: "-".join(p))
def golden(
    request: pytest.FixtureRequest, native_adapter: Any, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Golden:
    name, weights = request.param
    return Golden(NativeGpu(native_adapter), data / name, weights, tmp_path_factory.mktemp("golden"))


@pytest.mark.parametrize("feeds", FEEDS.values(), ids=FEEDS.keys())
def test_every_stage_is_within_the_float32_bars(golden: Golden, feeds: tuple[int, ...]) -> None:
    got = traced(golden.engine, golden.audio, AsrOptions(delay_ms=480, cache="f32"), feeds)
    want = golden.expected()
    comparison.assert_stages_agree(got, want, comparison.F32_BARS)
    comparison.assert_decodes_agree(got, want, comparison.F32_BARS["logits"])
    assert np.array_equal(got["tokens_full"], want["tokens_full"])


def test_keys_and_values_in_float16_are_within_their_bars(golden: Golden) -> None:
    got = traced(golden.engine, golden.audio, AsrOptions(delay_ms=480, cache="f16"))
    want = golden.expected()
    comparison.assert_stages_agree(got, want, comparison.F16_BARS)
    comparison.assert_decodes_agree(got, want, comparison.F16_BARS["logits"])


@pytest.mark.parametrize("cache", ["f32", "f16"])
@pytest.mark.parametrize("delay_ms", [240, 480, 960])
@pytest.mark.parametrize("feeds", FEEDS.values(), ids=FEEDS.keys())
def test_tokens_equal_the_reference(
    golden: Golden, delay_ms: int, feeds: tuple[int, ...], cache: str
) -> None:
    session = transcribe(golden.engine, golden.audio, AsrOptions(delay_ms=delay_ms, cache=cache), feeds)
    assert session.tokens == golden.expected.transcript(delay_ms)


def test_the_recordings_of_real_words_come_out_as_upstream_writes_them(
    native_gpu: NativeGpu, data: Path, tmp_path: Path
) -> None:
    for weights in WEIGHTS:
        model = tmp_path / f"{weights}.gguf"
        quantize_checkpoint(data / "asr-words", model, "f32" if weights == "f32" else "q4_0", scales="absmax")
        engine = loaded(native_gpu, model)
        for case in json.loads((data / "asr-words" / "expected.json").read_text()):
            audio = soundfile.read(data / "asr-words" / case["file"], dtype="float32")[0]
            session = transcribe(engine, audio, AsrOptions(delay_ms=480))
            want = case[weights]
            assert session.tokens == [token for token in want["tokens"] if token != EOS], case["file"]
            assert session.text == want["text"], case["file"]
            assert [word.text for word in session.words()] == want["text"].split(), case["file"]
