"""Keeps what every stage of speech computed, under the golden files' names, to hold it against a reference."""

import base64
from array import array
from typing import Any

from voxtab.gpu.base import Gpu
from voxtab.models.tts import TtsModel
from voxtab.models.tts_state import TtsState
from voxtab.nn.weights import Tensor


class SpeechTrace:
    """Float32 bytes of each stage, row-major; rows of one frame follow those of the one before.

    prompt_embeds, prompt_hidden and prompt_layer_out.N [prompt rows but the last, dim]; of every frame, the END frame
    too: hidden [dim], semantic_logits [rows of the head], x [steps + 1, codebooks], velocity [steps x branches,
    codebooks], the conditional branch first, and next_embeds [dim].
    """

    def __init__(self) -> None:
        self.stages: dict[str, bytearray] = {}
        self.widths: dict[str, int] = {}

    def floats(self, name: str) -> "array[float]":
        return array("f", bytes(self.stages[name]))

    def to_json(self) -> dict[str, Any]:
        return {
            "stages": {
                name: {"width": self.widths[name], "base64": base64.b64encode(data).decode()}
                for name, data in self.stages.items()
            }
        }

    async def prefilled(self, gpu: Gpu, state: TtsState, rows: int) -> None:
        """After a chunk of `rows` prompt rows."""
        for kept, tensor in state.kept.items():
            name = {"prompt": "prompt_embeds", "prompt hidden": "prompt_hidden"}.get(kept)
            if name is None and kept.startswith("prompt layer "):
                name = "prompt_layer_out." + kept.removeprefix("prompt layer ")
            if name is not None:
                await self._add(gpu, name, tensor, rows)

    async def framed(self, model: TtsModel, state: TtsState) -> None:
        """After a frame."""
        for name, tensor, rows in (
            ("hidden", model.hidden(), 1),
            ("semantic_logits", state.logits, 1),
            ("x", state.path, state.steps + 1),
            ("velocity", state.velocity, state.steps * state.branches),
            ("next_embeds", state.input, 1),
        ):
            await self._add(model.gpu, name, tensor, rows)

    async def _add(self, gpu: Gpu, name: str, tensor: Tensor, rows: int) -> None:
        self.widths[name] = tensor.width
        start = tensor.row * tensor.width * 4
        back = gpu.read(tensor.buffer, start, rows * tensor.width * 4)
        self.stages.setdefault(name, bytearray()).extend(await back.bytes())
