"""Whole programs of the models on made-up weights: a decode step, a chunk of the encoder, a frame of speech.

A few layers are measured and none, so that the full model can be told from them: what is outside the layers, and layers
times one layer's share.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from voxtab.bench.made_up import VOICE_ROWS, made_up_asr, made_up_tts
from voxtab.bench.timing import copy_rate, seconds
from voxtab.gpu.base import Buffer, Gpu, Program
from voxtab.models.asr import AsrModel
from voxtab.models.asr_config import AsrConfig
from voxtab.models.asr_state import AsrOptions, AsrState
from voxtab.models.codec_state import CodecState
from voxtab.models.tts import TtsModel
from voxtab.models.tts_config import TtsConfig
from voxtab.models.tts_state import FRAME_SLOTS, TtsOptions, TtsState
from voxtab.nn.weights import Linear, Weight

# Kernels that multiply by weights; in a step, everything else is overhead.
PRODUCTS = ("matvec", "matmat")
TOKEN_S = 0.08


async def bench_decode(gpu: Gpu, layers: int, contexts: Sequence[int]) -> dict[str, Any]:
    """A step of the speech-to-text decoder at each context: parts by kernel, floor, and the full model's estimate."""
    copied = await copy_rate(gpu)
    model = await made_up_asr(gpu, layers)
    bare = _without_layers(model)
    full = AsrConfig.from_gguf({}).decoder.n_layers
    states = [_decoder_state(gpu, model, context) for context in contexts]
    states.append(_decoder_state(gpu, bare, contexts[0]))
    programs = {
        f"{context}": _standing(gpu, model.record_decode(state, 1, head=True))
        for context, state in zip(contexts, states, strict=False)
    }
    programs["bare"] = _standing(gpu, bare.record_decode(states[-1], 1, head=True))
    # An even model: each layer is as large as the others.
    head = _weight_bytes([model.decoder.embedding])
    layer = _weight_bytes(_linears(model.decoder.blocks[0]))
    found = await _stepped(gpu, programs, [str(context) for context in contexts], layers, full)
    size = head + full * layer
    result = {"adapter": gpu.info.name, "copy_gb_s": copied / 1e9, "layers": layers, "steps": found}
    for step in found:
        step["full_floor_ms"] = size / copied * 1e3
        step["over_floor"] = step["full_ms"] / step["full_floor_ms"]
    for state in states:
        state.free()
    model.free()
    return result


async def bench_encode(gpu: Gpu, layers: int, tokens: Sequence[int]) -> dict[str, Any]:
    """Chunks of the encoder, and of the prompt, of so many tokens (80 ms each); `rtf` is what they alone would make."""
    model = await made_up_asr(gpu, layers)
    bare = _without_layers(model)
    config = AsrConfig.from_gguf({})
    state, bare_state = (AsrState(gpu, made.config, AsrOptions(), trace=False) for made in (model, bare))
    for made in (state, bare_state):
        made.reserve(1024, max(tokens) + 1)
    result: dict[str, Any] = {"adapter": gpu.info.name, "layers": layers, "encode": [], "prompt": []}
    for n in tokens:
        for kind, depth in (("encode", config.encoder.n_layers), ("prompt", config.decoder.n_layers)):
            record = _recorded(kind, n)
            programs = {
                kind: _standing(gpu, record(model, state)),
                "bare": _standing(gpu, record(bare, bare_state)),
            }
            (step,) = await _stepped(gpu, programs, [kind], layers, depth)
            result[kind].append({"tokens": n, **step, "rtf": step["full_ms"] / 1e3 / (n * TOKEN_S)})
    state.free()
    bare_state.free()
    model.free()
    return result


async def bench_speak(gpu: Gpu, layers: int, context: int) -> dict[str, Any]:
    """A frame of speech: the backbone's step, the codes (7 evaluations of the flow, both branches), the codec."""
    copied = await copy_rate(gpu)
    model = await made_up_tts(gpu, layers)
    full = TtsConfig.from_gguf({}).backbone.n_layers
    bare = TtsModel(
        gpu,
        replace(model.config, backbone=replace(model.config.backbone, n_layers=0)),
        replace(model.backbone, blocks=()),
        model.head,
        model.codec,
        model.voices,
    )
    made = [_speech_state(gpu, each, context) for each in (model, bare)]
    codec = CodecState(gpu, model.codec.config, made[0].codes, FRAME_SLOTS)
    programs = {
        "backbone": _standing(gpu, model.record_hidden(made[0])),
        "bare": _standing(gpu, bare.record_hidden(made[1])),
        "codes": _standing(gpu, model.record_codes(made[0])),
        "codec, 1 frame": _standing(gpu, model.codec.record_decode(codec, 1)),
        "codec, 25 frames": _standing(gpu, model.codec.record_decode(codec, 25)),
    }
    found = await _stepped(gpu, programs, ["backbone"], layers, full)
    others = [name for name in programs if name not in ("backbone", "bare")]
    found += await _stepped(gpu, programs, others, layers, layers)
    by_name = {step["name"]: step["full_ms"] for step in found}
    frame = by_name["backbone"] + by_name["codes"] + by_name["codec, 25 frames"] / 25
    codec.free()
    for state in made:
        state.free()
    model.free()
    return {
        "adapter": gpu.info.name,
        "copy_gb_s": copied / 1e9,
        "layers": layers,
        "steps": found,
        "frame_ms": frame,
        "rtf": frame / 1e3 / TOKEN_S,
    }


