"""Runs a speech checkpoint's codec natively, by itself, in chunks of any sizes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.parity.speech_stages import codec_state, decoded, rows_of
from tests.parity.tts_gguf import write_tts_gguf
from voxtab.cli.model_files import open_model
from voxtab.gpu.native import NativeGpu
from voxtab.models.codec import Codec
from voxtab.models.codec_config import CodecConfig
from voxtab.models.codec_state import MAX_CHUNK_FRAMES, CodecState
from voxtab.models.load_codec import load_codec
from voxtab.models.loading import fill
from voxtab.models.source import read_directory
from voxtab.models.tensor_loader import TensorLoader
from voxtab.models.tts_names import short_name
from voxtab.nn.upload import Upload

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int32]

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
        return codec_state(self.codec, trace, cache)

    def decode(self, state: CodecState, codes: Codes, chunks: Sequence[int]) -> Floats:
        """Samples of all frames, in chunks of these sizes, repeated; each chunk's codes come just before it."""
        return np.frombuffer(asyncio.run(decoded(self.codec, state, codes.tolist(), chunks)), np.float32)

    def kept(self, state: CodecState, name: str, rows: int) -> Floats:
        tensor = state.kept[name]
        values = asyncio.run(rows_of(self.gpu, tensor, rows))
        return np.frombuffer(values, np.float32).reshape(rows, tensor.width)
