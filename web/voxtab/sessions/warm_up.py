"""Runs every kernel once on silence: drivers compile at the first use, and that belongs to loading."""

from collections.abc import Callable, Iterator

from voxtab.gpu.base import Gpu, Program
from voxtab.kernels.tiles import Tiles
from voxtab.models.asr import AsrModel
from voxtab.models.asr_state import AsrOptions, AsrState
from voxtab.models.codec_state import CodecState
from voxtab.models.tts import TtsModel
from voxtab.models.tts_state import FRAME_SLOTS, TtsOptions, TtsState

# Positions from which on a step shares its context out: another kernel then puts the parts together.
_SHARED_OUT = 512


def row_counts(tiles: Tiles) -> list[int]:
    """The fewest rows that each tile serves, in order. Of so many tokens, rows or frames, layers make one, four or eight
    rows each: so each layer meets each of its kernels."""
    fewest = [1, *(tile.covers[1] + 1 for tile in tiles if tile is not tiles.many)]
    return sorted({tiles.serving(count): count for count in reversed(fewest)}.values())


async def warm_up_asr(model: AsrModel) -> None:
    counts = row_counts(model.gpu.tiles)

    def programs() -> Iterator[Program]:
        state.reserve(sum(counts) * model.config.downsample_factor, _SHARED_OUT)
        yield model.record_time_conditioning(state)
        yield from (model.record_encode(state, tokens) for tokens in counts)
        yield from (model.record_decode(state, rows, head=True) for rows in counts)

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
    rows, counts = voice.rows, row_counts(model.gpu.tiles)

    def programs() -> Iterator[Program]:
        yield model.record_times(state)
        state.begin(model.config.prompt(rows, [model.config.bos] * counts[-1]), 0)
        state.reserve(_SHARED_OUT)
        yield from (model.record_prefill(state, count) for count in counts)
        yield model.record_frame(state)
        yield from (model.codec.record_decode(codec, frames) for frames in counts)

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
