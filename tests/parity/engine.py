"""Runs the engine natively and hands back what it computed under the golden files' names."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxtab.cli.model_files import open_model
from voxtab.gpu.base import Gpu
from voxtab.models.asr_state import AsrOptions
from voxtab.sessions.engine import Engine
from voxtab.sessions.speech import Speech
from voxtab.sessions.trace import Trace
from voxtab.sessions.transcription import Transcription

Floats = npt.NDArray[np.float32]


def loaded(gpu: Gpu, model: Path) -> Engine:
    """An engine with the model at `model`."""

    async def load() -> Engine:
        engine = Engine(gpu)
        source = open_model(model)
        await engine.load(source, source.tekken)
        return engine

    return asyncio.run(load())


def transcribe(
    engine: Engine, audio: Floats, options: AsrOptions, feeds: Sequence[int] = ()
) -> Transcription:
    """A finished session. `feeds`: the sizes of the pieces the sound comes in, repeated; none: all at once."""
    session = engine.transcription(options)
    asyncio.run(run(session, audio, feeds))
    session.free()
    return session


def spoken(session: Speech) -> Floats:
    """The sound of a session, which is finished with it."""

    async def run() -> array[float]:
        sound = array("f")
        while not session.done:
            sound.extend(await session.step())
        return sound

    sound = asyncio.run(run())
    session.free()
    return np.frombuffer(sound, np.float32)


def traced(engine: Engine, audio: Floats, options: AsrOptions, feeds: Sequence[int] = ()) -> dict[str, Any]:
    """Arrays of every stage, and `tokens_full`, as the golden files name and shape them."""
    trace = Trace()
    session = engine.transcription(options, trace)
    asyncio.run(run(session, audio, feeds))
    session.free()
    return stages(trace)


def stages(trace: Trace) -> dict[str, Any]:
    """A trace as arrays; mel is band-major in the golden files."""
    arrays: dict[str, Any] = {
        name: np.frombuffer(bytes(data), np.float32).reshape(-1, trace.widths[name])
        for name, data in trace.stages.items()
    }
    arrays["mel"] = arrays["mel"].T
    arrays["tokens_full"] = np.array(trace.tokens_full, np.int32)
    return arrays


async def run(session: Transcription, audio: Floats, feeds: Sequence[int] = ()) -> None:
    """Feed, stepping after every piece as a live caller would, then finish."""
    start = 0
    for turn in range(len(audio) if feeds else 1):
        size = feeds[turn % len(feeds)] if feeds else len(audio)
        session.feed(np.ascontiguousarray(audio[start : start + size]).data)
        start += size
        if start >= len(audio):
            break
        await session.step()
    session.close()
    while not session.done:
        await session.step()
