"""Tuning tries what suits a device, takes the fastest that computes what the default does, and does so once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from voxtab import kernels
from voxtab.cli.tuning_file import TuningFolder
from voxtab.gpu.base import Program
from voxtab.gpu.native import NativeGpu
from voxtab.kernels.tiles import CANDIDATES, GPU, Tile, Tiles, suitable
from voxtab.tuning import trial, tuner
from voxtab.tuning.choice import choice_name
from voxtab.tuning.trial import Trial, tune
from voxtab.tuning.tuner import Tuner

SPREAD, SUBGROUPS = CANDIDATES["gpu"].one[:2]


@pytest.fixture
def gpu(native_adapter: Any, monkeypatch: pytest.MonkeyPatch) -> NativeGpu:
    """As if the adapter were a GPU, with less to try on."""
    gpu = NativeGpu(native_adapter)
    gpu.info = replace(gpu.info, software=False)
    monkeypatch.setattr(trial, "_GPU_SHAPES", ((256, 320),))
    return gpu


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> dict[Tile, float]:
    """What tiles take, in place of measuring: 1, or what is put here. Tells whether an answer was computed before."""
    taken: dict[Tile, float] = {}

    async def _seconds(self: Trial, choices: Sequence[Tiles], n: int) -> list[float]:
        return [taken.get(tiles.serving(n), 1.0) for tiles in choices]

    monkeypatch.setattr(Trial, "_seconds", _seconds)
    return taken


def tuned(gpu: NativeGpu) -> Tiles:
    return asyncio.run(tune(gpu, budget_s=600))


def test_the_fastest_tiles_are_taken_and_nothing_is_left_behind(
    gpu: NativeGpu, seconds: dict[Tile, float]
) -> None:
    seconds |= {SPREAD: 0.8, SUBGROUPS: 0.7, GPU.many: 0.5}
    assert tuned(gpu) == Tiles(SUBGROUPS, GPU.few, GPU.many)
    assert gpu.chosen_tiles is None
    gpu.forget_uniforms()
    assert gpu.gpu_bytes == 0


def test_a_little_faster_is_no_reason(gpu: NativeGpu, seconds: dict[Tile, float]) -> None:
    seconds |= {SPREAD: 0.97}
    assert tuned(gpu) == GPU


def test_what_computes_something_else_is_not_taken(
    gpu: NativeGpu, seconds: dict[Tile, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds |= {SPREAD: 0.1, SUBGROUPS: 0.7}
    faultless = kernels.source

    def faulty(name: str, **parameters: Any) -> str:
        code = faultless(name, **parameters)
        return code.replace("* factor, up)", "* factor * 1.0001, up)") if name == "spread" else code

    monkeypatch.setattr(kernels, "source", faulty)
    assert tuned(gpu).one == SUBGROUPS


def test_what_does_not_compile_is_not_taken(
    gpu: NativeGpu, seconds: dict[Tile, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds |= {SPREAD: 0.1, SUBGROUPS: 0.7}
    faultless = kernels.source

    def broken(name: str, **parameters: Any) -> str:
        return "fn main(" if name == "spread" else faultless(name, **parameters)

    monkeypatch.setattr(kernels, "source", broken)
    assert tuned(gpu).one == SUBGROUPS


def test_features_that_are_missing_are_not_asked_for(gpu: NativeGpu, seconds: dict[Tile, float]) -> None:
    seconds |= {SUBGROUPS: 0.1}
    gpu.info = replace(gpu.info, features=frozenset())
    assert tuned(gpu) == GPU


def test_no_candidate_is_begun_when_time_is_up(gpu: NativeGpu, seconds: dict[Tile, float]) -> None:
    seconds |= {SPREAD: 0.1}
    assert asyncio.run(tune(gpu, budget_s=0)) == GPU


@pytest.mark.parametrize(("taken", "looks"), [(7.9, 5), (8.1, 0)])
def test_a_tile_that_is_far_slower_at_once_is_not_timed_at_length(
    gpu: NativeGpu, monkeypatch: pytest.MonkeyPatch, taken: float, looks: int
) -> None:
    runs: list[int] = []

    async def timed(program: Program, times: int) -> float:
        runs.append(program.id)
        return taken if program.id == min(runs) else 1.0

    monkeypatch.setattr(gpu, "timed", timed)
    candidate = Tiles(SPREAD, GPU.few, GPU.many)
    assert asyncio.run(Trial(gpu)._seconds([candidate, GPU], 1)) == [taken, 1.0]
    assert len(runs) == 2 * (2 + looks)


def test_tiles_are_measured_and_a_choice_is_made(native_gpu: NativeGpu) -> None:
    """Whichever it is; on this adapter as it is."""
    chosen = asyncio.run(tune(native_gpu, budget_s=600))
    assert native_gpu.info.samples_weights
    assert chosen.one in suitable(True, frozenset()).one


def test_a_device_is_tuned_once_and_its_choice_used(
    gpu: NativeGpu,
    native_adapter: Any,
    seconds: dict[Tile, float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds |= {SPREAD: 0.5}
    store = TuningFolder(tmp_path)
    asyncio.run(Tuner(store).prepare(gpu, tuner.LEAST_WEIGHTS - 1))
    assert gpu.chosen_tiles is None, "a small model is not worth it"
    asyncio.run(Tuner(store).prepare(gpu, tuner.LEAST_WEIGHTS))
    assert gpu.tiles.one == SPREAD
    (kept,) = tmp_path.iterdir()
    assert kept.name == choice_name(gpu.info)

    async def never(gpu: Any) -> Tiles:
        raise AssertionError("tuned again")

    monkeypatch.setattr(tuner, "tune", never)
    again = NativeGpu(native_adapter)
    again.info = gpu.info
    asyncio.run(Tuner(store).prepare(again, tuner.LEAST_WEIGHTS - 1))
    assert again.chosen_tiles is None
    asyncio.run(Tuner(store).prepare(again, tuner.LEAST_WEIGHTS))
    assert again.tiles == gpu.tiles
    asyncio.run(Tuner(store).prepare(again, tuner.LEAST_WEIGHTS))
    other = NativeGpu(native_adapter)
    other.info = replace(gpu.info, identity="another driver")
    with pytest.raises(AssertionError, match="tuned again"):
        asyncio.run(Tuner(store).prepare(other, tuner.LEAST_WEIGHTS))
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"one": "spread"}))
    spoilt = NativeGpu(native_adapter)
    spoilt.info = gpu.info
    with pytest.raises(AssertionError, match="tuned again"):
        asyncio.run(Tuner(store).prepare(spoilt, tuner.LEAST_WEIGHTS))


def test_without_memory_for_it_the_default_stays_and_nothing_is_kept(
    gpu: NativeGpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_GPU_SHAPES", ((9216, 3072),))
    gpu.info = replace(gpu.info, max_binding_bytes=1 << 20)
    asyncio.run(Tuner(TuningFolder(tmp_path)).prepare(gpu, tuner.LEAST_WEIGHTS))
    assert gpu.tiles == GPU
    assert list(tmp_path.iterdir()) == []
    assert gpu.gpu_bytes == 0
