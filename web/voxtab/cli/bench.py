"""`voxtab bench`: how fast the engine is on this machine's GPU, on made-up weights of the 4B models' shapes."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Annotated, Any

import typer

from voxtab.bench.kernels import GROUPS, bench_kernels
from voxtab.bench.report import as_text
from voxtab.bench.steps import bench_decode, bench_encode, bench_speak
from voxtab.cli.errors import reported
from voxtab.errors import VoxtabError
from voxtab.gpu.native import NativeGpu

bench = typer.Typer(
    no_args_is_help=True, help="Measure the engine here, on made-up weights of the 4B models' shapes."
)

_Json = Annotated[bool, typer.Option("--json", help="Every figure as JSON.")]
_Layers = Annotated[int, typer.Option(help="Measure with so many layers; the full model is told from them.")]


@bench.command()
@reported
def kernels(
    group: Annotated[
        list[str] | None, typer.Option(help=f"Only these: {', '.join(GROUPS)}; may be repeated.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Matrix products beside the plainest kernel and a copy from buffer to buffer."""
    groups = group or list(GROUPS)
    for name in groups:
        if name not in GROUPS:
            raise VoxtabError("option-invalid", f"There is no group {name!r}.", f"Use {', '.join(GROUPS)}.")
    _print(bench_kernels(NativeGpu(), groups), as_json)


@bench.command()
@reported
def decode(
    layers: _Layers = 2,
    context: Annotated[
        list[int] | None, typer.Option(help="Positions before the step; may be repeated.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """A step of the speech-to-text model's decoder; the floor is its weights at the speed of a copy."""
    contexts = context or [100, 8000]
    if layers < 1 or not all(1 <= each < 8192 for each in contexts):
        raise VoxtabError(
            "option-invalid", "That is out of range.", "Use 1 layer or more, contexts of 1 to 8191."
        )
    _print(bench_decode(NativeGpu(), layers, contexts), as_json)


@bench.command()
@reported
def encode(
    layers: _Layers = 2,
    tokens: Annotated[list[int] | None, typer.Option(help="80 ms each; may be repeated.")] = None,
    as_json: _Json = False,
) -> None:
    """Chunks of the audio encoder, and of a prompt as long."""
    sizes = tokens or [1, 16, 64]
    if layers < 1 or not all(1 <= each <= 64 for each in sizes):
        raise VoxtabError("option-invalid", "That is out of range.", "Use 1 layer or more, 1 to 64 tokens.")
    _print(bench_encode(NativeGpu(), layers, sizes), as_json)


@bench.command()
@reported
def speak(
    layers: _Layers = 2,
    context: Annotated[int, typer.Option(help="Positions before the frame.")] = 200,
    as_json: _Json = False,
) -> None:
    """A frame of speech, 80 ms: backbone, acoustic codes, codec."""
    if layers < 1 or not 1 <= context < 4096:
        raise VoxtabError(
            "option-invalid", "That is out of range.", "Use 1 layer or more, a context of 1 to 4095."
        )
    _print(bench_speak(NativeGpu(), layers, context), as_json)


def _print(measuring: Coroutine[Any, Any, dict[str, Any]], as_json: bool) -> None:
    result = asyncio.run(measuring)
    print(json.dumps(result, indent=1) if as_json else as_text(result))
