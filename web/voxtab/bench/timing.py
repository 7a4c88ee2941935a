"""How long programs take: run, wait, take turns, and keep the medians. And how long Python takes between its waits."""

import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from statistics import median
from types import coroutine
from typing import Any, TypeVar

from voxtab.gpu.base import Gpu, Program

# A submit repeats a short program until it takes about this long: the round trip must not matter.
_SUBMIT_S = 0.03
_MOST_TIMES = 2000
_COPY_BYTES = 64 << 20
# All turns together, where a few would take longer. A first run that long has hidden what compiling took of it.
_TURNS_S, _FEWEST_TURNS = 30.0, 3
_LONG_S = 2.0
# Python in a tab has no clock of the thread's own.
_thread_seconds: Callable[[], float] = getattr(time, "thread_time", time.perf_counter)
_Result = TypeVar("_Result")


async def seconds(gpu: Gpu, programs: Mapping[str, Program], repeats: int = 7) -> dict[str, float]:
    """Median seconds of one replay of each. Every program is run once before, as drivers compile at the first use.
    repeats: turns, fewer where programs take seconds."""
    await gpu.ready()
    times: dict[str, int] = {}
    turn = 0.0
    for name, program in programs.items():
        once = await _submit(gpu, program, 1)
        if once < _LONG_S:
            once = await _submit(gpu, program, 1)
        times[name] = max(1, min(_MOST_TIMES, int(_SUBMIT_S / once)))
        turn += once * times[name]
    taken: dict[str, list[float]] = {name: [] for name in programs}
    trips = []
    for _ in range(max(_FEWEST_TURNS, min(repeats, int(_TURNS_S / turn)))):
        start = time.perf_counter()
        await gpu.drain()
        trips.append(time.perf_counter() - start)
        for name, program in programs.items():
            taken[name].append(await _submit(gpu, program, times[name]))
    trip = median(trips)
    return {name: max(median(found) - trip, 1e-9) / times[name] for name, found in taken.items()}


async def copy_rate(gpu: Gpu, repeats: int = 7) -> float:
    """Bytes a second that a copy from buffer to buffer moves, those read and those written."""
    size = min(_COPY_BYTES, gpu.info.max_binding_bytes)
    source, target = gpu.buffer(size, "copied from"), gpu.buffer(size, "copied to")
    times = 1 if gpu.info.software else 32
    taken = []
    for _ in range(repeats + 1):
        await gpu.drain()
        start = time.perf_counter()
        for _ in range(times):
            gpu.copy(source, target, size)
        await gpu.drain()
        taken.append((time.perf_counter() - start) / times)
    gpu.free(source)
    gpu.free(target)
    return 2 * size / median(taken[1:])


class HostClock:
    """Seconds that this thread is at work in what is awaited through it, from one wait to the next.

    Natively that is the thread's CPU time, which a blocking wait for the GPU adds nothing to. In a tab it is the time
    between two visits of the event loop; what the browser itself does to settle a promise is not in it.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    @coroutine
    def watch(self, work: Awaitable[_Result]) -> Generator[Any, Any, _Result]:
        """`await clock.watch(work)` is `await work`, with a clock."""
        steps = work.__await__()
        while True:
            start = _thread_seconds()
            try:
                waited_for = next(steps)
            except StopIteration as end:
                result: _Result = end.value
                return result
            finally:
                self.seconds += _thread_seconds() - start
            yield waited_for


async def _submit(gpu: Gpu, program: Program, times: int) -> float:
    start = time.perf_counter()
    gpu.run(program, times)
    await gpu.drain()
    return time.perf_counter() - start