async def _stepped(
    gpu: Gpu, programs: dict[str, Program], names: Sequence[str], layers: int, full: int
) -> list[dict[str, Any]]:
    """For each named program: what it takes, its kernels by time, and the estimate for `full` layers from what
    `programs["bare"]`, without any, takes."""
    pieces = {name: _by_kernel(gpu, programs[name]) for name in names}
    timed = {"bare": programs["bare"]} if "bare" in programs else {}
    for name in names:
        timed[name] = programs[name]
        timed |= {f"{name} {kernel}": piece for kernel, piece in pieces[name].items()}
    taken = await seconds(gpu, timed, 5)
    found = []
    for name in names:
        kernels = {kernel: taken[f"{name} {kernel}"] * 1e3 for kernel in pieces[name]}
        step = taken[name]
        products = sum(ms for kernel, ms in kernels.items() if kernel.startswith(PRODUCTS))
        bare = taken.get("bare", step)
        estimate = step if full == layers else bare + (step - bare) / layers * full
        found.append(
            {
                "name": name,
                "ms": step * 1e3,
                "products_ms": products,
                "rest_share": 1 - products / (step * 1e3),
                "dispatches": programs[name].dispatches,
                "full_ms": estimate * 1e3,
                "kernels": dict(sorted(kernels.items(), key=lambda entry: -entry[1])),
            }
        )
    for piece in (piece for by_kernel in pieces.values() for piece in by_kernel.values()):
        gpu.free_program(piece)
    return found


def _by_kernel(gpu: Gpu, program: Program) -> dict[str, Program]:
    """The dispatches of each kernel on their own."""
    kernels: dict[str, list[Any]] = {}
    for dispatch in program.recorded:
        kernels.setdefault(gpu.kernel_of(dispatch), []).append(dispatch)
    return {kernel: gpu.program(dispatches) for kernel, dispatches in kernels.items()}


def _standing(gpu: Gpu, program: Program) -> Program:
    """The program without its last step, so that every replay is at the same position."""
    gpu.free_program(program)
    return gpu.program([d for d in program.recorded if gpu.kernel_of(d) != "advance"])


def _without_layers(model: AsrModel) -> AsrModel:
    config = replace(
        model.config,
        encoder=replace(model.config.encoder, n_layers=0),
        decoder=replace(model.config.decoder, n_layers=0),
    )
    encoder = replace(model.encoder, blocks=())
    decoder = replace(model.decoder, blocks=(), ada0=(), ada2=())
    return AsrModel(model.gpu, config, encoder, decoder)


def _recorded(kind: str, n: int) -> Callable[[AsrModel, AsrState], Program]:
    if kind == "encode":
        return lambda model, state: model.record_encode(state, n)
    return lambda model, state: model.record_decode(state, n, head=True)


def _decoder_state(gpu: Gpu, model: AsrModel, context: int) -> AsrState:
    state = AsrState(gpu, model.config, AsrOptions(), trace=False)
    state.reserve(1, context + 1)
    gpu.write(state.decoder_position, 0, memoryview(array("I", [context])))
    return state


def _speech_state(gpu: Gpu, model: TtsModel, context: int) -> TtsState:
    voice = next(iter(model.voices.values()))
    state = TtsState(gpu, model.config, TtsOptions(), voice)
    state.begin(model.config.prompt(VOICE_ROWS, [model.config.bos]), context)
    state.reserve(context + 1)
    return state


def _linears(layer: Any) -> list[Linear]:
    return [value for value in vars(layer).values() if isinstance(value, Linear)]


def _weight_bytes(layers: Sequence[Linear]) -> int:
    return sum(_bytes(layer.weight) for layer in layers)


def _bytes(weight: Weight) -> int:
    buffers: list[Buffer | None] = [b for s in weight.segments for b in (s.quants, s.scales)]
    return sum(buffer.size for buffer in buffers if buffer is not None)
