"""Records layers into a Program. Which kernel and which fused form serves a layer is decided here and nowhere else."""

import struct
from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum

from voxtab import kernels
from voxtab.gpu.base import Buffer, Dispatch, Gpu, Program
from voxtab.nn.ring_cache import RingCache
from voxtab.nn.rope import RopeTable
from voxtab.nn.weights import Gated, Linear, Norm, Segment, Tensor, Weight

# Slots of a cache to a workgroup, when one row attends to all of them.
_SPLIT_SLOTS = 256
_MOST_SPLITS = 32
# Workgroups that look for the best logit.
_MOST_ARGMAX_GROUPS = 64


class Epilogue(IntEnum):
    """What happens to a row's sum on its way out of a linear layer; numbers as in kernels/epilogue.wgsl."""

    STORE = 0
    ADD = 1
    GELU = 2
    SILU_GATE = 3
    GATED_ROWS = 4


class Workspace:
    """Scratch rows by name, made at the first use for the largest chunk. Programs of one queue run one after the
    other, so sessions share it."""

    def __init__(self, gpu: Gpu, rows: int) -> None:
        self._gpu = gpu
        self._rows = rows
        self._made: dict[tuple[str, int], Tensor] = {}

    def __call__(self, name: str, width: int) -> Tensor:
        found = self._made.get((name, width))
        if found is None:
            buffer = self._gpu.buffer(self._rows * width * 4, f"scratch {name}")
            found = self._made[(name, width)] = Tensor(buffer, width)
        return found

    def flat(self, name: str, size: int) -> Tensor:
        """So many floats in all, however many rows a chunk has."""
        return self(name, ceil_div(size, self._rows))

    def free(self) -> None:
        for tensor in self._made.values():
            self._gpu.free(tensor.buffer)
        self._made.clear()


