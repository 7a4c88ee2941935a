"""Files of a made-up model for `voxtab bench load`, and the ways to load them here."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from shard_tools.sizes import ModelSizes
from shard_tools.split import split_gguf
from shard_tools.synth import PRESETS, SPEECH_PRESETS, synth_gguf
from shard_tools.tts_sizes import SpeechSizes
from voxtab.bench.load import Way
from voxtab.cli.model_files import open_model
from voxtab.gpu.base import Gpu
from voxtab.gpu.measuring import MeasuringGpu
from voxtab.models.source import ModelSource

GGUF, SHARDS = "made-up.gguf", "shards"


def write_model(folder: Path, preset: str, layers: int) -> None:
    """GGUF in `folder`, and the same as shards with a manifest: random weights, Q4_0, `layers` in every deep stack."""
    if preset in SPEECH_PRESETS:
        speech = SPEECH_PRESETS[preset]
        sizes: ModelSizes | SpeechSizes = replace(speech, backbone=replace(speech.backbone, layers=layers))
    else:
        hearing = PRESETS[preset]
        sizes = replace(
            hearing,
            encoder=replace(hearing.encoder, layers=layers),
            decoder=replace(hearing.decoder, layers=layers),
        )
    synth_gguf(folder / GGUF, sizes, scales="absmax")
    split_gguf(folder / GGUF, folder / SHARDS)


def load_ways(gpu: Gpu, folder: Path) -> list[Way]:
    idle = MeasuringGpu(gpu.info)
    return [
        Way("read", idle, _source(folder / GGUF)),
        Way("read, checked", idle, _source(folder / SHARDS)),
        Way("read, checked, on the GPU", gpu, _source(folder / SHARDS)),
    ]


def _source(path: Path) -> Callable[[], AbstractAsyncContextManager[ModelSource]]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[ModelSource]:
        yield open_model(path)

    return opened
