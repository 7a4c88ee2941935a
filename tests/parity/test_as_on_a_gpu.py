"""Whole sessions with a GPU's kernels, tiles and layout of weights, which a CPU adapter does not get by itself."""

from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from shard_tools.quantize import quantize_checkpoint
from tests.parity import comparison
from tests.parity.engine import loaded, spoken, traced, transcribe
from tests.parity.golden import SETS, Expected
from tests.parity.tts_gguf import write_tts_gguf
from voxtab.gpu.native import NativeGpu
from voxtab.models.asr_state import AsrOptions
from voxtab.sessions.speech import SpeechOptions


@pytest.fixture(scope="module")
def gpu(native_adapter: Any) -> NativeGpu:
    """Taken for a GPU, as far as voxtab is concerned."""
    gpu = NativeGpu(native_adapter)
    gpu.info = replace(gpu.info, software=False)
    return gpu


@pytest.mark.parametrize("name", SETS)
def test_a_transcription_is_the_golden_one(gpu: NativeGpu, data: Path, tmp_path: Path, name: str) -> None:
    quantize_checkpoint(data / name, tmp_path / "model.gguf", "q4_0", scales="absmax")
    engine = loaded(gpu, tmp_path / "model.gguf")
    audio = soundfile.read(data / name / "input.wav", dtype="float32")[0]
    expected = Expected(data / name, "q4_0")
    got = traced(engine, audio, AsrOptions(delay_ms=480, cache="f32"))
    comparison.assert_stages_agree(got, expected(), comparison.F32_BARS)
    assert np.array_equal(got["tokens_full"], expected()["tokens_full"])
    live = transcribe(engine, audio, AsrOptions(delay_ms=480), feeds=(1280,))
    assert live.tokens == expected.transcript(480)
    engine.unload()


def test_a_speech_is_the_golden_one(gpu: NativeGpu, data: Path, tmp_path: Path) -> None:
    expected = np.load(data / "tts-tiny" / "expected.npz")
    engine = loaded(gpu, write_tts_gguf(data / "tts-tiny", tmp_path / "tiny.gguf", "q4_0"))
    noise = array("f", expected["x0"].astype("<f4").tobytes())
    text = "Hello there! It's 42 degrees — très bien."
    session = engine.speech(text, "neutral_female", SpeechOptions(euler_steps=7, noise=noise))
    sound = spoken(session)
    assert session.codes == expected["q4_0/steps7/codes"].tolist()
    np.testing.assert_allclose(sound, expected["q4_0/codec/wave"], atol=1e-4)
