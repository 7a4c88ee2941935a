"""Whole programs of the models on made-up weights: a decode step, a chunk of the encoder, a frame of speech.

Measured with `layers` layers of the config's, and with none, from which the full model is told; see programs.py.
"""

from array import array
from collections.abc import Sequence
from typing import Any

from voxtab.bench.made_up import made_up_asr, made_up_tts
from voxtab.bench.presets import with_layers
from voxtab.bench.programs import Step, measured, standing
from voxtab.bench.timing import copy_rate
from voxtab.gpu.base import Gpu, Program
from voxtab.models.asr import AsrModel
from voxtab.models.asr_config import AsrConfig
from voxtab.models.asr_state import AsrOptions, AsrState
from voxtab.models.codec_config import CodecConfig
from voxtab.models.codec_state import CodecState
from voxtab.models.tts import TtsModel
from voxtab.models.tts_config import TtsConfig
from voxtab.models.tts_state import FRAME_SLOTS, TtsOptions, TtsState

TOKEN_S = 0.08
# Frames that the codec turns into sound at once, in a batch of a session's.
_BATCH = 16
# Positions of the encoder before a chunk: more than its window.
_HEARD = 768


async def bench_decode(gpu: Gpu, config: AsrConfig, layers: int, contexts: Sequence[int]) -> dict[str, Any]:
    """A step of the speech-to-text decoder at each context, that is with so many positions before it."""
    copied = await copy_rate(gpu)
    model, bare = await _with_and_without(gpu, config, layers)
    states = [_decoder_state(gpu, model, context) for context in contexts]
    bare_state = _decoder_state(gpu, bare, contexts[0])
    without = standing(gpu, bare.record_decode(bare_state, 1, head=True))
    steps = [
        Step(
            f"context {context}",
            standing(gpu, model.record_decode(state, 1, head=True)),
            *(without, layers, config.decoder.n_layers),
        )
        for context, state in zip(contexts, states, strict=True)
    ]
    found = await measured(gpu, steps, _weights(model, bare), copied)
    _free(*states, bare_state, model, bare)
    return {**_head(gpu, layers, copied), "steps": found}


async def bench_encode(gpu: Gpu, config: AsrConfig, layers: int, tokens: Sequence[int]) -> dict[str, Any]:
    """Chunks of the encoder, far into the sound, and of the prompt, of so many tokens (80 ms each). `rtf` is what they
    alone would make."""
    copied = await copy_rate(gpu)
    models = await _with_and_without(gpu, config, layers)
    states = []
    for model in models:
        states.append(state := AsrState(gpu, model.config, AsrOptions(), trace=False))
        state.reserve(_HEARD + max(tokens) * config.downsample_factor, max(tokens) + 1)
        gpu.write(state.encoder_position, 0, memoryview(array("I", [_HEARD])))

    full = {"encode": config.encoder.n_layers, "prompt": config.decoder.n_layers}
    found = []
    for n in tokens:
        steps = []
        for kind, depth in full.items():
            whole, bare = (_chunk(kind, *each, n) for each in zip(models, states, strict=True))
            steps.append(Step(f"{kind}, {n} tokens", whole, bare, layers, depth))
        for one in await measured(gpu, steps, _weights(*models), copied):
            found.append({**one, "tokens": n, "rtf": one["full_ms"] / 1e3 / (n * TOKEN_S)})
    _free(*states, *models)
    return {**_head(gpu, layers, copied), "steps": found}


async def bench_speak(
    gpu: Gpu, config: TtsConfig, layers: int, context: int, codec_config: CodecConfig | None = None
) -> dict[str, Any]:
    """A frame of speech: the backbone's step, the codes (all evaluations of the flow, both branches), the codec."""
    copied = await copy_rate(gpu)
    models = [await made_up_tts(gpu, with_layers(config, depth), codec_config) for depth in (layers, 0)]
    states = [_speech_state(gpu, model, context) for model in models]
    model, state = models[0], states[0]
    codec = CodecState(gpu, model.codec.config, state.codes, FRAME_SLOTS)
    hidden, bare = (standing(gpu, m.record_hidden(s)) for m, s in zip(models, states, strict=True))
    steps = [
        Step("backbone", hidden, bare, layers, config.backbone.n_layers),
        Step("codes", standing(gpu, model.record_codes(state))),
        Step("codec, 1 frame", standing(gpu, model.codec.record_decode(codec, 1))),
        Step(f"codec, {_BATCH} frames", standing(gpu, model.codec.record_decode(codec, _BATCH))),
    ]
    found = await measured(gpu, steps, _weights(*models), copied)
    parts = [step["full_ms"] for step in found]
    frame = parts[0] + parts[1] + parts[3] / _BATCH
    _free(codec, *states, *models)
    return {**_head(gpu, layers, copied), "steps": found, "frame_ms": frame, "rtf": frame / 1e3 / TOKEN_S}


async def _with_and_without(gpu: Gpu, config: AsrConfig, layers: int) -> tuple[AsrModel, AsrModel]:
    """The model with so many layers, and with none."""
    return await made_up_asr(gpu, with_layers(config, layers)), await made_up_asr(gpu, with_layers(config, 0))


def _free(*made: AsrState | TtsState | CodecState | AsrModel | TtsModel) -> None:
    for each in made:
        each.free()


def _head(gpu: Gpu, layers: int, copied: float) -> dict[str, Any]:
    return {"adapter": gpu.info.name, "copy_gb_s": copied / 1e9, "layers": layers}


def _weights(*models: AsrModel | TtsModel) -> list[int]:
    return [buffer.id for model in models for buffer in model.owned]


def _chunk(kind: str, model: AsrModel, state: AsrState, n: int) -> Program:
    encode = kind == "encode"
    recorded = model.record_encode(state, n) if encode else model.record_decode(state, n, head=True)
    return standing(model.gpu, recorded)


def _decoder_state(gpu: Gpu, model: AsrModel, context: int) -> AsrState:
    state = AsrState(gpu, model.config, AsrOptions(), trace=False)
    state.reserve(1, context + 1)
    gpu.write(state.decoder_position, 0, memoryview(array("I", [context])))
    return state


def _speech_state(gpu: Gpu, model: TtsModel, context: int) -> TtsState:
    voice = next(iter(model.voices.values()))
    state = TtsState(gpu, model.config, TtsOptions(), voice)
    state.begin(model.config.prompt(voice.rows, [model.config.bos]), context)
    state.reserve(context + 1)
    return state
