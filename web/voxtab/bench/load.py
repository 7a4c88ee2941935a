"""Loading a model by the engine's own loader, each time with one stage more: what a stage takes is the difference."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from voxtab.gpu.base import Gpu
from voxtab.models.load_asr import plan_asr
from voxtab.models.load_tts import plan_tts
from voxtab.models.loading import fill, load_tekken
from voxtab.models.source import ModelSource, read_directory
from voxtab.models.tasks import task_of


@dataclass(frozen=True)
class Way:
    """How far a load goes: where the bytes come from, checked or not, and whether `gpu` is one or does nothing."""

    name: str
    gpu: Gpu
    open: Callable[[], AbstractAsyncContextManager[ModelSource]]
    adds: bool = True
    """Whether it does all that the way before it does, and more."""


async def bench_load(gpu: Gpu, layers: int, ways: Sequence[Way], repeats: int = 3) -> dict[str, Any]:
    """Median seconds of each way, in turns, and the model's bytes a second; apart from them, the header with its
    vocabulary, and the plan. layers: of the model, to be told with the figures.

    The first load of all is not counted: it fills the system's cache of files, and drivers compile in it.
    """
    taken: dict[str, list[_Load]] = {way.name: [] for way in ways}
    await _load(ways[-1])
    for _ in range(repeats):
        for way in ways:
            taken[way.name].append(await _load(way))
    loads = [load for found in taken.values() for load in found]
    size = loads[0].model_bytes
    found: list[dict[str, Any]] = []
    for way in ways:
        seconds = median(load.fill_s for load in taken[way.name])
        one: dict[str, Any] = {"name": way.name, "s": seconds, "gb_s": size / seconds / 1e9}
        if found and way.adds:
            added = seconds - found[-1]["s"]
            # None: less than the machine's own ups and downs.
            one |= {"added_s": added, "added_gb_s": size / added / 1e9 if added > 0 else None}
        found.append(one)
    return {
        "adapter": gpu.info.name,
        "layers": layers,
        "model_bytes": size,
        "header_s": median(load.header_s for load in loads),
        "plan_s": median(load.plan_s for load in loads),
        "ways": found,
    }


@dataclass(frozen=True)
class _Load:
    model_bytes: int
    header_s: float
    plan_s: float
    fill_s: float


async def _load(way: Way) -> _Load:
    """What load_model does, stage by stage. Nothing stays loaded."""
    async with way.open() as source:
        times = [time.perf_counter()]
        directory = await read_directory(source)
        load_tekken(directory, None, 0)
        times.append(time.perf_counter())
        plan = plan_asr if task_of(directory) == "speech-to-text" else plan_tts
        model, upload = plan(way.gpu, directory)
        times.append(time.perf_counter())
        try:
            await fill(way.gpu, source, upload)
        finally:
            upload.abandon()
            model.free()
        times.append(time.perf_counter())
        header, planned, filled = (b - a for a, b in pairwise(times))
        return _Load(sum(source.stream_bytes), header, planned, filled)
