"""Keeps what every stage computed, under the golden files' names, to hold it against a reference."""

import base64
from array import array
from typing import Any

from voxtab.models.asr import AsrModel
from voxtab.models.asr_state import AsrState


class Trace:
    """Float32 bytes of each stage, row-major: mel [frames, bins], conv_out and enc_out [positions, encoder dim],
    adapter_out [tokens, decoder dim], logits [steps, vocabulary]."""

    def __init__(self) -> None:
        self.stages: dict[str, bytearray] = {
            name: bytearray() for name in ("mel", "conv_out", "enc_out", "adapter_out", "logits")
        }
        self.widths: dict[str, int] = {}
        self.tokens_full: list[int] = []
        """Every token, the ones after an end of sequence too: a traced session goes on to the end of the sound."""

    def floats(self, name: str) -> "array[float]":
        return array("f", bytes(self.stages[name]))

    def to_json(self) -> dict[str, Any]:
        """Stages as {width, base64}, and the tokens."""
        stages = {
            name: {"width": self.widths[name], "base64": base64.b64encode(data).decode()}
            for name, data in self.stages.items()
            if data
        }
        return {"stages": stages, "tokens_full": self.tokens_full}

    async def encoded(self, model: AsrModel, state: AsrState, n: int) -> None:
        """After a chunk of n tokens."""
        config = model.config
        frames, positions = n * config.frames_per_token, n * config.downsample_factor
        sources = {
            "mel": (state.mel, frames, 2),
            "conv_out": (model.conv_out(), positions, 0),
            "enc_out": (model.enc_out(), positions, 0),
            "adapter_out": (model.adapter_out(), n, 0),
        }
        for name, (tensor, rows, first) in sources.items():
            self.widths[name] = tensor.width
            back = model.gpu.read(tensor.buffer, first * tensor.width * 4, rows * tensor.width * 4)
            self.stages[name] += await back.bytes()

    async def decoded(self, model: AsrModel, state: AsrState) -> None:
        """After a step that ended in logits."""
        self.widths["logits"] = state.logits.width
        self.stages["logits"] += await model.gpu.read(state.logits.buffer, 0, state.logits.width * 4).bytes()
