"""`voxtab bench`: how fast the engine is on this machine's GPU, on made-up weights of the 4B models' shapes."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from voxtab.bench.kernels import GROUPS, GROUPS_OF, bench_kernels
from voxtab.bench.load import bench_load
from voxtab.bench.presets import PRESETS, SPEAKER, TRANSCRIBER, sizes, speaker, transcriber
from voxtab.bench.report import as_text
from voxtab.bench.session import bench_session
from voxtab.bench.steps import bench_decode, bench_encode, bench_speak
from voxtab.cli.errors import reported
from voxtab.cli.loading import Tuning
from voxtab.cli.tuning_file import TuningFolder, cache_folder
from voxtab.errors import VoxtabError
from voxtab.gpu.base import Gpu
from voxtab.gpu.native import NativeGpu
from voxtab.tuning.tuner import LEAST_WEIGHTS, Tuner

bench = typer.Typer(
    no_args_is_help=True,
    help="Measure the engine here, on made-up weights of the 4B models' shapes. VOXTAB_ADAPTER picks the GPU by a part"
    " of its name. Only figures of one run compare well: machines drift.",
)

_Json = Annotated[bool, typer.Option("--json", help="Every figure as JSON.")]
_Preset = Annotated[str, typer.Option(help=f"The model: {' or '.join(PRESETS)}.")]
_Layers = Annotated[
    int, typer.Option(min=1, help="Measure with so many layers; the full model is told from them.")
]


@bench.command()
@reported
def kernels(
    group: Annotated[
        list[str] | None, typer.Option(help=f"Only these: {', '.join(GROUPS)}; may be repeated.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help=f"Only what {' or '.join(PRESETS)} has.")] = None,
    tuning: Tuning = True,
    as_json: _Json = False,
) -> None:
    """Matrix products beside the plainest kernel and a copy from buffer to buffer."""
    for name in group or ():
        if name not in GROUPS:
            raise VoxtabError("option-invalid", f"There is no group {name!r}.", f"Use {', '.join(GROUPS)}.")
    if preset is not None:
        sizes(preset)
    groups = [name for name in GROUPS_OF.get(preset or "", GROUPS) if name in (group or GROUPS)]
    _measure(lambda gpu: bench_kernels(gpu, groups), tuning, as_json)


@bench.command()
@reported
def decode(
    preset: _Preset = TRANSCRIBER,
    layers: _Layers = 2,
    context: Annotated[
        list[int] | None, typer.Option(min=1, max=8191, help="Positions before the step; may be repeated.")
    ] = None,
    tuning: Tuning = True,
    as_json: _Json = False,
) -> None:
    """A step of the speech-to-text model's decoder; the floor is its weights at the speed of a copy."""
    config = transcriber(preset)
    _measure(lambda gpu: bench_decode(gpu, config, layers, context or [100, 8000]), tuning, as_json)


@bench.command()
@reported
def encode(
    preset: _Preset = TRANSCRIBER,
    layers: _Layers = 2,
    tokens: Annotated[
        list[int] | None, typer.Option(min=1, max=64, help="80 ms each; may be repeated.")
    ] = None,
    tuning: Tuning = True,
    as_json: _Json = False,
) -> None:
    """Chunks of the audio encoder, and of a prompt as long."""
    config = transcriber(preset)
    _measure(lambda gpu: bench_encode(gpu, config, layers, tokens or [1, 16, 64]), tuning, as_json)


@bench.command()
@reported
def speak(
    preset: _Preset = SPEAKER,
    layers: _Layers = 2,
    context: Annotated[int, typer.Option(min=1, max=4095, help="Positions before the frame.")] = 200,
    tuning: Tuning = True,
    as_json: _Json = False,
) -> None:
    """A frame of speech, 80 ms: backbone, acoustic codes, codec."""
    config = speaker(preset)
    _measure(lambda gpu: bench_speak(gpu, config, layers, context), tuning, as_json)


@bench.command()
@reported
def load(
    preset: _Preset = TRANSCRIBER, layers: _Layers = 2, tuning: Tuning = True, as_json: _Json = False
) -> None:
    """Loading a made-up model from files: reading, checking against the manifest, repacking on the GPU.

    The files are written to the system's temporary folder first, twice (TMPDIR picks another): 0.7 GB with 2 layers, 5 GB
    with 32. They are read while the system still has them cached, so that a disk's speed is not in the figures.
    """
    from voxtab.cli.bench_files import load_ways, write_model  # with numpy, which nothing else here needs

    sizes(preset)
    with TemporaryDirectory(prefix="voxtab-bench-") as folder:
        write_model(Path(folder), preset, layers)
        _measure(lambda gpu: bench_load(gpu, layers, load_ways(gpu, Path(folder))), tuning, as_json)


@bench.command()
@reported
def session(
    preset: _Preset = TRANSCRIBER,
    layers: Annotated[
        int | None,
        typer.Option(min=1, help="As for the others. [default: all of the model's; 1 on a software adapter]"),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.08, max=600, help="Of sound. [default: 16; on a software adapter 1]"),
    ] = None,
    tuning: Tuning = True,
    as_json: _Json = False,
) -> None:
    """A whole session: real-time factor, Python's work a step, submits and readbacks, how soon the first token comes."""
    config = sizes(preset)
    _measure(lambda gpu: bench_session(gpu, config, layers, seconds), tuning, as_json)


def _measure(
    measured: Callable[[Gpu], Coroutine[Any, Any, dict[str, Any]]], tuning: bool, as_json: bool
) -> None:
    async def measure() -> dict[str, Any]:
        gpu = NativeGpu()
        if tuning:
            await Tuner(TuningFolder(cache_folder())).prepare(gpu, LEAST_WEIGHTS)
        return await measured(gpu) | {"tiles": [asdict(tile) for tile in gpu.tiles]}

    result = asyncio.run(measure())
    print(json.dumps(result, indent=1) if as_json else as_text(result))
