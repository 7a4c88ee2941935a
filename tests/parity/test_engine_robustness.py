"""What the engine does when memory runs out, sound is no sound, or a caller goes on too long."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from shard_tools.quantize import quantize_checkpoint
from tests.parity.engine import Floats, loaded, run, transcribe
from voxtab.cli.model_files import open_model
from voxtab.errors import VoxtabError
from voxtab.gpu.native import NativeGpu
from voxtab.models.asr_state import AsrOptions
from voxtab.sessions.engine import Engine


@pytest.fixture(scope="module")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model") / "model.gguf"
    quantize_checkpoint(data / "asr-window", out, "q4_0", scales="absmax")
    return out


@pytest.fixture(scope="module")
def engine(native_adapter: Any, model: Path) -> Engine:
    return loaded(NativeGpu(native_adapter), model)


@pytest.fixture(scope="module")
def audio(data: Path) -> Floats:
    sound: Floats = soundfile.read(data / "asr-window" / "input.wav", dtype="float32")[0]
    return sound


def fail_at(monkeypatch: pytest.MonkeyPatch, gpu: Any, count: int) -> None:
    """The buffer made after `count` others does not fit."""
    made = 0
    create = gpu._create_buffer

    def counted(size: int, label: str) -> int:
        nonlocal made
        made += 1
        if made > count:
            raise VoxtabError("adapter-too-small", f"No room for {label}.")
        handle: int = create(size, label)
        return handle

    monkeypatch.setattr(gpu, "_create_buffer", counted)


def test_a_session_that_does_not_fit_leaves_nothing_allocated(
    engine: Engine, audio: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcribe(engine, audio[:2000], AsrOptions(delay_ms=480))  # shared constants are there from now on
    before = engine.gpu.gpu_bytes
    for count in range(0, 24, 3):
        with monkeypatch.context() as patch:
            fail_at(patch, engine.gpu, count)
            with pytest.raises(VoxtabError, match="No room"):
                engine.transcription(AsrOptions(delay_ms=480))
        assert engine.gpu.gpu_bytes == before, f"after {count} buffers"


def test_a_model_that_does_not_fit_leaves_nothing_allocated(
    native_gpu: NativeGpu, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(native_gpu, model).unload()
    before = native_gpu.gpu_bytes
    for count in range(0, 150, 13):
        with monkeypatch.context() as patch:
            fail_at(patch, native_gpu, count)
            engine = Engine(native_gpu)
            with pytest.raises(VoxtabError, match="No room"):
                asyncio.run(engine.load(open_model(model)))
        native_gpu.forget_uniforms()
        assert native_gpu.gpu_bytes == before, f"after {count} buffers"


def test_loading_compiles_every_kernel_a_session_needs(
    native_gpu: NativeGpu, model: Path, audio: Floats
) -> None:
    engine = loaded(native_gpu, model)
    compiled = set(native_gpu._pipelines)
    for feeds in ((), (1280,)):
        transcribe(engine, audio, AsrOptions(), feeds)
    assert set(native_gpu._pipelines) == compiled


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e20, -1e30])
def test_a_sample_that_is_no_sound_is_refused_and_spoils_nothing(
    engine: Engine, audio: Floats, value: float
) -> None:
    spoilt = audio.copy()
    spoilt[1000] = value
    session = engine.transcription(AsrOptions())
    with pytest.raises(VoxtabError) as caught:
        session.feed(spoilt.data)
    assert caught.value.code == "audio-undecodable"
    asyncio.run(run(session, audio))
    session.free()
    assert session.tokens == transcribe(engine, audio, AsrOptions()).tokens


def test_sound_after_the_end_is_dropped(engine: Engine, audio: Floats) -> None:
    session = transcribe(engine, audio, AsrOptions(max_tokens=3))
    seconds = session.audio_s
    session.feed(audio.data)
    assert (session.audio_s, len(session.tokens)) == (seconds, 3)


def test_samples_of_another_type_are_refused(engine: Engine) -> None:
    session = engine.transcription(AsrOptions())
    with pytest.raises(TypeError, match="float32"):
        session.feed(np.zeros(10).data)
    session.free()
