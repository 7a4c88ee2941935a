"""Single stages of a speech model by themselves: the acoustic head on a given hidden state, the codec on given codes.

The standard library and the engine alone, so that the same code runs natively and in a worker's Python.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import cycle

from voxtab.gpu.base import Gpu, Program
from voxtab.models.codec import Codec
from voxtab.models.codec_state import CodecState
from voxtab.models.tts import TtsModel
from voxtab.models.tts_state import TtsState
from voxtab.nn.weights import Tensor

# Slots of the ring that the codec's codes come from: few, so that it wraps.
CODE_SLOTS = 32


async def first_frame(model: TtsModel, state: TtsState, hidden: array[float]) -> list[int]:
    """The codes of a first frame decoded from this hidden state, with the noise that was written."""
    state.begin([0], 0)
    model.gpu.write(model.hidden().buffer, 0, memoryview(hidden))
    program = model.record_codes(state)
    model.gpu.run(program)
    model.gpu.free_program(program)
    return array("i", await _bytes(model.gpu, state.codes, 1)).tolist()


def codec_state(codec: Codec, trace: bool = False, cache: str = "f32") -> CodecState:
    """One whose ring of codes `decoded` fills; whoever asks for it frees it."""
    width = 1 + codec.config.n_acoustic
    ring = Tensor(codec.gpu.buffer(CODE_SLOTS * width * 4, "codes"), width)
    return CodecState(codec.gpu, codec.config, ring, CODE_SLOTS, cache, trace)


async def decoded(
    codec: Codec, state: CodecState, codes: Sequence[Sequence[int]], chunks: Sequence[int]
) -> array[float]:
    """Samples of all frames, in chunks of these sizes, repeated; each chunk's codes come just before it."""
    programs: dict[int, Program] = {}
    sound = array("f")
    start = 0
    for size in cycle(chunks):
        part = codes[start : start + size]
        if not len(part):
            break
        for number, row in enumerate(part, start):
            place = number % CODE_SLOTS * len(row) * 4
            codec.gpu.write(state.codes.buffer, place, memoryview(array("I", row)))
        if len(part) not in programs:
            programs[len(part)] = codec.record_decode(state, len(part))
        codec.gpu.run(programs[len(part)])
        samples = len(part) * codec.config.samples_per_frame
        sound.frombytes(await codec.gpu.read(state.samples.buffer, 0, samples * 4).bytes())
        start += len(part)
    for program in programs.values():
        codec.gpu.free_program(program)
    return sound


async def rows_of(gpu: Gpu, tensor: Tensor, rows: int) -> array[float]:
    """The first rows of a float32 tensor, end to end."""
    return array("f", await _bytes(gpu, tensor, rows))


async def _bytes(gpu: Gpu, tensor: Tensor, rows: int) -> bytes:
    size = tensor.width * 4
    return await gpu.read(tensor.buffer, tensor.row * size, rows * size).bytes()
