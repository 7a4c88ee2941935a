"""What a speech model records beyond other models' layers. The second word of `control` is the frame's number."""

from collections.abc import Sequence

from voxtab.nn.recorder import Recorder, ceil_div, float_bits, weight_bindings
from voxtab.nn.weights import Tensor, Weight


class SpeechRecorder(Recorder):
    """The program of a prompt's chunk, or of a frame: a few rows at a time in the acoustic head."""

    def embed_prompt(
        self, table: Weight, tokens: Tensor, voice: Tensor, voice_span: tuple[int, int], x: Tensor, n: int
    ) -> Tensor:
        """x[i] = embedding of the prompt's token at the position of row i, or the voice's row there.
        `voice_span`: the position of the voice's first row, and how many it has."""
        positions = tokens.buffer.size // 4
        for segment in table.segments:
            dims = (segment.rows, table.blocks, segment.row_begin, x.width, positions, *voice_span)
            bindings = [*weight_bindings(segment), (2, tokens.buffer), (3, voice.buffer), (4, x.buffer)]
            bindings.append((6, self.control))
            self._add("embed_prompt", table.variant, {}, bindings, dims, (ceil_div(x.width, 64), n))
        return x

    def embed_codes(
        self, table: Weight, codes: Tensor, slots: int, rows_per_book: tuple[int, int], x: Tensor
    ) -> Tensor:
        """x = sum of the embeddings of this frame's codes. `rows_per_book`: of the semantic, of an acoustic codebook."""
        for number, segment in enumerate(table.segments):
            dims = (
                segment.rows,
                table.blocks,
                segment.row_begin,
                x.width,
                slots,
                codes.width,
                *rows_per_book,
            )
            bindings = [*weight_bindings(segment), (2, codes.buffer), (4, x.buffer), (6, self.control)]
            constants = {"ADDS": int(number > 0)}
            grid = (ceil_div(x.width, 64), 1)
            self._add("embed_codes", table.variant, constants, bindings, dims, grid)
        return x

    def load_frame_row(self, ring: Tensor, slots: int, out: Tensor) -> Tensor:
        """Row 0 of out = this frame's row of the ring."""
        bindings = [(0, ring.buffer), (1, out.buffer), (2, self.control)]
        grid = (ceil_div(ring.width, 64), 1)
        self._add("load_frame_row", {}, {}, bindings, (ring.width, slots), grid, dims_at=3)
        return out

    def gather_rows(self, x: Tensor, places: Sequence[int], out: Tensor) -> Tensor:
        """out[r] = x[places[r]], at most 8 rows."""
        dims = (x.width, 0, 0, 0, *places, *[0] * (8 - len(places)))
        grid = (ceil_div(x.width, 64), len(places))
        self._add("gather_rows", {}, {}, [(0, x.buffer), (1, out.buffer)], dims, grid, dims_at=2)
        return out

    def attend_tokens(
        self,
        qkv: Tensor,
        places: Sequence[int],
        branches: int,
        queries: int,
        head_dim: int,
        out: Tensor,
    ) -> Tensor:
        """Three tokens of each branch see each other; the first `queries` of them ask. Token t of branch b is row
        places[t x branches + b] of queries, keys and values end to end, and row t x branches + b of out."""
        heads, group = out.width // head_dim, 2 * out.width // (qkv.width - out.width)
        dims = (heads, group, head_dim // 2, float_bits(head_dim**-0.5), branches, queries, 0, 0, *places)
        padded = (*dims, *[0] * (16 - len(dims)))
        bindings = [(0, qkv.buffer), (1, out.buffer)]
        self._add("attend_tokens", {}, {}, bindings, padded, (heads, branches), dims_at=2)
        return out

    def euler_step(
        self, velocity: Tensor, x: Tensor, step: int, steps: int, branches: int, alpha: float
    ) -> Tensor:
        """x[step + 1] = x[step] + guided velocity / steps."""
        dims = (x.width, step, branches, float_bits(alpha), float_bits(1.0 / steps))
        bindings = [(0, x.buffer), (1, velocity.buffer)]
        self._add("euler_step", {}, {}, bindings, dims, (ceil_div(x.width, 64), 1), dims_at=2)
        return x

    def choose_codes(
        self, logits: Tensor, end: int, x: Tensor, levels: int, codes: Tensor, slots: int
    ) -> Tensor:
        """This frame's codes in the ring: the best of logits 1 .. end, then x rounded to levels."""
        best, slices = self.best_of_slices(logits, (1, end))
        dims = (x.width, x.row * x.width, slots, levels, end - 1, slices)
        bindings = [(0, best), (1, x.buffer), (2, codes.buffer), (3, self.control)]
        self._add("choose_codes", {}, {}, bindings, dims, (ceil_div(codes.width, 64), 1), dims_at=4)
        return codes

    def next_frame(self) -> None:
        """The next replay makes the next frame, one position on."""
        self._add("advance", {}, {}, [(0, self.control)], (1, 1, 0, 0), (1, 1), dims_at=1)
