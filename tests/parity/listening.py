"""Runs listening sessions natively, fed in many ways, and keeps what they wrote segment by segment."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tests.parity.engine import Floats
from voxtab.sessions.engine import Engine
from voxtab.sessions.listening import Heard, Listening, ListenOptions
from voxtab.sessions.words import Word

TOKEN = 1280

Turn = Callable[[], tuple[int, int]]
"""How many samples to feed next, and how many steps to make then; -1: until there is nothing to do."""


def steadily(samples: int) -> Turn:
    """As a microphone whose sound is worked on at once."""
    return lambda: (samples, -1)


def whole() -> Turn:
    return lambda: (1 << 40, -1)


def in_random_sizes(seed: int) -> Turn:
    draw = random.Random(seed)
    return lambda: (draw.choice([1, 13, 500, 1279, 1281, 4000, 30_000]), -1)


def delayed_at_random(seed: int) -> Turn:
    """Sound that waits, sometimes for long, while the GPU is busy with something else."""
    draw = random.Random(seed)
    return lambda: (TOKEN, draw.choice([0, 0, 0, 1, 2, 9]))


@dataclass
class Caught:
    """What a session gave while it ran. tokens: of each segment, special ones included."""

    session: Listening
    text: str = ""
    words: list[Word] = field(default_factory=list)
    tokens: list[list[int]] = field(default_factory=lambda: [[]])

    def take(self, heard: Heard) -> None:
        self.text += heard.text
        self.words += heard.words
        self.tokens[-1] += heard.tokens
        while len(self.tokens) <= len(self.session.segments()) and not self.session.done:
            self.tokens.append([])


async def listening(
    engine: Engine,
    audio: Floats,
    options: ListenOptions,
    turn: Turn,
    delays: Mapping[int, int] | None = None,
) -> Caught:
    """A finished session. delays: {samples fed: the delay in ms wished for then}."""
    wishes = dict(delays or {})
    caught = Caught(engine.listening(options))
    session = caught.session
    start = 0
    while start < len(audio):
        size, steps = turn()
        for at in [at for at in wishes if at <= start]:
            session.set_delay(wishes.pop(at))
        session.feed(np.ascontiguousarray(audio[start : start + size]).data)
        start += size
        while steps and not session.idle:
            caught.take(await session.step())
            await asyncio.sleep(0)
            steps -= 1
    session.close()
    while not session.done:
        caught.take(await session.step())
        await asyncio.sleep(0)
    session.free()
    return caught


def listen(
    engine: Engine,
    audio: Floats,
    options: ListenOptions,
    turn: Turn,
    delays: Mapping[int, int] | None = None,
) -> Caught:
    return asyncio.run(listening(engine, audio, options, turn, delays))
