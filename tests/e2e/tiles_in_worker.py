"""Runs in a worker's Python: every tile that tuning may choose, on made-up weights, beside the GPUs' default."""

from __future__ import annotations

from array import array
from dataclasses import replace

from voxtab.kernels import key
from voxtab.kernels.tiles import GPU, SOFTWARE, Tiles, candidates
from voxtab.tab.worker_engine import loaded_engine
from voxtab.tuning import trial

_SMALL = ((256, 1120),)


async def agreeing() -> dict[str, bool]:
    """By the kernel's name: whether it computes what the default does. Of those the device has the features for; weights
    are stored as for the sort of adapter that a tile is for."""
    gpu = loaded_engine().gpu
    info, chosen = gpu.info, gpu.chosen_tiles
    shapes = trial._GPU_SHAPES, trial._SOFTWARE_SHAPES
    trial._GPU_SHAPES = trial._SOFTWARE_SHAPES = _SMALL
    want: dict[int, array[float]] = {}
    found: dict[str, bool] = {}
    try:
        for software, default in ((False, GPU), (True, SOFTWARE)):
            gpu.info = replace(info, software=software)
            trying = trial.Trial(gpu)
            for n in (1, 5, 37):
                if n not in want:
                    want[n] = await trying.answer(default, n)
                for tile in candidates(software):
                    if tile.needs <= info.features and (tile.covers[1] == 1) == (n == 1):
                        name = key(tile.kernel, **tile.parameters)
                        agrees = trying.agree(await trying.answer(Tiles(tile, (), tile), n), want[n])
                        found[name] = agrees and found.get(name, True)
            trying.free()
    finally:
        gpu.info, gpu.chosen_tiles = info, chosen
        trial._GPU_SHAPES, trial._SOFTWARE_SHAPES = shapes
    return found
