"""A listening session of hours, fed as fast as it is heard: does it stay as small, as fast and as right as it began?

    python -m tests.benchmarks.long_session [--minutes 180] [--model PATH] [--segment-s 600]

Without a model it makes one up, as small as can be but with the windows of the 4B model. Prints a line every ten
minutes: GPU bytes, what the session holds in Python, what of it is the transcript, Python's blocks of memory, memory of
the process, milliseconds a token by the clock and of all threads' CPU time, which says more where the machine has other
work. Then the tokens of the last minute at least, from the start of a segment on, are compared with a fresh session's
that hears the sound from there on: they must be equal. Fails where they are not, and where GPU bytes or the process
differ by more than 1 % between minute 10 and the end.

Allocations are not traced, which would make each token take twenty times as long, and only the session's objects are gone
through: going through all of them leaves gaps of 20 MB in the process that is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from types import FunctionType, MethodType, ModuleType

import numpy as np
import soundfile

from shard_tools.quantize import quantize_checkpoint
from shard_tools.sizes import StackSizes
from shard_tools.synth import SynthSizes, synth_checkpoint
from tests.parity.engine import Floats, loaded
from voxtab.gpu.native import NativeGpu
from voxtab.sessions.engine import Engine
from voxtab.sessions.listening import Listening, ListenOptions

ROOT = Path(__file__).parents[2]
PIECE = 64_000
_PAUSES_S = (0.3, 0.8, 0.5, 1.4, 0.4)
_SECONDS_PER_TOKEN = 0.08
_NO_DATA = (type, ModuleType, FunctionType, MethodType)


@dataclass(frozen=True)
class Minute:
    """How a session stood when it had heard so much. The milliseconds are of the time since the one before."""

    heard_s: float
    gpu_bytes: int
    held_bytes: int
    transcript_bytes: int
    blocks: int
    process_bytes: int
    ms_per_token: float
    cpu_ms_per_token: float


@dataclass(frozen=True)
class Outcome:
    """last_tokens: from the start of the last segment that began long enough before the end."""

    minutes: list[Minute]
    segments: int
    last_tokens: list[int]
    fresh_tokens: list[int]


def smallest_model(folder: Path) -> Path:
    """One layer of everything, random weights, windows of 750 and 8192 positions."""
    encoder = StackSizes(dim=32, layers=1, heads=1, kv_heads=1, head_dim=32, ffn=32, window=750)
    decoder = StackSizes(dim=32, layers=1, heads=1, kv_heads=1, head_dim=32, ffn=32, window=8192)
    checkpoint, model = folder / "checkpoint", folder / "model.gguf"
    synth_checkpoint(checkpoint, SynthSizes(encoder, decoder, vocab_size=1300, ada_dim=32), seed=1)
    quantize_checkpoint(checkpoint, model, "q4_0", scales="absmax")
    return model


def talk() -> Iterator[Floats]:
    """The page's samples over and over, softer and louder, with pauses, in pieces of four seconds."""
    sounds = [soundfile.read(path, dtype="float32")[0] for path in sorted(ROOT.glob("web/samples/*.wav"))]
    rest = np.zeros(0, np.float32)
    for sound, pause_s, gain in zip(
        cycle(sounds), cycle(_PAUSES_S), cycle((1.0, 0.4, 0.7, 0.2)), strict=False
    ):
        rest = np.concatenate([rest, sound * np.float32(gain), np.zeros(round(pause_s * 16000), np.float32)])
        while len(rest) >= PIECE:
            yield rest[:PIECE].copy()
            rest = rest[PIECE:]


async def simulate(
    engine: Engine,
    minutes: float,
    options: ListenOptions,
    every_s: float,
    show: Callable[[Minute], None],
    compared_s: float = 0,
) -> Outcome:
    """A session that hears `minutes` of talk, looked at every `every_s` seconds of it. compared_s: the least of it, at
    the end, that is compared with a fresh session."""
    session = engine.listening(options)
    looks: list[Minute] = []
    segments = 1
    recent: deque[tuple[float, list[int]]] = deque([(0.0, [])])
    began, began_cpu = time.perf_counter(), time.process_time()
    source = talk()
    while not session.done:
        if session.audio_s < minutes * 60:
            session.feed(next(source).data)
        else:
            session.close()
        while not session.idle:
            recent[-1][1].extend((await session.step()).tokens)
            await asyncio.sleep(0)  # what is done lies in the event loop until it turns
            if session.segment_start_s > recent[-1][0]:
                segments += 1
                recent.append((session.segment_start_s, []))
            while len(recent) > 1 and session.audio_s - recent[1][0] >= compared_s:
                recent.popleft()
        if session.heard_s >= (len(looks) + 1) * every_s:
            took, took_cpu = time.perf_counter() - began, time.process_time() - began_cpu
            looks.append(_look(session, engine, every_s, took, took_cpu))
            show(looks[-1])
            began, began_cpu = time.perf_counter(), time.process_time()
    session.free()
    fresh = await _fresh(engine, options, recent[0][0], minutes)
    return Outcome(looks, segments, [token for _, tokens in recent for token in tokens], fresh)


