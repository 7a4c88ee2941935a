"""Tries tiles on made-up weights: whether they compute what the default does, and how long they take."""

import random
import time
from array import array
from collections.abc import Sequence
from dataclasses import replace
from operator import sub

from voxtab.errors import VoxtabError
from voxtab.formats.gguf import GgmlType, GgufTensor
from voxtab.gpu.base import Buffer, Gpu, Program
from voxtab.kernels.tiles import Tiles, default_tiles, suitable
from voxtab.nn.recorder import Recorder, Workspace
from voxtab.nn.upload import PIECE_BYTES, Upload
from voxtab.nn.weights import Linear, Tensor, Weight

# No candidate is begun when the others took as long: half of what a user may be kept waiting, since the last one may take
# a second by itself. Compiling the default does not count, for a session would have to.
BUDGET_S = 1.0
# What the choice among tiles for one row may take of it; a decode step is made of such.
_SHARE_OF_ONE = 0.6
# Of a Q4_0 block in a file.
_BLOCK_BYTES = 18
# Less than that better is noise; more than that worse at once is not worth another look.
_BETTER, _HOPELESS = 0.95, 8.0
_REPEATS = 5
# A submit repeats a product until it takes about this long: timestamps are told in steps of 0.1 ms, and fences are slow.
# On a CPU adapter (True) whatever else runs is in every time: with 5 ms it kept the slower of two tiles in half of the
# trials.
_SUBMIT_S = {True: 0.02, False: 0.005}
_MOST_TIMES = 500

# The 4B decoder's feed-forward layers stand for all: together far larger than most caches. A CPU adapter gets less to do,
# of which a few rows when x has many.
_GPU_SHAPES: tuple[tuple[int, int], ...] = ((9216, 3072), (3072, 9216))
_SOFTWARE_SHAPES: tuple[tuple[int, int], ...] = ((2048, 3072),)
_SOFTWARE_ROWS_OF_MANY = 512
_MANY = {True: 24, False: 64}
# What answers are compared on: tiles that are filled only in part, and several of them.
_CHECKED_ROWS, _CHECKED_MANY = 200, 37
# As strict as the parity tests: of the sum of magnitudes, which is cols times the mean of a weight's and of a value's.
_TOLERANCE = 4e-6
_MEAN_WEIGHT, _MEAN_VALUE = 0.0107 * 4.0, 0.5


async def tune(gpu: Gpu, budget_s: float = BUDGET_S) -> Tiles:
    """The fastest tiles for this device among those that suit it and compute what its default does.

    Raises VoxtabError device-lost, and adapter-too-small where there is no memory even for this.
    """
    default = default_tiles(gpu.info.samples_weights)
    allowed = suitable(gpu.info.samples_weights, gpu.info.features)
    before = gpu.chosen_tiles
    trial = Trial(gpu)
    try:
        one, few, many = default.one, default.few, default.many
        candidates = [Tiles(tile, few, many) for tile in allowed.one]
        one = (await trial.best(candidates, 1, _SHARE_OF_ONE * budget_s)).one
        candidates = [Tiles(one, tiles, many) for tiles in allowed.few]
        few = (await trial.best(candidates, 6, budget_s)).few
        candidates = [Tiles(one, few, tile) for tile in allowed.many]
        return await trial.best(candidates, trial.many, budget_s)
    finally:
        trial.free()
        gpu.chosen_tiles = before


