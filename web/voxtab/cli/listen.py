"""`voxtab listen`: live captions in a terminal."""

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from voxtab.captions.files import FORMATS, transcript_file
from voxtab.cli.errors import reported
from voxtab.cli.live_sound import PcmStream, Pieces, microphone, microphone_rate, read_stdin
from voxtab.cli.loading import Tuning, loaded_engine
from voxtab.errors import VoxtabError
from voxtab.sessions.listening import MAX_BACKLOG_S, Listening, ListenOptions

_stderr = Console(stderr=True)
# A microphone can't wait; standard input can, and is not read while so much does.
_MOST_WAITING_S = MAX_BACKLOG_S - 30


@reported
def listen(
    model: Annotated[Path, typer.Option(help="A .gguf file, or a folder of shards.")],
    mic: Annotated[
        bool, typer.Option("--mic", help="Listen to the microphone, not to standard input.")
    ] = False,
    pcm_format: Annotated[
        str, typer.Option("--format", help="Of standard input, mono PCM: s16le or f32le.")
    ] = "s16le",
    rate: Annotated[int, typer.Option(help="Of standard input, samples per second.")] = 16000,
    delay_ms: Annotated[
        int, typer.Option(help="How far the text lags: 80..1200 in steps of 80, or 2400.")
    ] = 480,
    kv_window: Annotated[
        int | None, typer.Option(help="Past positions the decoder keeps; less is less memory.")
    ] = None,
    kv_cache: Annotated[str, typer.Option(help="Storage of keys and values: f16 or f32.")] = "f16",
    export: Annotated[
        Path | None, typer.Option(help="Write a file in the end: .txt, .srt, .vtt or .json.")
    ] = None,
    tuning: Tuning = True,
) -> None:
    """Write down what is being said, until the sound ends or Ctrl-C is pressed."""
    options = ListenOptions(delay_ms=delay_ms, kv_window=kv_window, cache=kv_cache)
    options.of_segment()
    if mic:
        pcm_format, rate = "f32le", microphone_rate()
    PcmStream(pcm_format, rate)
    if export is not None:
        _check_writable(export)
    asyncio.run(_listen(model, options, mic, pcm_format, rate, export, tuning))


async def _listen(
    model: Path,
    options: ListenOptions,
    mic: bool,
    pcm_format: str,
    rate: int,
    export: Path | None,
    tuning: bool,
) -> None:
    engine = await loaded_engine(model, _stderr, tuning)
    session = engine.listening(options)
    pieces: Pieces = asyncio.Queue()
    try:
        with ExitStack() as open_sound:
            if mic:
                open_sound.enter_context(microphone(pieces, rate, _say_lost))
            else:
                read_stdin(pieces)
            _end_on_interrupt(pieces)
            await _follow(session, pieces, PcmStream(pcm_format, rate), wait=not mic)
    finally:
        if export is not None:
            export.write_text(
                transcript_file(export.suffix[1:], session.words(), session.segments()), "utf-8"
            )
    stats = session.stats()
    _stderr.print(
        f"{stats['audio_s']:.1f} s of sound, real-time factor {stats['rtf']:.2f} on {stats['adapter']}",
        style="dim",
        highlight=False,
    )


async def _follow(session: Listening, pieces: Pieces, pcm: PcmStream, wait: bool) -> None:
    """Feed what comes and print what is heard, until the end. `wait`: let sound wait outside when much does inside.

    Raises VoxtabError for sound that the session refuses, after what was fed before it has been written.
    """
    begun = False
    fed = False
    refused: VoxtabError | None = None
    while not session.done:
        while not fed and (session.idle or not pieces.empty()):
            if wait and session.backlog_s > _MOST_WAITING_S:
                break
            piece = await pieces.get()
            try:
                session.feed(pcm.samples(piece or b"", last=piece is None).data)
            except VoxtabError as error:
                refused = error
            if piece is None or refused is not None:
                session.close()
                fed = True
        text = (await session.step()).text
        text = text if begun else text.lstrip()
        begun = begun or bool(text)
        print(text, end="", flush=True)
        await asyncio.sleep(0)  # where sound comes in: natively nothing else gives way
    print()
    if refused is not None:
        raise refused


def _say_lost() -> None:
    _stderr.print("Some sound was lost: the computer was too busy to take it in.", style="yellow")


def _end_on_interrupt(pieces: Pieces) -> None:
    """The first Ctrl-C ends the sound, and what was said is written; a second one ends the program."""
    loop = asyncio.get_running_loop()

    def end(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        loop.call_soon_threadsafe(pieces.put_nowait, None)

    signal.signal(signal.SIGINT, end)


def _check_writable(export: Path) -> None:
    """Before anything is said, not after. Raises VoxtabError option-invalid."""
    if export.suffix[1:] not in FORMATS:
        raise VoxtabError(
            "option-invalid",
            f"{export.name!r} doesn't tell what to write.",
            f"Let the name end in .{', .'.join(FORMATS)}.",
        )
    try:
        export.touch()
    except OSError as error:
        raise VoxtabError(
            "option-invalid", f"{export} can't be written: {error}.", "Choose another place."
        ) from error
