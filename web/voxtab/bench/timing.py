"""How long programs take: run, wait, take turns, and keep the medians."""

import time
from collections.abc import Mapping
from statistics import median

from voxtab.gpu.base import Gpu, Program

# A submit repeats a short program until it takes about this long: the round trip must not matter.
_SUBMIT_S = 0.03
_MOST_TIMES = 2000
_COPY_BYTES = 64 << 20


async def seconds(gpu: Gpu, programs: Mapping[str, Program], repeats: int = 7) -> dict[str, float]:
    """Median seconds of one replay of each. Every program is run once before, as drivers compile at the first use."""
    await gpu.ready()
    times: dict[str, int] = {}
    for name, program in programs.items():
        await _submit(gpu, program, 1)
        once = await _submit(gpu, program, 1)
        times[name] = max(1, min(_MOST_TIMES, int(_SUBMIT_S / once)))
    taken: dict[str, list[float]] = {name: [] for name in programs}
    trips = []
    for _ in range(repeats):
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


async def _submit(gpu: Gpu, program: Program, times: int) -> float:
    start = time.perf_counter()
    gpu.run(program, times)
    await gpu.drain()
    return time.perf_counter() - start
