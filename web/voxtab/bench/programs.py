"""One replay of a model's program, taken apart: by kernel, against its floor, and told for the full model.

What is outside the layers is measured with a model that has none: full = bare + (here - bare) / layers x full layers.
The floor is the bytes of all weights that matrix products go through, at the speed of a copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voxtab.bench.timing import seconds
from voxtab.gpu.base import Dispatch, Gpu, Program
from voxtab.kernels.tiles import GPU, SOFTWARE, candidates

# Kernels that multiply by weights; in a step, everything else is overhead.
_PRODUCTS = frozenset(tile.kernel for tile in (*SOFTWARE, *GPU, *candidates(True), *candidates(False)))


@dataclass(frozen=True)
class Step:
    """A program to measure, with `layers` of the model's `full`; `bare`: the same without any, where there are some."""

    name: str
    program: Program
    bare: Program | None = None
    layers: int = 1
    full: int = 1

    def told(self, here: float, bare: float) -> float:
        return told(here, bare, self.layers, self.full)


def told(here: float, bare: float, layers: int, full: int) -> float:
    """For a model of `full` layers, what was measured with `layers`, or all where it has fewer, and without any. Layers
    take no negative time, however a busy machine makes it look."""
    return here if layers >= full else bare + max(0.0, here - bare) / layers * full


async def measured(
    gpu: Gpu, steps: Sequence[Step], weights: Sequence[int], copied: float
) -> list[dict[str, Any]]:
    """What each step takes; they take turns. weights: ids of the models' buffers; copied: bytes a second of a copy.

    The kernels of a step are measured apart too, all runs of one end to end. `rest_share` is what is no matrix product
    of the step, waiting between kernels included.
    """
    known = frozenset(weights)
    parts = [_by_kernel(gpu, step.program) for step in steps]
    wholes = [each for step in steps for each in (step.program, step.bare) if each is not None]
    programs = {f"{each.id}": each for each in (*wholes, *(one for part in parts for one in part.values()))}
    taken = {int(name): value * 1e3 for name, value in (await seconds(gpu, programs, 5)).items()}
    found = []
    for step, part in zip(steps, parts, strict=True):
        bare = step.bare or step.program
        ms = taken[step.program.id]
        read, bare_read = (_weights_read(gpu, each, known) for each in (step.program, bare))
        kernels = [_kernel(gpu, *one, taken[one[1].id], known, copied) for one in part.items()]
        products = sum(one["ms"] for one in kernels if _multiplies(one["kernel"]))
        full_ms = step.told(ms, taken[bare.id])
        floor_ms = step.told(read, bare_read) / copied * 1e3
        found.append(
            {
                "name": step.name,
                "ms": ms,
                "products_ms": products,
                # Apart, kernels can take longer than together when something else disturbs the machine.
                "rest_share": 1 - products / max(ms, sum(one["ms"] for one in kernels)),
                "dispatches": step.program.dispatches,
                "full_ms": full_ms,
                "full_dispatches": round(step.told(step.program.dispatches, bare.dispatches)),
                "full_floor_ms": floor_ms,
                "over_floor": full_ms / floor_ms,
                "kernels": sorted(kernels, key=lambda one: -one["ms"]),
            }
        )
    for program in programs.values():
        gpu.free_program(program)
    return found


def standing(gpu: Gpu, program: Program) -> Program:
    """The program without its last kernel, `advance`, so that every replay is at the same position."""
    gpu.free_program(program)
    return gpu.program([each for each in program.recorded if gpu.kernel_of(each) != "advance"])


def _kernel(
    gpu: Gpu, kernel: str, program: Program, ms: float, known: frozenset[int], copied: float
) -> dict[str, Any]:
    found: dict[str, Any] = {"kernel": kernel, "ms": ms, "dispatches": program.dispatches}
    if read := _weights_read(gpu, program, known):
        rate = read / ms * 1e3
        found |= {"gb_s": rate / 1e9, "share_of_copy": rate / copied}
    return found


def _by_kernel(gpu: Gpu, program: Program) -> dict[str, Program]:
    """The dispatches of each kernel on their own."""
    kernels: dict[str, list[Dispatch]] = {}
    for dispatch in program.recorded:
        kernels.setdefault(gpu.kernel_of(dispatch), []).append(dispatch)
    return {kernel: gpu.program(dispatches) for kernel, dispatches in kernels.items()}


def _multiplies(kernel: str) -> bool:
    """By the key its pipeline was made with."""
    return kernel.partition("(")[0] in _PRODUCTS


def _weights_read(gpu: Gpu, program: Program, known: frozenset[int]) -> int:
    """Bytes of the weights that its matrix products are bound to; each goes through all of them."""
    return sum(
        buffer.size
        for dispatch in program.recorded
        if _multiplies(gpu.kernel_of(dispatch))
        for _, buffer in dispatch.bindings
        if buffer.id in known
    )
