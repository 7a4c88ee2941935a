"""A listening session over many segments stays as small as it was; of three hours: tests/benchmarks/long_session.py."""

from __future__ import annotations

import asyncio

import pytest

from tests.benchmarks.long_session import Minute, Outcome, simulate, smallest_model, spread
from tests.parity.engine import loaded
from voxtab.gpu.native import NativeGpu
from voxtab.sessions.listening import ListenOptions


@pytest.fixture(scope="module")
def outcome(native_adapter: object, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """96 seconds in segments of about 20, looked at every 24: the caches have their size by then."""
    engine = loaded(NativeGpu(native_adapter), smallest_model(tmp_path_factory.mktemp("model")))
    return asyncio.run(simulate(engine, 1.6, ListenOptions(delay_ms=480, segment_s=20), 24, print))


def held(look: Minute) -> int:
    return look.held_bytes - look.transcript_bytes


def test_memory_does_not_grow_with_the_stream(outcome: Outcome) -> None:
    looks = outcome.minutes
    assert (len(looks), outcome.segments) == (4, 5)
    assert spread([look.gpu_bytes for look in looks]) < 0.01
    # 72 seconds of sound are 4.6 MB.
    assert max(map(held, looks)) - held(looks[0]) < 1e6
    assert max(look.blocks for look in looks) - looks[0].blocks < 5000


def test_the_last_segment_is_what_a_fresh_session_writes(outcome: Outcome) -> None:
    assert len(outcome.last_tokens) > 100
    assert outcome.last_tokens == outcome.fresh_tokens
