"""Compiles all that sessions run, and runs it once on silence, since drivers put off some of it to the first use: that
belongs to loading.

Compiling is most of what loading a small model takes, and it needs none of the weights. So it begins from the header
alone and goes on while they come.
"""

from collections.abc import Callable, Iterator

from voxtab.formats.gguf_split import MergedGguf
from voxtab.gpu.base import Gpu, Program
from voxtab.gpu.measuring import MeasuringGpu
from voxtab.kernels.tiles import Tiles
from voxtab.models.asr import AsrModel
from voxtab.models.asr_state import AsrOptions, AsrState
from voxtab.models.codec_state import CodecState
from voxtab.models.load_asr import plan_asr
from voxtab.models.load_tts import plan_tts
from voxtab.models.tts import TtsModel
from voxtab.models.tts_state import FRAME_SLOTS, TtsOptions, TtsState

# Positions from which on a step shares its context out: another kernel then puts the parts together.
_SHARED_OUT = 512


class _CompilingGpu(MeasuringGpu):
    """Allocates nothing; the pipelines of what is recorded on it are another device's."""

    def __init__(self, gpu: Gpu) -> None:
        super().__init__(gpu.info)
        self.chosen_tiles = gpu.chosen_tiles
        self._gpu = gpu

    def _create_pipeline(self, key: str, source: str, constants: dict[str, int]) -> int:
        return self._gpu.pipeline(key, source, constants)


def compile_asr(gpu: Gpu, directory: MergedGguf) -> None:
    """Begin to compile what `warm_up_asr` will run."""
    model, _ = plan_asr(_CompilingGpu(gpu), directory)
    for _ in _asr_programs(model, AsrState(model.gpu, model.config, AsrOptions(), trace=False)):
        pass


def compile_tts(gpu: Gpu, directory: MergedGguf) -> None:
    """Begin to compile what `warm_up_tts` will run."""
    model, _ = plan_tts(_CompilingGpu(gpu), directory)
    for voice in list(model.voices.values())[:1]:
        state = TtsState(model.gpu, model.config, TtsOptions(), voice)
        codec = CodecState(model.gpu, model.codec.config, state.codes, FRAME_SLOTS)
        for _ in _tts_programs(model, state, codec, voice.rows):
            pass


def row_counts(tiles: Tiles) -> list[int]:
    """The fewest rows that each tile serves, in order. Of so many tokens, rows or frames, layers make one, four or eight
    rows each: so each layer meets each of its kernels."""
    fewest = [1, *(tile.covers[1] + 1 for tile in tiles if tile is not tiles.many)]
    return sorted({tiles.serving(count): count for count in reversed(fewest)}.values())


async def warm_up_asr(model: AsrModel) -> None:
    with model.gpu.all_or_nothing():
        state = AsrState(model.gpu, model.config, AsrOptions(), trace=False)
    try:
        await _run(model.gpu, lambda: _asr_programs(model, state))
    finally:
        state.free()


async def warm_up_tts(model: TtsModel) -> None:
    voice = next(iter(model.voices.values()), None)
    if voice is None:
        return
    with model.gpu.all_or_nothing():
        state = TtsState(model.gpu, model.config, TtsOptions(), voice)
        codec = CodecState(model.gpu, model.codec.config, state.codes, FRAME_SLOTS)
    try:
        await _run(model.gpu, lambda: _tts_programs(model, state, codec, voice.rows))
    finally:
        codec.free()
        state.free()


def _asr_programs(model: AsrModel, state: AsrState) -> Iterator[Program]:
    counts = row_counts(model.gpu.tiles)
    state.reserve(sum(counts) * model.config.downsample_factor, _SHARED_OUT)
    yield model.record_time_conditioning(state)
    yield from (model.record_encode(state, tokens) for tokens in counts)
    yield from (model.record_decode(state, rows, head=True) for rows in counts)


def _tts_programs(model: TtsModel, state: TtsState, codec: CodecState, voice_rows: int) -> Iterator[Program]:
    counts = row_counts(model.gpu.tiles)
    yield model.record_times(state)
    state.begin(model.config.prompt(voice_rows, [model.config.bos] * counts[-1]), 0)
    state.reserve(_SHARED_OUT)
    yield from (model.record_prefill(state, count) for count in counts)
    yield model.record_frame(state)
    yield from (model.codec.record_decode(codec, frames) for frames in counts)


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
