"""Runs in a worker's Python: stages of the speech model that is loaded there. Floats come and go as base64."""

from __future__ import annotations

import base64
from array import array
from typing import Any

from tests.parity.speech_stages import codec_state, decoded, first_frame, rows_of
from voxtab.models.tts import TtsModel
from voxtab.models.tts_state import TtsOptions, TtsState
from voxtab.tab.worker_engine import loaded_engine


async def head_cases(voice: str, hidden: list[str], noise: str) -> list[dict[str, Any]]:
    """For every hidden state: the codes of a first frame, and the semantic logits."""
    model = _model()
    state = TtsState(model.gpu, model.config, TtsOptions(cache="f32"), model.voices[voice])
    times = model.record_times(state)
    model.gpu.run(times)
    model.gpu.free_program(times)
    state.write_noise(0, _floats(noise))
    found = []
    for row in hidden:
        codes = await first_frame(model, state, _floats(row))
        found.append({"codes": codes, "logits": _base64(await rows_of(model.gpu, state.logits, 1))})
    state.free()
    return found


async def codec_alone(codes: list[list[int]], chunks: list[int], blocks: dict[str, int]) -> dict[str, str]:
    """The wave, and so many rows of each of these blocks."""
    codec = _model().codec
    state = codec_state(codec, trace=bool(blocks))
    wave = await decoded(codec, state, codes, chunks)
    found = {name: _base64(await rows_of(codec.gpu, state.kept[name], rows)) for name, rows in blocks.items()}
    codec.gpu.free(state.codes.buffer)
    state.free()
    return found | {"wave": _base64(wave)}


def _model() -> TtsModel:
    engine = loaded_engine()
    assert engine._tts is not None
    return engine._tts[0]


def _floats(text: str) -> array[float]:
    return array("f", base64.b64decode(text))


def _base64(values: array[float]) -> str:
    return base64.b64encode(values.tobytes()).decode()