def _look(session: Listening, engine: Engine, every_s: float, seconds: float, cpu_seconds: float) -> Minute:
    gc.collect()
    tokens = every_s / _SECONDS_PER_TOKEN
    return Minute(
        heard_s=session.heard_s,
        gpu_bytes=engine.gpu.gpu_bytes,
        held_bytes=_held_bytes(session, engine),
        transcript_bytes=session.transcript.nbytes,
        blocks=sys.getallocatedblocks(),
        process_bytes=int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        ms_per_token=1000 * seconds / tokens,
        cpu_ms_per_token=1000 * cpu_seconds / tokens,
    )


def _held_bytes(session: Listening, engine: Engine) -> int:
    """Of the objects that the session alone holds on to, its sound among them."""
    shared = {
        id(engine.gpu),
        *map(id, gc.get_referents(session._model)),
        id(session._model),
        id(session._tekken),
    }
    found: dict[int, object] = {}
    unseen: list[object] = [session]
    while unseen:
        item = unseen.pop()
        if id(item) in found or id(item) in shared or isinstance(item, _NO_DATA):
            continue
        found[id(item)] = item
        unseen += gc.get_referents(item)
    return sum(map(sys.getsizeof, found.values()))


async def _fresh(engine: Engine, options: ListenOptions, start_s: float, minutes: float) -> list[int]:
    """Tokens of a session that hears the same talk, but from `start_s` on."""
    session = engine.listening(options)
    tokens: list[int] = []
    skip = round(start_s * 16000)
    at = 0
    for piece in talk():
        if at >= minutes * 60 * 16000:
            break
        session.feed(np.ascontiguousarray(piece[max(0, skip - at) :]).data)
        at += len(piece)
        while not session.idle:
            tokens += (await session.step()).tokens
            await asyncio.sleep(0)
    session.close()
    while not session.done:
        tokens += (await session.step()).tokens
    session.free()
    return tokens


def _report(look: Minute) -> None:
    print(
        f"minute {look.heard_s / 60:5.0f}: GPU {look.gpu_bytes / 1e6:.3f} MB, session {look.held_bytes / 1e6:.3f} MB"
        f" of which transcript {look.transcript_bytes / 1e6:.3f}, {look.blocks} blocks,"
        f" process {look.process_bytes / 1e6:.1f} MB,"
        f" {look.ms_per_token:.2f} ms a token, {look.cpu_ms_per_token:.2f} ms of CPU",
        flush=True,
    )


def spread(values: list[int]) -> float:
    """How far they are apart, as a share of the first."""
    return (max(values) - min(values)) / values[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=180)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--segment-s", type=float, default=600)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = loaded(NativeGpu(), given.model or smallest_model(Path(folder)))
    options = ListenOptions(delay_ms=480, segment_s=given.segment_s)
    every_s = min(600.0, 15 * given.minutes)
    outcome = asyncio.run(simulate(engine, given.minutes, options, every_s, _report, compared_s=60))
    gpu = spread([look.gpu_bytes for look in outcome.minutes])
    process = spread([look.process_bytes for look in outcome.minutes])
    first, last = outcome.minutes[0], outcome.minutes[-1]
    equal = outcome.last_tokens == outcome.fresh_tokens
    print(f"{outcome.segments} segments; GPU bytes within {gpu:.2%}, process within {process:.2%}")
    print(
        f"at the end a token takes {last.ms_per_token / first.ms_per_token:.3f} of the time of the start,"
        f" {last.cpu_ms_per_token / first.cpu_ms_per_token:.3f} of the CPU time"
    )
    print(
        f"the last {len(outcome.last_tokens)} tokens",
        "equal a fresh session's" if equal else "DIFFER from a fresh session's",
    )
    sys.exit(not (equal and gpu <= 0.01 and process <= 0.01))


if __name__ == "__main__":
    main()
