"""Loading a model compiles all that its sessions run: else a stream's first words would wait for the driver."""

from __future__ import annotations

import asyncio
from array import array
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.long_session import smallest_model, talk
from tests.parity.engine import loaded
from tests.parity.listening import in_random_sizes, listen, steadily
from tests.parity.tts_gguf import write_tts_gguf
from voxtab.gpu.native import NativeGpu
from voxtab.sessions.listening import ListenOptions
from voxtab.sessions.speech import SpeechOptions


class Compiled:
    """Kernels whose pipelines a device makes, from when it is watched on."""

    def __init__(self, gpu: NativeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kernels: list[str] = []
        create = gpu._create_pipeline

        def noted(key: str, source: str, constants: dict[str, int]) -> int:
            self.kernels.append(key)
            return create(key, source, constants)

        monkeypatch.setattr(gpu, "_create_pipeline", noted)


def test_a_stream_compiles_nothing(
    native_adapter: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its context goes past 256 positions, from which on a step shares it out."""
    gpu = NativeGpu(native_adapter)
    compiled = Compiled(gpu, monkeypatch)
    engine = loaded(gpu, smallest_model(tmp_path))
    assert compiled.kernels
    compiled.kernels.clear()
    sound = np.concatenate(list(islice(talk(), 5)))
    for turn in (steadily(1280), in_random_sizes(1)):
        listen(engine, sound, ListenOptions(delay_ms=480), turn)
    assert compiled.kernels == []


def test_a_speech_compiles_nothing(
    native_adapter: object, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = NativeGpu(native_adapter)
    compiled = Compiled(gpu, monkeypatch)
    engine = loaded(gpu, write_tts_gguf(data / "tts-tiny", tmp_path / "tiny.gguf", "f32"))
    assert compiled.kernels
    compiled.kernels.clear()
    noise = array("f", np.load(data / "tts-tiny" / "expected.npz")["x0"].astype("<f4").tobytes())
    text = "Hello there! It's 42 degrees — très bien."
    speech = engine.speech(text, "neutral_female", SpeechOptions(noise=noise))

    async def speak() -> None:
        while not speech.done:
            await speech.step()

    asyncio.run(speak())
    assert len(speech.codes) > 10
    assert compiled.kernels == []
    speech.free()
