"""Runs in a worker's Python: every tile that tuning may choose, on made-up weights, beside the GPUs' default."""

from __future__ import annotations

from dataclasses import replace

from voxtab.kernels import key
from voxtab.kernels.tiles import GPU, Tiles, candidates
from voxtab.tab.worker_engine import loaded_engine
from voxtab.tuning import trial

_SMALL = ((256, 1120),)


async def agreeing() -> dict[str, bool]:
    """By the kernel's name: whether it computes what the default does. Of those the device has the features for."""
    gpu = loaded_engine().gpu
    info, chosen, shapes = gpu.info, gpu.chosen_tiles, trial._GPU_SHAPES
    gpu.info, trial._GPU_SHAPES = replace(info, software=False), _SMALL
    trying = trial.Trial(gpu)
    found: dict[str, bool] = {}
    try:
        for n in (1, 5, 37):
            want = await trying.answer(GPU, n)
            for tile in candidates():
                if tile.needs <= info.features and (tile.covers[1] == 1) == (n == 1):
                    name = key(tile.kernel, **tile.parameters)
                    agrees = trying.agree(await trying.answer(Tiles(tile, (), tile), n), want)
                    found[name] = agrees and found.get(name, True)
    finally:
        trying.free()
        gpu.info, gpu.chosen_tiles, trial._GPU_SHAPES = info, chosen, shapes
    return found
