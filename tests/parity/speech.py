"""Runs a speech model natively, frame by frame or several at a time, and hands back what it computed."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxtab.cli.model_files import open_model
from voxtab.formats.gguf_split import MergedGguf
from voxtab.gpu.base import Buffer, Gpu, Program
from voxtab.models.load_tts import plan_tts
from voxtab.models.loading import load_model
from voxtab.models.source import read_directory
from voxtab.models.tts import TtsModel
from voxtab.models.tts_state import FRAME_SLOTS, TtsOptions, TtsState
from voxtab.nn.weights import Tensor

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int32]


def speech_model(
    gpu: Gpu, path: Path, change: Callable[[MergedGguf], Any] = lambda directory: None
) -> TtsModel:
    """The model of a GGUF; `change` alters what its header says."""

    async def load() -> TtsModel:
        source = open_model(path)
        directory = await read_directory(source)
        change(directory)
        model, _ = await load_model(plan_tts, gpu, source, directory, source.tekken)
        return model

    return asyncio.run(load())


def floats(gpu: Gpu, tensor: Tensor, rows: int) -> Floats:
    """Rows of a tensor."""
    return np.frombuffer(_bytes(gpu, tensor, rows), np.float32).reshape(rows, tensor.width)


def integers(gpu: Gpu, tensor: Tensor, rows: int) -> Codes:
    return np.frombuffer(_bytes(gpu, tensor, rows), np.int32).reshape(rows, tensor.width)


def _bytes(gpu: Gpu, tensor: Tensor, rows: int) -> bytes:
    size = tensor.width * 4
    return asyncio.run(gpu.read(tensor.buffer, tensor.row * size, rows * size).bytes())


class Speaker:
    """One state on a model, prefilled with a prompt, ready for frames with the noise given."""

    def __init__(
        self, model: TtsModel, voice: str, options: TtsOptions, noise: Floats, trace: bool = False
    ) -> None:
        self.model = model
        self.gpu = model.gpu
        self.state = TtsState(model.gpu, model.config, options, model.voices[voice], trace)
        self._noise = noise
        self._position = 0
        self._frame: Program | None = None
        self._run(model.record_times(self.state))

    def say(self, prompt: Sequence[int]) -> list[int]:
        """Start an utterance; the chunks that were prefilled."""
        self._position = 0
        chunks = self.model.begin(self.state, prompt)
        self._position = len(prompt) - 1
        self._reserve(self._position)
        for rows in chunks:
            self._run(self.model.record_prefill(self.state, rows))
        self.model.keep_prefix(self.state)
        self.state.write_noise(0, self.noise(FRAME_SLOTS))
        return chunks

    def noise(self, frames: int) -> array[float]:
        """Of the first frames, or of as many as were given."""
        return array("f", self._noise[:frames].astype(np.float32).tobytes())

    def frames(self, count: int) -> None:
        """Make so many frames in one submit."""
        self._position += count
        self._reserve(self._position)
        if self._frame is None:
            self._frame = self.model.record_frame(self.state)
        self.gpu.run(self._frame, count)

    def codes(self, count: int) -> Codes:
        """Of the first frames of the utterance."""
        return integers(self.gpu, self.state.codes, count)

    def generated(self, limit: int) -> tuple[Codes, dict[str, Any]]:
        """Codes up to END (which is not among them) or `limit`, and per frame, END included, what lay in the state:
        hidden, logits, x, v_cond, v_uncond, next_embeds."""
        state, rows = self.state, []
        for frame in range(limit):
            self.frames(1)
            velocity = floats(self.gpu, state.velocity, state.steps * state.branches)
            both = velocity.reshape(state.steps, state.branches, -1)
            found = {
                "hidden": floats(self.gpu, self.model.hidden(), 1)[0],
                "semantic_logits": floats(self.gpu, state.logits, 1)[0],
                "x": floats(self.gpu, state.path, state.steps + 1),
                "v_cond": both[:, 0],
                "v_uncond": both[:, -1],
                "next_embeds": floats(self.gpu, state.input, 1)[0],
            }
            rows.append(found)
            if self.codes(frame + 1)[frame, 0] == 1:
                break
        codes = self.codes(len(rows))
        ended = codes[-1, 0] == 1
        return codes[: len(codes) - int(ended)], {
            name: np.stack([row[name] for row in rows]) for name in rows[0]
        }

    def kept(self, name: str) -> Floats:
        tensor = self.state.kept[name]
        return floats(self.gpu, tensor, tensor.buffer.size // 4 // tensor.width)

    def write_control(self, position: int, frame: int) -> None:
        self.gpu.write(self.state.control, 0, array("I", [position, frame]).tobytes())

    def write(self, buffer: Buffer, values: Floats) -> None:
        self.gpu.write(buffer, 0, np.ascontiguousarray(values, np.float32).tobytes())

    def free(self) -> None:
        if self._frame is not None:
            self.gpu.free_program(self._frame)
        self.state.free()

    def _reserve(self, end: int) -> None:
        if self.state.reserve(end) and self._frame is not None:
            self.gpu.free_program(self._frame)
            self._frame = None

    def _run(self, program: Program) -> None:
        self.gpu.run(program)
        self.gpu.free_program(program)