class Trial:
    """Made-up Q4_0 weights and values on a device."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self.many = _MANY[gpu.info.software]
        self._spent_s = 0.0
        self._made: list[Buffer] = []
        drawn = random.Random(0)
        shapes = _SOFTWARE_SHAPES if gpu.info.software else _GPU_SHAPES
        widest = max(cols for _, cols in shapes)
        with gpu.all_or_nothing():
            self._weights = [self._made_up(rows, cols, drawn) for rows, cols in shapes]
            most = max(self.many, _CHECKED_MANY)
            values = array("f", [drawn.uniform(-1, 1) for _ in range(widest + 8 * most)])
            self._x = self._buffer(most * widest * 4)
            for row in range(most):
                gpu.write(self._x, row * widest * 4, memoryview(values)[8 * row : 8 * row + widest])
            self._y = self._buffer(most * max(rows for rows, _ in shapes) * 4)

    def free(self) -> None:
        for buffer in self._made:
            self._gpu.free(buffer)
        self._made.clear()

    async def best(self, candidates: Sequence[Tiles], n: int, budget_s: float) -> Tiles:
        """Of the candidates, the first of which is the default: the fastest for n rows of x. None is begun when those
        before it have taken `budget_s`."""
        default, *others = candidates
        if not others:
            return default
        want = {rows: await self.answer(default, rows) for rows in _checked(n)}
        best = default
        for tiles in others:
            if self._spent_s >= budget_s:
                break
            start = time.perf_counter()
            try:
                if all([self.agree(await self.answer(tiles, rows), want[rows]) for rows in want]):
                    best = tiles if await self._is_faster(tiles, best, n) else best
            except VoxtabError:
                raise
            except Exception:  # whatever this adapter's compiler has against it: there are others
                continue
            finally:
                self._spent_s += time.perf_counter() - start
        return best

    async def answer(self, tiles: Tiles, n: int) -> "array[float]":
        """What a few rows of the first matrix make of n rows of x."""
        program = self._program(tiles, [_first_rows(self._weights[0], _CHECKED_ROWS)], n)
        try:
            await self._gpu.ready()
            self._gpu.run(program)
            return array("f", await self._gpu.read(self._y, 0, n * _CHECKED_ROWS * 4).bytes())
        finally:
            self._gpu.free_program(program)

    def agree(self, got: "array[float]", want: "array[float]") -> bool:
        allowed = _TOLERANCE * self._weights[0].cols * _MEAN_WEIGHT * _MEAN_VALUE
        return all(abs(difference) <= allowed for difference in map(sub, got, want))  # false for a NaN too

    async def _is_faster(self, tiles: Tiles, best: Tiles, n: int) -> bool:
        """Twice in a row: what else runs on a machine can make a good tile look bad once, and the choice is kept."""
        for _ in range(2):
            taken, fastest = await self._seconds([tiles, best], n)
            if taken >= _BETTER * fastest:
                return False
        return True

    async def _seconds(self, choices: Sequence[Tiles], n: int) -> list[float]:
        """That a product takes with each, in turns: a machine has other things to do."""
        weights, submit_s = self._weights, _SUBMIT_S[self._gpu.info.software]
        if n == self.many and self._gpu.info.software:
            weights = [_first_rows(weight, _SOFTWARE_ROWS_OF_MANY) for weight in weights]
        programs = [self._program(tiles, weights, n) for tiles in choices]
        try:
            await self._gpu.ready()
            once = []
            for program in programs:
                await self._gpu.timed(program, 1)  # some drivers compile at the first run
                once.append(await self._gpu.timed(program, 1))
            if once[0] > _HOPELESS * min(once):
                return once
            times = max(1, min(_MOST_TIMES, int(submit_s / max(*once, 1e-7))))
            taken = [
                [await self._gpu.timed(program, times) / times for program in programs]
                for _ in range(_REPEATS)
            ]
            return [min(found) for found in zip(*taken, strict=True)]
        finally:
            for program in programs:
                self._gpu.free_program(program)

    def _program(self, tiles: Tiles, weights: Sequence[Weight], n: int) -> Program:
        self._gpu.chosen_tiles = tiles
        record = Recorder(self._gpu, self._y, Workspace(self._gpu, n))
        for weight in weights:
            record.linear(Linear(weight), Tensor(self._x, weight.cols), Tensor(self._y, weight.rows), n)
        return record.finish()

    def _made_up(self, rows: int, cols: int, drawn: random.Random) -> Weight:
        """Loaded as a file's would be: nibbles of all kinds, scales of 0.0098 to 0.0117."""
        some = bytearray(drawn.randbytes(_BLOCK_BYTES << 16))
        some[1::_BLOCK_BYTES] = b"\x21" * (1 << 16)
        blocks = memoryview(bytes(some) * (-(-PIECE_BYTES // len(some)) + 1))
        upload = Upload(self._gpu)
        size = rows * cols // 32 * _BLOCK_BYTES
        weight = upload.matrix(0, GgufTensor("tuning", GgmlType.Q4_0, (rows, cols), 0, size))
        self._made += upload.made
        for piece in upload.pieces:
            self._gpu.write(piece.buffer, piece.buffer_offset, blocks[: -(-piece.nbytes // 4) * 4])
            if piece.program is not None:
                self._gpu.run(piece.program)
        upload.finish()
        return weight

    def _buffer(self, size: int) -> Buffer:
        made = self._gpu.buffer(size, "tuning")
        self._made.append(made)
        return made


def _checked(n: int) -> tuple[int, ...]:
    """Rows of x that answers are compared on, for tiles that are to serve n: each of `few` has its own number."""
    return (1,) if n == 1 else (2, 4, n) if n <= 8 else (_CHECKED_MANY,)


def _first_rows(weight: Weight, rows: int) -> Weight:
    (whole,) = weight.segments
    return replace(weight, rows=rows, segments=(replace(whole, rows=rows),))
