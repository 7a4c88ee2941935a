"""Matrix products at the 4B models' shapes, beside the plain kernel and a copy from buffer to buffer."""

import random
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from voxtab.bench.made_up import made_up_matrix
from voxtab.bench.plain_kernel import PlainMatrix
from voxtab.bench.presets import SPEAKER, TRANSCRIBER
from voxtab.bench.timing import copy_rate, seconds
from voxtab.gpu.base import Buffer, Gpu, Program
from voxtab.nn.recorder import Recorder, Workspace
from voxtab.nn.weights import Linear, Tensor, Weight


@dataclass(frozen=True)
class Shape:
    """`n` rows of input at once: 1 is a decode step, 6 the flow's evaluation, the others a prompt or sound."""

    name: str
    rows: int
    cols: int
    n: int = 1


# The head stands for itself by a quarter of its 131072 rows.
DECODER = (
    ("wq", 4096, 3072),
    ("wk, wv", 1024, 3072),
    ("wo", 3072, 4096),
    ("w1, w3", 9216, 3072),
    ("w2", 3072, 9216),
    ("adapter", 3072, 3072),
    ("head / 4", 32768, 3072),
)
_LARGE_DECODER = (("decoder wq", 4096, 3072), ("decoder w2", 3072, 9216))
_ENCODER = (("encoder wq", 2048, 1280), ("encoder w1", 5120, 1280), ("encoder w2", 1280, 5120))

VECTORS = tuple(Shape(*sizes) for sizes in DECODER)
FLOW = tuple(Shape(*sizes, n=6) for sizes in DECODER[:5])
MATRICES = tuple(Shape(*sizes, n=n) for n in (38, 256) for sizes in (*_ENCODER, *_LARGE_DECODER))
GROUPS = {"vectors": VECTORS, "flow": FLOW, "matrices": MATRICES}
# The groups that a preset's shapes are in.
GROUPS_OF = {TRANSCRIBER: ("vectors", "matrices"), SPEAKER: ("vectors", "flow")}

# A matrix small enough to stay in a GPU's cache is no measure of its memory: so many bytes are gone through in turn.
_DISTINCT_BYTES = 192 << 20
# The most rows that the plain kernel is measured with on a CPU; for more, its time is told from those.
_PLAIN_ROWS = 38


async def bench_kernels(
    gpu: Gpu, groups: Sequence[str] = tuple(GROUPS), only: int | None = None
) -> dict[str, Any]:
    """Per shape of the groups, or for the one of that number in each: ms; weights read per second, also as a share of a
    copy's bytes per second; times the plain kernel's ms; for the flow's rows, times as many matrix-vectors. `difference`
    is the largest between the two kernels' answers."""
    copied = await copy_rate(gpu)
    found = []
    for group in groups:
        for shape in GROUPS[group] if only is None else GROUPS[group][only : only + 1]:
            found.append({"group": group, **asdict(shape), **await _bench(gpu, shape, copied)})
    return {"adapter": gpu.info.name, "copy_gb_s": copied / 1e9, "kernels": found}


async def _bench(gpu: Gpu, shape: Shape, copied: float) -> dict[str, Any]:
    record_bytes = shape.rows * shape.cols * 18 // 32
    count = 1 if gpu.info.software else max(1, _DISTINCT_BYTES // record_bytes)
    weights = [await made_up_matrix(gpu, shape.rows, shape.cols) for _ in range(count)]
    plain = PlainMatrix(gpu, shape.rows, shape.cols)
    x = _random_rows(gpu, shape)
    mine, plains = (gpu.buffer(shape.n * shape.rows * 4, "y") for _ in range(2))
    programs = {"ours": _product(gpu, weights, x, mine, shape, shape.n)}
    # A CPU takes as many times longer for as many rows, and would take minutes for the most.
    plain_n = min(shape.n, _PLAIN_ROWS) if gpu.info.software else shape.n
    programs["plain"] = plain.program(x, plains, plain_n)
    if shape.n == 6:
        programs["one"] = _product(gpu, weights, x, mine, shape, 1)
    taken = await seconds(gpu, programs)
    taken = {name: value / count for name, value in taken.items()}
    taken["plain"] *= count * shape.n / plain_n
    gpu.run(programs["ours"])
    gpu.run(programs["plain"])
    size = plain_n * shape.rows * 4
    answers = [array("f", await gpu.read(buffer, 0, size).bytes()) for buffer in (mine, plains)]
    for buffer in (x, mine, plains, *_buffers(weights)):
        gpu.free(buffer)
    plain.free()
    for program in programs.values():
        gpu.free_program(program)
    rate = record_bytes / taken["ours"]
    largest = max(abs(value) for value in answers[1])
    return {
        "ms": taken["ours"] * 1e3,
        "gb_s": rate / 1e9,
        "share_of_copy": rate / copied,
        "plain_ms": taken["plain"] * 1e3,
        "times_plain": taken["plain"] / taken["ours"],
        "times_vectors": shape.n * taken["one"] / taken["ours"] if "one" in taken else None,
        "difference": max(abs(a - b) for a, b in zip(*answers, strict=True)) / largest,
    }


def _product(gpu: Gpu, weights: Sequence[Weight], x: Buffer, y: Buffer, shape: Shape, n: int) -> Program:
    """All the copies of the matrix in turn."""
    record = Recorder(gpu, gpu.uniform(bytes(16)), Workspace(gpu, n))
    for weight in weights:
        record.linear(Linear(weight), Tensor(x, shape.cols), Tensor(y, shape.rows), n)
    return record.finish()


def _random_rows(gpu: Gpu, shape: Shape) -> Buffer:
    drawn = random.Random(2)
    values = array("f", [drawn.gauss(0, 1) for _ in range(shape.cols * min(shape.n, 8))])
    made = gpu.buffer(shape.n * shape.cols * 4, "x")
    for row in range(0, shape.n, 8):
        count = min(8, shape.n - row)
        gpu.write(made, row * shape.cols * 4, memoryview(values)[: count * shape.cols])
    return made


def _buffers(weights: Sequence[Weight]) -> list[Buffer]:
    segments = [segment for weight in weights for segment in weight.segments]
    return [buffer for s in segments for buffer in (s.quants, s.scales) if buffer is not None]
