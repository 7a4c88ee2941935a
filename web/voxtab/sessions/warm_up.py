"""Runs every kernel once on silence: drivers compile at the first use, and that belongs to loading."""

from collections.abc import Callable, Iterator

from voxtab.gpu.base import Gpu, Program
from voxtab.models.asr import AsrModel
from voxtab.models.asr_state import AsrOptions, AsrState
from voxtab.models.codec_state import CodecState
from voxtab.models.tts import TtsModel
from voxtab.models.tts_state import FRAME_SLOTS, TtsOptions, TtsState

# One row goes to the matrix-vector kernel; a couple, and many, to the two tiles of the matrix-matrix kernel. The counts
# are of tokens, rows or frames, of which the layers make one, four or eight rows each.
_COUPLE, _MANY = 3, 9


async def warm_up_asr(model: AsrModel) -> None:
    def programs() -> Iterator[Program]:
        state.reserve((1 + _COUPLE + _MANY) * model.config.downsample_factor, 1 + _COUPLE + _MANY)
        yield model.record_time_conditioning(state)
        yield from (model.record_encode(state, tokens) for tokens in (1, _COUPLE, _MANY))
        yield from (model.record_decode(state, rows, head=True) for rows in (_MANY, _COUPLE, 1))

    with model.gpu.all_or_nothing():
        state = AsrState(model.gpu, model.config, AsrOptions(), trace=False)
    try:
        await _run(model.gpu, programs)
    finally:
        state.free()


async def warm_up_tts(model: TtsModel) -> None:
    voice = next(iter(model.voices.values()), None)
    if voice is None:
        return
    rows = voice.rows

    def programs() -> Iterator[Program]:
        yield model.record_times(state)
        state.begin(model.config.prompt(rows, [model.config.bos] * _MANY), 0)
        state.reserve(1 + _COUPLE + _MANY + 1)
        yield from (model.record_prefill(state, count) for count in (1, _COUPLE, _MANY))
        yield model.record_frame(state)
        yield from (model.codec.record_decode(codec, frames) for frames in (1, _COUPLE, _MANY))

    with model.gpu.all_or_nothing():
        state = TtsState(model.gpu, model.config, TtsOptions(), voice)
        codec = CodecState(model.gpu, model.codec.config, state.codes, FRAME_SLOTS)
    try:
        await _run(model.gpu, programs)
    finally:
        codec.free()
        state.free()


async def _run(gpu: Gpu, record: Callable[[], Iterator[Program]]) -> None:
    programs: list[Program] = []
    try:
        with gpu.all_or_nothing():
            programs.extend(record())
        await gpu.ready()
        for program in programs:
            gpu.run(program)
        await gpu.drain()
    finally:
        for program in programs:
            gpu.free_program(program)
