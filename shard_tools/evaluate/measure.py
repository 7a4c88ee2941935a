"""Runs a model over recordings, one session after the other, and scores what it writes."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from shard_tools.evaluate.items import Floats, Item
from shard_tools.evaluate.normaliser import Normaliser, NormaliserName, find_normaliser
from shard_tools.evaluate.report import FileResult, Report
from shard_tools.evaluate.score import count_characters, count_words
from shard_tools.progress import Progress, silent
from voxtab.cli.model_files import open_model
from voxtab.errors import VoxtabError
from voxtab.gpu.native import NativeGpu
from voxtab.models.asr_state import AsrOptions
from voxtab.models.log_mel import SAMPLE_RATE
from voxtab.sessions.engine import Engine
from voxtab.sessions.level import peak_gain

# A long recording goes in pieces, so that it does not wait inside the session as a whole.
_PIECE: Final = 30 * SAMPLE_RATE
# What is wrong with one recording; everything else would go wrong with the next one too.
_ITS_OWN: Final = ("audio-missing", "audio-undecodable", "audio-empty")

FilesDone = Callable[[float, int], None]
"""(recordings done, a part of the present one included; recordings in all)"""


def nobody(done: float, total: int) -> None:
    """The progress nobody watches."""


@dataclass(frozen=True)
class LoadedEngine:
    """`seconds` it took to load the model called `name`, whose own delay is `delay_ms`."""

    engine: Engine
    name: str
    delay_ms: int
    seconds: float


def load_engine(model: Path, progress: Progress = silent) -> LoadedEngine:
    """The model at `model` (a .gguf file, or a folder of shards) on this machine's GPU. `progress(done, total)` is
    called with bytes. Raises VoxtabError, and KeyboardInterrupt soon after Ctrl-C."""

    def watched(done: int, total: int) -> None:
        progress(done, total)
        # asyncio turns Ctrl-C into a cancellation of this task, which nothing here waits for.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError

    async def load() -> LoadedEngine:
        started = time.perf_counter()
        engine = Engine(NativeGpu())
        source = open_model(model, watched)
        found = await engine.load(source, source.tekken)
        await asyncio.sleep(0)
        return LoadedEngine(engine, found["name"], found["delay_ms"], time.perf_counter() - started)

    return asyncio.run(load())


def evaluate(
    engine: Engine,
    items: Sequence[Item],
    options: AsrOptions | None = None,
    normaliser: NormaliserName = "basic",
    normalize_peak: bool = False,
    progress: FilesDone = nobody,
) -> Report:
    """All results of `measure`, whose arguments and errors these are."""
    results = measure(engine, items, options, normaliser, normalize_peak, progress)
    return Report(list(results), normaliser, planned=len(items))


def measure(
    engine: Engine,
    items: Sequence[Item],
    options: AsrOptions | None = None,
    normaliser: str = "basic",
    normalize_peak: bool = False,
    progress: FilesDone = nobody,
) -> Iterator[FileResult]:
    """The result of each recording, in order, as soon as it is there.

    `options`: the sessions'; None is the model's own delay. `normalize_peak`: scale each recording to a peak of 0.95
    (in place of `options.gain`). `normaliser`: see find_normaliser. A recording that can't be read is a result with an
    `error`. Raises VoxtabError option-invalid, device-lost or adapter-too-small; KeyboardInterrupt within a moment of
    Ctrl-C, and results that came before it stay good. Not for use inside a running event loop.
    """
    options = options or AsrOptions()
    rules = find_normaliser(normaliser)
    with asyncio.Runner() as runner:
        for index, item in enumerate(items):

            def part_done(part: float, index: int = index) -> None:
                progress(index + part, len(items))

            part_done(0.0)
            yield runner.run(_result(engine, item, options, rules, normalize_peak, part_done))
        progress(len(items), len(items))


async def _result(
    engine: Engine,
    item: Item,
    options: AsrOptions,
    rules: Normaliser,
    normalize_peak: bool,
    progress: Callable[[float], None],
) -> FileResult:
    name = item.name or (str(item.audio) if isinstance(item.audio, Path) else "")
    try:
        samples = item.samples()
        if normalize_peak:
            extremes = np.array([samples.min(), samples.max()], np.float32)
            options = replace(options, gain=peak_gain([extremes.data.cast("B").cast("f")]))
        started = time.perf_counter()
        text = await _transcribed(engine, samples, options, progress)
        processing_s = time.perf_counter() - started
    except VoxtabError as error:
        if error.code not in _ITS_OWN:
            raise
        return FileResult(name, item.group, item.text, error=error)
    wanted, written = rules(item.text), rules(text)
    return FileResult(
        name,
        item.group,
        item.text,
        text,
        len(samples) / SAMPLE_RATE,
        processing_s,
        count_words(wanted, written),
        count_characters(wanted, written),
    )


async def _transcribed(
    engine: Engine, samples: Floats, options: AsrOptions, progress: Callable[[float], None]
) -> str:
    session = engine.transcription(options)

    async def step() -> None:
        await session.step()
        progress(session.heard_s * SAMPLE_RATE / len(samples))
        await asyncio.sleep(0)  # where Ctrl-C gets through

    try:
        for start in range(0, len(samples), _PIECE):
            session.feed(samples[start : start + _PIECE].data)
            while session.backlog > _PIECE and not session.done:
                await step()
        session.close()
        while not session.done:
            await step()
        return session.text
    finally:
        session.free()