def float_bits(value: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", value))[0])


class Recorder:
    """The program under construction. `control` holds the position of row 0 of a chunk; `n` is the chunk's rows."""

    def __init__(self, gpu: Gpu, control: Buffer, scratch: Workspace) -> None:
        self.gpu = gpu
        self.control = control
        self.scratch = scratch
        self._dispatches: list[Dispatch] = []
        self._nothing = gpu.uniform(bytes(16))

    def finish(self) -> Program:
        return self.gpu.program(self._dispatches)

    def linear(
        self,
        layer: Linear,
        x: Tensor,
        out: Tensor,
        n: int,
        epilogue: Epilogue = Epilogue.STORE,
        *,
        x_stride: int | None = None,
    ) -> Tensor:
        """out[i] = epilogue(layer(x[i])) for i < n. `x_stride` (floats) makes rows of x overlap, as a convolution
        wants; otherwise rows are x.width apart."""
        weight = layer.weight
        stride = x.width if x_stride is None else x_stride
        values = 1 if layer.bias else 2 if layer.scale else 0
        norm = x.norm
        tile = self.gpu.tiles_for(weight.kind).serving(n)
        if norm is not None and not tile.norms:
            x = self.rms_norm(replace(x, norm=None), norm, self.scratch("h", x.width), n)
            return self.linear(layer, x, out, n, epilogue)
        for segment in weight.segments:
            dims = (
                *(segment.rows, weight.blocks, segment.row_begin, n),
                *(x.begin, stride, out.begin, out.width),
                *(int(epilogue), values, int(norm is not None), float_bits(norm.eps if norm else 0.0)),
                norm.offset if norm else 0,
            )
            bindings = [
                *weight_bindings(segment),
                (2, x.buffer),
                (3, layer.bias or layer.scale or self._nothing),
                (4, out.buffer),
            ]
            if weight.storage == "texture":
                bindings.append((7, self.gpu.sampler()))
            if tile.norms:
                bindings.append((6, norm.gain if norm else self._nothing))
            grid = (ceil_div(segment.rows, tile.covers[0]), ceil_div(n, tile.covers[1]))
            self._add(tile.kernel, {**weight.variant, **tile.parameters}, {}, bindings, dims, grid)
        return out

    def gated(self, layer: Gated, x: Tensor, out: Tensor, n: int) -> Tensor:
        """out[i] = silu(gate x[i]) times (up x[i])."""
        if len(layer.parts) == 1:
            return self.linear(layer.parts[0], x, out, n, Epilogue.GATED_ROWS)
        gate, up = layer.parts
        return self.linear(up, x, self.linear(gate, x, out, n), n, Epilogue.SILU_GATE)

    def normed(self, x: Tensor, norm: Norm, n: int) -> Tensor:
        """norm(x[i]) for i < n as input of linear layers: in scratch, or a row alone as it is, if they can norm it."""
        if n == 1 and self.gpu.tiles.one.norms:
            return replace(x, norm=norm)
        return self.rms_norm(x, norm, self.scratch("h", x.width), n)

    def rms_norm(self, x: Tensor, norm: Norm, out: Tensor, n: int) -> Tensor:
        """out[i] = norm(x[i])."""
        bindings = [(0, x.buffer), (1, norm.gain), (2, out.buffer)]
        dims = (x.width, x.row, norm.offset, float_bits(norm.eps))
        self._add("rms_norm", self.norm_variant(), {}, bindings, dims, (n, 1), dims_at=3)
        return out

    def rope_store(self, qkv: Tensor, cache: RingCache, rope: RopeTable, n: int) -> None:
        """Rows of queries, keys and values end to end: rotate q in place; put rotated k, and v, into the cache."""
        row_pairs, kv_pairs = qkv.width // 2, cache.width // 2
        q_pairs = row_pairs - 2 * kv_pairs
        dims = (q_pairs, kv_pairs, rope.head_dim // 2, cache.slots, rope.slots)
        bindings = [(0, qkv.buffer), (1, cache.keys), (2, cache.values), (3, rope.buffer), (4, self.control)]
        self._add("rope_store", {"cache": cache.kind}, {}, bindings, dims, (ceil_div(q_pairs, 64), n))

    def norm_variant(self) -> dict[str, str | int]:
        """Of kernels that norm a row with a workgroup."""
        return {"threads": kernels.NORM_THREADS["software" if self.gpu.info.software else "gpu"]}

    def rope_attend(self, qkv: Tensor, cache: RingCache, rope: RopeTable, out: Tensor, n: int) -> Tensor:
        """out[i] = causal attention of row i over the cache's window, its own rotated key and value taken in before."""
        if n == 1:
            return self.attend(qkv, cache, rope.head_dim, out, n, rope=rope)
        self.rope_store(qkv, cache, rope, n)
        return self.attend(qkv, cache, rope.head_dim, out, n)

    def attend(
        self,
        q: Tensor,
        cache: RingCache,
        head_dim: int,
        out: Tensor,
        n: int,
        slopes: Buffer | None = None,
        rope: RopeTable | None = None,
    ) -> Tensor:
        """out[i] = causal attention of row i over the cache's window, grouped heads; rows of q may go on after their
        queries. `slopes`: f32[heads] of ALiBi; `rope`: of a row alone that isn't rotated and stored yet."""
        heads, group, pairs = out.width // head_dim, out.width // cache.width, head_dim // 2
        together = next(count for count in (4, 2, 1) if group % count == 0)
        # A step's few workgroups would leave most of a GPU idle, so that a long context is shared out.
        splits = min(_MOST_SPLITS, ceil_div(cache.slots, _SPLIT_SLOTS)) if n == 1 else 1
        adapter = "software" if self.gpu.info.software else "gpu"
        threads = kernels.ATTENTION_THREADS[adapter]
        variant: dict[str, str | int] = {
            "cache": cache.kind,
            "threads": threads,
            "pairs": next(p for p in kernels.ATTENTION_PAIRS[adapter] if pairs <= p * threads),
            "keys": kernels.ATTENTION_KEYS[adapter][-1 if cache.window > 2 * threads else 0],
        }
        scale = float_bits(head_dim**-0.5)
        dims = (
            *(heads, group, pairs, cache.slots, cache.window, scale, cache.rate, n),
            *(together, splits, q.width // 2, int(rope is not None), rope.slots if rope else 0),
        )
        parts = out if splits == 1 else self.scratch.flat("attention parts", heads * splits * (pairs + 1) * 2)
        bindings = [(0, q.buffer), (1, cache.keys), (2, cache.values), (3, parts.buffer), (4, self.control)]
        bindings += [(6, slopes or self._nothing), (7, rope.buffer if rope else self._nothing)]
        constants = {"HAS_SLOPES": int(slopes is not None)}
        grid = (heads // together, ceil_div(n * together, 4), splits)
        self._add("attention", variant, constants, bindings, dims, grid)
        if splits > 1:
            merged = [(0, parts.buffer), (1, out.buffer)]
            self._add("attention_merge", {}, {}, merged, (pairs, splits), (heads, 1), dims_at=2)
        return out

    def embed(
        self, table: Weight, tokens: Tensor, audio: Tensor, slots: tuple[int, int], x: Tensor, n: int
    ) -> Tensor:
        """x[i] = audio + embedding of the token, both at the position of row i; `slots` of (tokens, audio) rings."""
        for segment in table.segments:
            dims = (segment.rows, table.blocks, segment.row_begin, x.width, *slots)
            bindings = [*weight_bindings(segment), (2, tokens.buffer), (3, audio.buffer), (4, x.buffer)]
            bindings.append((6, self.control))
            self._add("embed", table.variant, {}, bindings, dims, (ceil_div(x.width, 64), n))
        return x

    def choose_token(
        self, logits: Tensor, tokens: Buffer, slots: int, n: int, temperature: float, seed: int
    ) -> None:
        """tokens[position + n] = argmax of the logits, or a sample when temperature > 0."""
        best, slices = self.best_of_slices(logits, (0, logits.width), temperature, seed)
        bindings = [(0, best), (1, tokens), (2, self.control)]
        dims = (n, slots, logits.width - 1, slices)
        self._add("argmax_token", {}, {}, bindings, dims, (1, 1), dims_at=3)

    def best_of_slices(
        self, logits: Tensor, span: tuple[int, int], temperature: float = 0.0, seed: int = 0
    ) -> tuple[Buffer, int]:
        """(value, index) of the best in each slice of the logits `span`, and how many slices."""
        begin, end = span
        groups = min(_MOST_ARGMAX_GROUPS, ceil_div(end - begin, 64))
        best = self.scratch.flat("best of slices", 2 * 64 * groups).buffer
        inverse = float_bits(1.0 / temperature) if temperature > 0 else 0
        dims = (end, inverse, seed & 0xFFFFFFFF, begin)
        bindings = [(0, logits.buffer), (1, best), (2, self.control)]
        self._add("argmax_rows", {}, {}, bindings, dims, (groups, 1), dims_at=3)
        return best, 64 * groups

    def advance(self, n: int) -> None:
        """Move the position on by n, for the next replay."""
        self._add("advance", {}, {}, [(0, self.control)], (n, 0, 0, 0), (1, 1), dims_at=1)

    def shift_rows(self, x: Tensor, count: int, first: int) -> None:
        """Copy rows first .. first + count of x to its front: the left context of the next chunk. count <= first."""
        dims = (count * x.width, (x.row + first) * x.width, x.row * x.width)
        self._add("shift_rows", {}, {}, [(0, x.buffer)], dims, (ceil_div(dims[0], 64), 1), dims_at=1)

    def copy_rows(self, x: Tensor, out: Tensor, n: int) -> None:
        count = n * x.width
        groups = ceil_div(count, 64)
        grid = (min(groups, 32768), ceil_div(groups, 32768))
        dims = (count, x.begin, out.begin)
        self._add("copy_rows", {}, {}, [(0, x.buffer), (1, out.buffer)], dims, grid, dims_at=2)

    def ring_store(self, x: Tensor, ring: Tensor, slots: int, per_row: int, n: int) -> None:
        """Put n rows into a ring at position / per_row."""
        bindings = [(0, x.buffer), (1, ring.buffer), (2, self.control)]
        grid = (ceil_div(x.width, 64), n)
        self._add("ring_store", {}, {}, bindings, (x.width, slots, per_row), grid, dims_at=3)

    def log_mel(
        self,
        spectrum: Tensor,
        filters: Buffer,
        spans: Buffer,
        top: float,
        gain: float,
        out: Tensor,
        frames: int,
    ) -> Tensor:
        """Rows of (real parts, imaginary parts) -> log-mel rows; see kernels/log_mel.wgsl."""
        bindings = [(0, spectrum.buffer), (1, filters), (2, spans), (3, out.buffer)]
        dims = (spectrum.width // 2, out.width, out.row, float_bits(top), float_bits(gain))
        self._add("log_mel", {}, {}, bindings, dims, (ceil_div(out.width, 64), frames), dims_at=4)
        return out

    def _add(
        self,
        name: str,
        parameters: dict[str, str | int],
        constants: dict[str, int],
        bindings: Sequence[tuple[int, Buffer]],
        dims: Sequence[int],
        grid: tuple[int, ...],
        dims_at: int = 5,
    ) -> None:
        key = kernels.key(name, **parameters)
        pipeline = self.gpu.pipeline(key, kernels.source(name, **parameters), constants)
        padded = [*dims, *[0] * (-len(dims) % 4)]
        uniform = self.gpu.uniform(struct.pack(f"<{len(padded)}I", *padded))
        entries = tuple(sorted([*bindings, (dims_at, uniform)], key=lambda entry: entry[0]))
        self._dispatches.append(
            Dispatch(pipeline, entries, (grid[0], grid[1], grid[2] if len(grid) > 2 else 1))
        )


def weight_bindings(segment: Segment) -> list[tuple[int, Buffer]]:
    return [(0, segment.quants), *([(1, segment.scales)] if segment.scales else [])]


def ceil_div(value: int, by: int) -> int:
    return -(-value // by)
