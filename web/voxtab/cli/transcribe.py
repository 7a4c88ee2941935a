"""`voxtab transcribe`: speech to text on this machine's GPU."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from voxtab.captions.files import FORMATS, transcript_file
from voxtab.cli.audio import read_audio
from voxtab.cli.errors import reported
from voxtab.cli.loading import Tuning, loaded_engine
from voxtab.errors import VoxtabError
from voxtab.models.asr_state import AsrOptions
from voxtab.sessions.level import peak_gain
from voxtab.sessions.listening import Segment
from voxtab.sessions.trace import Trace
from voxtab.sessions.transcription import Transcription

_stderr = Console(stderr=True)


@reported
def transcribe(
    audio: Annotated[Path, typer.Argument(help="A recording: WAV, FLAC, OGG, MP3; any rate, any channels.")],
    model: Annotated[Path, typer.Option(help="A .gguf file, or a folder of shards.")],
    delay_ms: Annotated[
        int, typer.Option(help="How far the text lags: 80..1200 in steps of 80, or 2400.")
    ] = 480,
    as_json: Annotated[bool, typer.Option("--json", help="Text, tokens, words and figures as JSON.")] = False,
    as_file: Annotated[
        str, typer.Option("--format", help="Text or subtitles on standard output: txt, srt, vtt, json.")
    ] = "",
    trace: Annotated[Path | None, typer.Option(help="Write every stage's output to this .npz file.")] = None,
    chunk_ms: Annotated[
        int, typer.Option(help="Feed the sound in pieces of so many ms; 0: all at once.")
    ] = 0,
    temperature: Annotated[float, typer.Option(help="0 writes the most likely text.")] = 0.0,
    seed: Annotated[int, typer.Option(help="For a temperature above 0.")] = 0,
    max_tokens: Annotated[int | None, typer.Option(help="Stop after so many tokens (80 ms each).")] = None,
    kv_window: Annotated[
        int | None, typer.Option(help="Past positions the decoder keeps; less is less memory.")
    ] = None,
    left_pad_tokens: Annotated[int | None, typer.Option(help="Silence before the sound, 80 ms each.")] = None,
    kv_cache: Annotated[str, typer.Option(help="Storage of keys and values: f16 or f32.")] = "f16",
    normalize: Annotated[bool, typer.Option(help="Scale the recording to a peak of 0.95 first.")] = False,
    tuning: Tuning = True,
) -> None:
    """Write down what a recording says."""
    if chunk_ms < 0:
        raise VoxtabError("option-invalid", f"chunk_ms can't be {chunk_ms}.", "Use 0 or more.")
    if as_file and as_file not in FORMATS:
        raise VoxtabError("option-invalid", f"format can't be {as_file!r}.", f"Use {', '.join(FORMATS)}.")
    pcm = read_audio(audio)
    options = AsrOptions(
        delay_ms=delay_ms,
        temperature=temperature,
        max_tokens=max_tokens,
        kv_window=kv_window,
        left_pad_tokens=left_pad_tokens,
        seed=seed,
        cache=kv_cache,
        gain=peak_gain([pcm.data.cast("B").cast("f")]) if normalize else 1.0,
    )
    kept = Trace() if trace is not None else None
    session = asyncio.run(_transcribe(pcm, model, options, chunk_ms, kept, tuning))
    if kept is not None and trace is not None:
        _write_trace(trace, kept)
    if as_json:
        print(json.dumps(session.result(), ensure_ascii=False, indent=1))
    elif as_file:
        whole = Segment(0.0, session.audio_s, delay_ms, session.text)
        print(transcript_file(as_file, session.words(), [whole]), end="")
    else:
        print(session.text)
        stats = session.stats()
        _stderr.print(
            f"{stats['audio_s']:.1f} s of sound, real-time factor {stats['rtf']:.2f},"
            f" {stats['tokens_per_s']:.1f} tokens/s on {stats['adapter']}",
            style="dim",
            highlight=False,
        )


async def _transcribe(
    pcm: np.ndarray[Any, np.dtype[np.float32]],
    model: Path,
    options: AsrOptions,
    chunk_ms: int,
    trace: Trace | None,
    tuning: bool,
) -> Transcription:
    engine = await loaded_engine(model, _stderr, tuning)
    session = engine.transcription(options, trace)
    with Progress(
        TextColumn("transcribing"), BarColumn(), TimeRemainingColumn(), console=_stderr, transient=True
    ) as bars:
        bar = bars.add_task("", total=len(pcm) / 16000)

        async def tick() -> None:
            bars.update(bar, completed=session.heard_s)
            await asyncio.sleep(0)  # where Ctrl-C takes effect: natively nothing else gives way

        await _run(session, pcm, chunk_ms, tick)
    return session


async def _run(
    session: Transcription, pcm: np.ndarray[Any, np.dtype[np.float32]], chunk_ms: int, tick: Any
) -> None:
    size = chunk_ms * 16 or 30 * 16000
    for start in range(0, len(pcm), size):
        session.feed(pcm[start : start + size].data)
        # As a live source would, or as fast as it is taken, without a long recording waiting inside the session.
        while start + size < len(pcm) and (chunk_ms or session.backlog > size // 2):
            await session.step()
            await tick()
            if chunk_ms or session.done:
                break
    session.close()
    while not session.done:
        await session.step()
        await tick()


def _write_trace(path: Path, trace: Trace) -> None:
    """Stages under the golden files' names; mel is band-major there."""
    stages = {
        name: np.frombuffer(bytes(data), np.float32).reshape(-1, trace.widths[name])
        for name, data in trace.stages.items()
        if data
    }
    if "mel" in stages:
        stages["mel"] = np.ascontiguousarray(stages["mel"].T)
    np.savez(path, allow_pickle=False, tokens_full=np.array(trace.tokens_full, np.int32), **stages)
    print(f"wrote {path}", file=sys.stderr)
