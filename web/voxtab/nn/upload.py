"""From tensors in a GGUF to weights on the GPU: which bytes go where, and what repacks them there.

The plan is data: pieces of at most 8 MiB, each written to a buffer and, if it has a program, followed by one run of it.
Natively Python walks the plan; in the browser the worker's loader does, and no weight enters the WASM heap.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from voxtab.errors import VoxtabError
from voxtab.formats.gguf import GgmlType, GgufTensor
from voxtab.gpu.base import MOST_TEXELS, Buffer, Gpu, Program
from voxtab.nn.repacker import Repacker
from voxtab.nn.weights import BLOCK_BYTES, BLOCK_ELEMENTS, BLOCK_KINDS, GATED_ROWS, Segment, Weight

PIECE_BYTES = 8 << 20
# More than any adapter allows; tests lower it to have small matrices split.
MOST_SEGMENT_BYTES = 1 << 40
# Rows of the smallest tile: a segment's grid must not have more workgroups than the adapter allows.
_LEAST_TILE_ROWS = 4

_BLOCK_KINDS = {GgmlType.Q4_0: "q4_0", GgmlType.Q8_0: "q8_0"}
_HALF_KINDS = {GgmlType.F16: "f16", GgmlType.BF16: "bf16"}
PLAIN_TYPES = (GgmlType.F32, GgmlType.F16, GgmlType.BF16)
_ELEMENT_BYTES = {GgmlType.F32: 4, GgmlType.F16: 2, GgmlType.BF16: 2}


@dataclass(frozen=True)
class Piece:
    """`nbytes` from `offset` of file number `file` go to `buffer` at `buffer_offset`; then `program` runs once.

    `nbytes` may be no multiple of 4; the loader pads with zeros up to the next one.
    """

    file: int
    offset: int
    nbytes: int
    buffer: Buffer
    buffer_offset: int
    program: Program | None


@dataclass(frozen=True)
class Rows:
    """Rows first .. first + count of a tensor, which go to row `to` of a segment and on; or, as `part` 0 or 1 of a gated
    layer's two, take turns there with the other's."""

    first: int
    count: int
    to: int = 0
    part: int | None = None


class Upload:
    """Makes GPU weights and remembers the pieces that fill them."""

    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu
        self.pieces: list[Piece] = []
        self.made: list[Buffer] = []
        self.closing: list[Program] = []
        """To be run, in this order, when all pieces are in place."""
        self._raw = gpu.buffer(PIECE_BYTES, "raw piece")
        self._wide: Buffer | None = None

    def ordered(self) -> list[Piece]:
        return sorted(self.pieces, key=lambda piece: (piece.file, piece.offset))

    def finish(self) -> None:
        """Give back what only loading needed. The queue keeps the order, so nothing is pulled from under a run."""
        for piece in self.pieces:
            if piece.program is not None:
                self.gpu.free_program(piece.program)
        for program in self.closing:
            self.gpu.free_program(program)
        self.pieces.clear()
        self.closing.clear()
        self.gpu.free(self._raw)
        if self._wide is not None:
            self.gpu.free(self._wide)

    def abandon(self) -> None:
        """Free everything, after a load that failed or was cancelled."""
        self.finish()
        for buffer in self.made:
            self.gpu.free(buffer)
        self.made.clear()

    def constant(self, values: "array[float] | array[int]", label: str) -> Buffer:
        """A table that comes from no file."""
        made = self._buffer(len(values) * 4, label)
        self.gpu.write(made, 0, memoryview(values))
        return made

    def vector(self, file: int, tensor: GgufTensor) -> Buffer:
        """All elements of a tensor (F32, F16 or BF16) as f32."""
        return self.vectors([((file, tensor), 0)], _elements(tensor))

    def vectors(self, tensors: Sequence[tuple[tuple[int, GgufTensor], int]], size: int) -> Buffer:
        """f32[size] with each tensor's elements from the float beside it on, and zeros elsewhere."""
        (_, first), _ = tensors[0]
        out = self._buffer(size * 4, first.name)
        for (file, tensor), begin in tensors:
            self._floats(file, tensor, out, 0, _elements(tensor), begin)
        return out

    def matrix(self, file: int, tensor: GgufTensor) -> Weight:
        """A 2-D tensor [rows, cols] as the kind of weight its type and width allow."""
        kind, (rows, cols) = self._kind(tensor), tensor.shape
        weight = self._weight(kind, rows, cols, tensor.name)
        for segment in weight.segments:
            self._fill(file, tensor, weight, segment, Rows(segment.row_begin, segment.rows))
        return weight

    def stacked(self, tensors: Sequence[tuple[int, GgufTensor]]) -> tuple[Weight, ...]:
        """Matrices of equal width, end to end: as few weights as types and one binding allow."""
        groups: list[list[tuple[int, GgufTensor]]] = []
        for file, tensor in tensors:
            together = [other for _, other in groups[-1]] if groups else []
            kind, cols = self._kind(tensor), tensor.shape[1]
            rows = sum(other.shape[0] for other in [*together, tensor])
            if (
                together
                and all(self._kind(other) == kind and other.shape[0] % 4 == 0 for other in together)
                and rows <= self._most_rows(kind, cols)
            ):
                groups[-1].append((file, tensor))
            else:
                groups.append([(file, tensor)])
        return tuple(self._end_to_end(group) for group in groups)

    def _end_to_end(self, tensors: Sequence[tuple[int, GgufTensor]]) -> Weight:
        if len(tensors) == 1:
            return self.matrix(*tensors[0])
        _, first = tensors[0]
        rows = sum(tensor.shape[0] for _, tensor in tensors)
        weight = self._weight(self._kind(first), rows, first.shape[1], first.name)
        (segment,) = weight.segments
        begin = 0
        for file, tensor in tensors:
            self._fill(file, tensor, weight, segment, Rows(0, tensor.shape[0], begin))
            begin += tensor.shape[0]
        return weight

    def interleaved(self, gate: tuple[int, GgufTensor], up: tuple[int, GgufTensor]) -> Weight | None:
        """Two matrices of one shape as one whose rows take turns, as kernels/weights.wgsl says; None where types differ
        or so many rows can't take turns."""
        kind, (rows, cols) = self._kind(gate[1]), gate[1].shape
        if self._kind(up[1]) != kind or rows % GATED_ROWS[self._storage(kind)]:
            return None
        weight = self._weight(kind, 2 * rows, cols, gate[1].name)
        for segment in weight.segments:
            for part, (file, tensor) in enumerate((gate, up)):
                half = Rows(segment.row_begin // 2, segment.rows // 2, part=part)
                self._fill(file, tensor, weight, segment, half)
        return weight

    def _weight(self, kind: str, rows: int, cols: int, label: str) -> Weight:
        """Its buffers, empty."""
        row_bytes = cols // BLOCK_ELEMENTS[kind] * BLOCK_BYTES[kind]
        storage = self._storage(kind)
        if storage == "texture" and row_bytes // 4 > MOST_TEXELS:
            raise VoxtabError(
                "unsupported-type",
                f"Rows of {label} have {cols} columns; at most {cols * 4 * MOST_TEXELS // row_bytes} can be loaded.",
                "This is no Voxtral model.",
            )
        per_segment = self._most_rows(kind, cols)
        segments = []
        for begin in range(0, rows, per_segment):
            count = min(per_segment, rows - begin)
            quads = -(-count // 4)
            scales = None
            if storage == "texture":
                quants: Buffer = self._texture(row_bytes // 4, quads, 4, label)
                scales = self._texture(cols // 32, quads, 2, f"{label} scales")
            elif kind in BLOCK_KINDS:
                quants = self._buffer(4 * quads * row_bytes, label)
                scales = self._buffer(quads * (cols // 32) * 8, f"{label} scales")
            else:
                quants = self._buffer(count * row_bytes, label)
            segments.append(Segment(begin, count, quants, scales))
        return Weight(kind, rows, cols, tuple(segments), storage)

    def _storage(self, kind: str) -> str:
        return "texture" if self.gpu.info.samples_weights and kind in BLOCK_KINDS else "buffer"

    def _most_rows(self, kind: str, cols: int) -> int:
        """Of one segment: whole tiles, as far as one binding and one grid go."""
        row_bytes = cols // BLOCK_ELEMENTS[kind] * BLOCK_BYTES[kind]
        info = self.gpu.info
        limit = min(info.max_binding_bytes, info.max_buffer_bytes, MOST_SEGMENT_BYTES)
        most = min(limit // row_bytes, info.max_workgroups * _LEAST_TILE_ROWS, 4 * MOST_TEXELS)
        return max(1, most // 64) * 64

    def convolution(self, file: int, tensor: GgufTensor) -> Weight:
        """[outputs, inputs, taps] as a matrix [outputs, taps x inputs]: taps of neighbouring frames lie end to end."""
        outputs, inputs, taps = tensor.shape
        out = self._buffer(outputs * inputs * taps * 4, tensor.name)

        def repack(record: Repacker, raw: Buffer, row: int, count: int) -> None:
            record.repack_conv(raw, out, (count, inputs, taps), row)

        self._repack_rows(file, tensor, repack)
        return _over_rows(out, outputs, inputs, taps)

    def upsampling(self, file: int, tensor: GgufTensor) -> Weight:
        """[inputs, outputs, 4] of a transposed convolution with stride 2 as a matrix [2 outputs, 2 inputs]: from an input
        and the one before, end to end, to two outputs end to end. See kernels/repack_upsampling.wgsl."""
        inputs, outputs, taps = tensor.shape
        assert taps == 4
        out = self._buffer(4 * inputs * outputs * 4, tensor.name)

        def repack(record: Repacker, raw: Buffer, row: int, count: int) -> None:
            record.repack_upsampling(raw, out, (inputs, outputs), row, count)

        self._repack_rows(file, tensor, repack)
        return _over_rows(out, 2 * outputs, inputs, 2)

    def weight_norm(self, weight: Weight, gains: Buffer, upsampled_inputs: int = 0) -> None:
        """When all is loaded, scale each of a convolution's outputs, or of an upsampling's inputs, to its gain."""
        record = Repacker(self.gpu)
        weights, rows, cols = weight.segments[0].quants, weight.rows, weight.cols
        if upsampled_inputs:
            record.fold_weight_norm(weights, gains, upsampled_inputs, 1, (rows, cols), (2, upsampled_inputs))
        else:
            record.fold_weight_norm(weights, gains, rows, cols, (1, 0), (cols, 1))
        self.closing.append(record.finish())

    def _repack_rows(
        self, file: int, tensor: GgufTensor, repack: Callable[[Repacker, Buffer, int, int], None]
    ) -> None:
        """Plan pieces of whole rows; `repack(record, f32 buffer, first row, rows)` records what becomes of one."""
        rows, cols = tensor.shape[0], _elements(tensor) // tensor.shape[0]
        size = self._element_bytes(tensor)
        source = _HALF_KINDS.get(tensor.type)
        per_piece = self._rows_per_piece(tensor, cols * size)
        for row in range(0, rows, per_piece):
            count = min(per_piece, rows - row)
            record = Repacker(self.gpu)
            repack(record, self._widened(record, source, count * cols), row, count)
            self._piece(file, tensor.offset + row * cols * size, count * cols * size, record.finish())

    def _kind(self, tensor: GgufTensor) -> str:
        if tensor.type in _BLOCK_KINDS:
            return _BLOCK_KINDS[tensor.type]
        self._element_bytes(tensor)
        cols = tensor.shape[1]
        if tensor.type == GgmlType.F16 and cols % 8 == 0:
            return "f16"
        return "f32" if cols % 4 == 0 else "f32_scalar"

    def _fill(self, file: int, tensor: GgufTensor, weight: Weight, segment: Segment, rows: Rows) -> None:
        """Plan what brings `rows` of the tensor into the segment."""
        row_bytes = tensor.nbytes // tensor.shape[0]
        offset = tensor.offset + rows.first * row_bytes
        if weight.kind in BLOCK_KINDS:
            together = GATED_ROWS[weight.storage]
            per_piece = self._rows_per_piece(tensor, row_bytes) // 4 * 4
            for row in range(0, rows.count, per_piece):
                count = min(per_piece, rows.count - row)
                first = (rows.to + row) // together
                places = (first, 1) if rows.part is None else (2 * first + rows.part, 2)
                record = Repacker(self.gpu)
                record.repack_blocks(weight, self._raw, segment, count, places)
                self._piece(file, offset + row * row_bytes, count * row_bytes, record.finish())
        elif rows.part is not None:
            self._interleave(file, tensor, weight, segment, rows)
        elif weight.kind == "f16":
            self._plain(file, offset, rows.count * row_bytes, segment.quants, rows.to * row_bytes)
        else:
            cols = weight.cols
            first, count, to = (each * cols for each in (rows.first, rows.count, rows.to))
            self._floats(file, tensor, segment.quants, first, count, to)

    def _interleave(
        self, file: int, tensor: GgufTensor, weight: Weight, segment: Segment, rows: Rows
    ) -> None:
        """`_fill` for float weights whose rows take turns."""
        assert rows.part is not None
        row_bytes = tensor.nbytes // tensor.shape[0]
        row_words = weight.cols // 2 if weight.kind == "f16" else weight.cols
        source = None if weight.kind == "f16" else _HALF_KINDS.get(tensor.type)
        per_piece = self._rows_per_piece(tensor, row_bytes)
        for row in range(0, rows.count, per_piece):
            count = min(per_piece, rows.count - row)
            record = Repacker(self.gpu)
            raw = self._widened(record, source, count * weight.cols)
            record.interleave_rows(raw, segment.quants, row_words, count, row, rows.part)
            offset = tensor.offset + (rows.first + row) * row_bytes
            self._piece(file, offset, count * row_bytes, record.finish())

    def _widened(self, record: Repacker, source: str | None, count: int) -> Buffer:
        """Where a piece lies as f32: as it came, or widened by `record` if its type is `source`."""
        if source is None:
            return self._raw
        if self._wide is None:
            self._wide = self.gpu.buffer(2 * PIECE_BYTES, "widened piece")
        record.widen(source, self._raw, self._wide, 0, count)
        return self._wide

    def _floats(
        self, file: int, tensor: GgufTensor, out: Buffer, first: int, count: int, to: int = 0
    ) -> None:
        """Elements first .. first + count of a float tensor, as f32 from float `to` of `out` on."""
        size = self._element_bytes(tensor)
        if size == 4:
            self._plain(file, tensor.offset + first * 4, count * 4, out, to * 4)
            return
        per_piece = PIECE_BYTES // size
        for done in range(0, count, per_piece):
            part = min(per_piece, count - done)
            record = Repacker(self.gpu)
            record.widen(_HALF_KINDS[tensor.type], self._raw, out, to + done, part)
            self._piece(file, tensor.offset + (first + done) * size, part * size, record.finish())

    def _plain(self, file: int, offset: int, nbytes: int, out: Buffer, to: int = 0) -> None:
        for done in range(0, nbytes, PIECE_BYTES):
            part = min(PIECE_BYTES, nbytes - done)
            self.pieces.append(Piece(file, offset + done, part, out, to + done, None))

    def _piece(self, file: int, offset: int, nbytes: int, program: Program) -> None:
        self.pieces.append(Piece(file, offset, nbytes, self._raw, 0, program))

    def _rows_per_piece(self, tensor: GgufTensor, row_bytes: int) -> int:
        if 4 * row_bytes > PIECE_BYTES:
            raise VoxtabError(
                "unsupported-type",
                f"Rows of {tensor.name} have {row_bytes} bytes; at most {PIECE_BYTES // 4} can be loaded.",
                "This is no Voxtral model.",
            )
        return min(PIECE_BYTES // row_bytes, self.gpu.info.max_workgroups)

    def _buffer(self, size: int, label: str) -> Buffer:
        made = self.gpu.buffer(size, label)
        self.made.append(made)
        return made

    def _texture(self, width: int, height: int, words: int, label: str) -> Buffer:
        made = self.gpu.texture(width, height, words, label)
        self.made.append(made)
        return made

    def _element_bytes(self, tensor: GgufTensor) -> int:
        size = _ELEMENT_BYTES.get(tensor.type)
        if size is None:
            raise VoxtabError(
                "unsupported-type",
                f"{tensor.name} is {tensor.type.name}, which this engine can't compute with here.",
                "Use a Q4_0, Q8_0, F16 or F32 file; voxtab-shards quantize makes one.",
            )
        return size


def _over_rows(weights: Buffer, rows: int, width: int, count: int) -> Weight:
    """A matrix over `count` rows of `width` floats end to end, which start at any row."""
    kind = "f32" if width % 4 == 0 else "f32_scalar"
    return Weight(kind, rows, width * count, (Segment(0, rows, weights, None),))


def _elements(tensor: GgufTensor) -> int:
    count = 1
    for size in tensor.shape:
        count *= size
    return count
