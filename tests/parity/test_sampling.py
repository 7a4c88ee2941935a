"""Weights are kept as textures only where their bits come back."""

from __future__ import annotations

import asyncio
from array import array
from pathlib import Path
from typing import Any

import soundfile

from shard_tools.quantize import quantize_checkpoint
from tests.parity.engine import loaded, transcribe
from tests.parity.golden import Expected
from voxtab.gpu.base import Readback
from voxtab.gpu.native import NativeGpu
from voxtab.models.asr_state import AsrOptions
from voxtab.tuning.sampling import keeps_bits


class Flushed(Readback):
    """As from a device to which what is too small to be normal is zero."""

    def __init__(self, readback: Readback) -> None:
        self._readback = readback

    async def bytes(self) -> bytes:
        words = array("I", await self._readback.bytes())
        return array("I", (word if word & 0x7F800000 else word & 0x80000000 for word in words)).tobytes()


class FlushingGpu(NativeGpu):
    """Alters what it samples, and nothing else that is read back."""

    def _run_and_read(self, program: int, times: int, buffer: int, offset: int, size: int) -> Readback:
        readback = super()._run_and_read(program, times, buffer, offset, size)
        return Flushed(readback) if self.info.samples_weights else readback


def test_this_adapter_keeps_all_bits(native_gpu: NativeGpu) -> None:
    before = native_gpu.gpu_bytes
    assert asyncio.run(keeps_bits(native_gpu))
    assert native_gpu.gpu_bytes == before


def test_one_that_alters_bits_keeps_weights_in_buffers(
    native_adapter: Any, data: Path, tmp_path: Path
) -> None:
    quantize_checkpoint(data / "asr-tiny", tmp_path / "model.gguf", "q4_0", scales="absmax")
    gpu = FlushingGpu(native_adapter)
    assert gpu.info.samples_weights
    assert not asyncio.run(keeps_bits(gpu))
    engine = loaded(gpu, tmp_path / "model.gguf")
    assert not gpu.info.samples_weights
    audio = soundfile.read(data / "asr-tiny" / "input.wav", dtype="float32")[0]
    session = transcribe(engine, audio, AsrOptions(delay_ms=480))
    assert session.tokens == Expected(data / "asr-tiny", "q4_0").transcript(480)
