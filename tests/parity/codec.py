"""Runs a speech checkpoint's codec natively, by itself, in chunks of any sizes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.parity.tts_gguf import write_tts_gguf
from voxtab.cli.model_files import open_model
from voxtab.gpu.base import Buffer, Program
from voxtab.gpu.native import NativeGpu
from voxtab.models.codec import Codec
from voxtab.models.codec_config import CodecConfig
from voxtab.models.codec_state import MAX_CHUNK_FRAMES, CodecState
from voxtab.models.load_codec import load_codec
from voxtab.models.source import read_directory
from voxtab.models.tensor_loader import TensorLoader, fill
from voxtab.models.tts_names import short_name
from voxtab.nn.upload import Upload
from voxtab.nn.weights import Tensor

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int32]

# Slots of the ring the codes come from: few, so that it wraps.
SLOTS = 32
LONGEST = (MAX_CHUNK_FRAMES,)


class Decoder:
    """A checkpoint's codec, f32 or q4_0."""

    def __init__(self, gpu: NativeGpu, checkpoint: Path, folder: Path, weights: str) -> None:
        self.gpu = gpu
        path = write_tts_gguf(checkpoint, folder / f"{weights}.gguf", weights)
        self.codec = asyncio.run(self._load(path))

    async def _load(self, path: Path) -> Codec:
        source = open_model(path)
        directory = await read_directory(source)
        upload = Upload(self.gpu)
        loader = TensorLoader(directory, upload, short_name, "Voxtral TTS")
        codec = load_codec(loader, CodecConfig.from_gguf(directory.metadata))
        await fill(self.gpu, source, upload)
        upload.finish()
        return codec

    def state(self, trace: bool = False, cache: str = "f32") -> CodecState:
        config = self.codec.config
        width = 1 + config.n_acoustic
        ring = Tensor(self.gpu.buffer(SLOTS * width * 4, "codes"), width)
        return CodecState(self.gpu, config, ring, SLOTS, cache, trace)

    def decode(self, state: CodecState, codes: Codes, chunks: Sequence[int]) -> Floats:
        """Samples of all frames, in chunks of these sizes, repeated; each chunk's codes come just before it."""
        config = self.codec.config
        programs: dict[int, Program] = {}
        pieces = []
        start = 0
        for size in cycle(chunks):
            part = codes[start : start + size]
            if not len(part):
                break
            for number, row in enumerate(part, start):
                place = number % SLOTS * codes.shape[1] * 4
                self.gpu.write(state.codes.buffer, place, np.ascontiguousarray(row, np.uint32).data)
            if len(part) not in programs:
                programs[len(part)] = self.codec.record_decode(state, len(part))
            self.gpu.run(programs[len(part)])
            pieces.append(self._floats(state.samples.buffer, len(part) * config.samples_per_frame))
            start += len(part)
        for program in programs.values():
            self.gpu.free_program(program)
        return np.concatenate(pieces)

    def kept(self, state: CodecState, name: str, rows: int) -> Floats:
        tensor = state.kept[name]
        return self._floats(tensor.buffer, rows * tensor.width).reshape(rows, tensor.width)

    def _floats(self, buffer: Buffer, count: int) -> Floats:
        return np.frombuffer(asyncio.run(self.gpu.read(buffer, 0, count * 4).bytes()), np.float32)
