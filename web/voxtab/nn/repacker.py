"""What runs once, at load time: a file's bytes become weights as kernels/weights.wgsl describes them."""

from voxtab.gpu.base import Buffer, Gpu
from voxtab.nn.recorder import Recorder, Workspace, ceil_div
from voxtab.nn.weights import GATED_ROWS, Segment, Weight


class Repacker(Recorder):
    """Records programs from raw pieces of a tensor to rows of a weight. `raw` starts with the first of them."""

    def __init__(self, gpu: Gpu) -> None:
        super().__init__(gpu, gpu.uniform(bytes(16)), Workspace(gpu, 0))

    def repack_blocks(
        self, weight: Weight, raw: Buffer, segment: Segment, rows: int, places: tuple[int, int]
    ) -> None:
        """GGUF blocks of `rows` rows -> the segment's, as many together as take turns. `places`: the first such group's
        among the segment's, and from each to the next."""
        assert segment.scales is not None
        bindings = [(0, raw), (1, segment.quants), (2, segment.scales)]
        grid = (ceil_div(weight.blocks, 64), ceil_div(rows, GATED_ROWS[weight.storage]))
        dims = (rows, weight.blocks, *places)
        self._add("repack_blocks", weight.variant, {}, bindings, dims, grid, dims_at=3)

    def interleave_rows(
        self, raw: Buffer, out: Buffer, row_words: int, rows: int, first: int, part: int
    ) -> None:
        """Rows first .. of a gated layer's gate (part 0) or other matrix (1) -> their places in the whole."""
        dims = (row_words, first, 2 * part)
        grid = (ceil_div(row_words, 64), rows)
        self._add("interleave_rows", {}, {}, [(0, raw), (1, out)], dims, grid, dims_at=2)

    def widen(self, source: str, raw: Buffer, out: Buffer, begin: int, count: int) -> None:
        """f16 or bf16 -> f32 from float `begin` on."""
        groups = ceil_div(ceil_div(count, 2), 64)
        grid = (min(groups, 32768), ceil_div(groups, 32768))
        self._add("widen", {"source": source}, {}, [(0, raw), (1, out)], (count, begin), grid, dims_at=2)

    def repack_conv(self, raw: Buffer, out: Buffer, shape: tuple[int, int, int], row: int) -> None:
        """[outputs, inputs, taps] -> [outputs, taps, inputs] at row `row`."""
        outputs, inputs, taps = shape
        grid = (ceil_div(inputs * taps, 64), outputs)
        self._add("repack_conv", {}, {}, [(0, raw), (1, out)], (inputs, taps, row), grid, dims_at=2)

    def repack_upsampling(
        self, raw: Buffer, out: Buffer, shape: tuple[int, int], begin: int, count: int
    ) -> None:
        """Inputs begin .. begin + count of [inputs, outputs, 4 taps] -> their columns of [2 outputs, 2 inputs]."""
        inputs, outputs = shape
        grid = (ceil_div(outputs * 4, 64), count)
        dims = (inputs, outputs, begin)
        self._add("repack_upsampling", {}, {}, [(0, raw), (1, out)], dims, grid, dims_at=2)

    def fold_weight_norm(
        self,
        weights: Buffer,
        gains: Buffer,
        groups: int,
        stride: int,
        outer: tuple[int, int],
        inner: tuple[int, int],
    ) -> None:
        """Give each of `groups` groups of weights, `stride` floats apart, its gain as norm. `outer`, `inner`: counts and
        strides of the two loops over a group."""
        bindings = [(0, weights), (1, gains)]
        self._add("fold_weight_norm", {}, {}, bindings, (stride, *outer, *inner), (groups, 1), dims_at=2)
