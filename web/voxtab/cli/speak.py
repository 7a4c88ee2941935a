"""`voxtab speak` and `voxtab voices`: text to speech on this machine's GPU."""

import asyncio
import json
import sys
from array import array
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from voxtab.cli.errors import reported
from voxtab.cli.loading import Tuning, loaded_engine
from voxtab.cli.sound_file import StreamedWav, write_wav
from voxtab.errors import VoxtabError
from voxtab.sessions.engine import Engine
from voxtab.sessions.speech import Speech, SpeechOptions
from voxtab.sessions.speech_trace import SpeechTrace

_stderr = Console(stderr=True)

Model = Annotated[Path, typer.Option(help="A .gguf file, or a folder of shards.")]


@reported
def voices(
    model: Model,
    as_json: Annotated[bool, typer.Option("--json", help="Names, languages and rows as JSON.")] = False,
) -> None:
    """List a speech model's voices."""
    engine = asyncio.run(loaded_engine(model, _stderr, tuning=False))
    found = engine.voices()
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return
    table = Table("voice", "language", "prompt")
    for voice in found:
        table.add_row(voice["name"], voice["language"], f"{voice['rows'] * 0.08:.1f} s")
    Console().print(table)
    _licence(engine)


@reported
def speak(
    text: Annotated[str, typer.Argument(help="What to say; - reads it from standard input.")],
    model: Model,
    voice: Annotated[str | None, typer.Option(help="See voxtab voices; default: the model's first.")] = None,
    euler_steps: Annotated[
        int | None, typer.Option(help="Steps of a frame: 7 is what the model was made for, 3 is fast.")
    ] = None,
    cfg: Annotated[float | None, typer.Option(help="Strength of guidance; the model's own is 1.2.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same speech.")] = 0,
    output: Annotated[
        str, typer.Option("-o", "--output", help="A WAV file; - is standard output.")
    ] = "speech.wav",
    stream: Annotated[bool, typer.Option(help="Write sound as it is made, not at the end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Codes, frames and figures as JSON.")] = False,
    noise: Annotated[
        Path | None,
        typer.Option(help="Noise to start from in place of the seed's: .npy, f32 [frames, codebooks]."),
    ] = None,
    trace: Annotated[Path | None, typer.Option(help="Write every stage's output to this .npz file.")] = None,
    kv_cache: Annotated[str, typer.Option(help="Storage of keys and values: f16 or f32.")] = "f16",
    tuning: Tuning = True,
) -> None:
    """Speak a text into a WAV file, 24 kHz mono."""
    if as_json and output == "-":
        raise VoxtabError(
            "option-invalid", "Sound and JSON can't both go to standard output.", "Use -o with a file."
        )
    said = sys.stdin.read() if text == "-" else text
    given = _read_noise(noise) if noise is not None else None
    options = SpeechOptions(euler_steps, cfg, kv_cache, seed, noise=given)
    kept = SpeechTrace() if trace is not None else None
    result = asyncio.run(_speak(said, model, voice, options, output, stream, kept, tuning))
    if kept is not None and trace is not None:
        _write_trace(trace, kept, result["codes"])
    if as_json:
        print(json.dumps(result, ensure_ascii=False))
    stats = result["stats"]
    first = stats["first_audio_ms"]
    _stderr.print(
        f"{stats['audio_s']:.1f} s of speech, first sound after {(first or 0) / 1e3:.2f} s,"
        f" real-time factor {stats['rtf']:.2f} on {stats['adapter']}",
        style="dim",
        highlight=False,
    )


async def _speak(
    text: str,
    model: Path,
    voice: str | None,
    options: SpeechOptions,
    output: str,
    stream: bool,
    trace: SpeechTrace | None,
    tuning: bool,
) -> dict[str, Any]:
    engine = await loaded_engine(model, _stderr, tuning)
    names = [entry["name"] for entry in engine.voices()]
    session = engine.speech(text, voice or (names[0] if names else ""), options, trace)
    try:
        if stream:
            with _opened(output) as file:
                sink = StreamedWav(file, session.sample_rate)
                await _run(session, sink.write)
        else:
            sound = array("f")
            await _run(session, sound.extend)
            samples = np.frombuffer(sound, np.float32)
            with _opened(output) as file:
                write_wav(file, samples, session.sample_rate)
        return session.result() | {"voice": voice or names[0]}
    finally:
        session.free()


async def _run(session: Speech, take: Any) -> None:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=_stderr, transient=True) as bars:
        bar = bars.add_task("speaking")
        while not session.done:
            take(await session.step())
            begun, planned = session.utterance
            part = f", part {begun} of {planned}" if planned > 1 else ""
            bars.update(bar, description=f"{session.audio_s:.1f} s of speech{part}")
            await asyncio.sleep(0)  # where Ctrl-C takes effect


def _opened(output: str) -> AbstractContextManager[BinaryIO]:
    if output == "-":
        return nullcontext(sys.stdout.buffer)
    try:
        return Path(output).open("wb")
    except OSError as error:
        raise VoxtabError(
            "option-invalid", f"{output} can't be written: {error.strerror}.", "Choose another place."
        ) from error


def _read_noise(path: Path) -> "array[float]":
    try:
        loaded: npt.NDArray[Any] = np.load(path, allow_pickle=False)
        values = np.ascontiguousarray(loaded, np.float32)
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise VoxtabError(
            "option-invalid", f"{path} can't be read as noise: {error}.", "Use a .npy file of numbers."
        ) from error
    if not np.isfinite(values).all():
        raise VoxtabError("option-invalid", f"{path} holds values that are no numbers.", "Use another file.")
    return array("f", values.tobytes())


def _write_trace(path: Path, trace: SpeechTrace, codes: list[list[int]]) -> None:
    stages = {
        name: np.frombuffer(bytes(data), np.float32).reshape(-1, trace.widths[name])
        for name, data in trace.stages.items()
    }
    np.savez(path, allow_pickle=False, codes=np.array(codes, np.int32), **stages)
    _stderr.print(f"wrote {path}", style="dim", highlight=False)


def _licence(engine: Engine) -> None:
    if licence := engine.voice_license():
        _stderr.print(f"The voices' licence: {licence}", style="dim", highlight=False)
