"""The pre-norm transformer block of all stacks: SwiGLU, and as a whole causal, windowed, rotary.

x += wo(attention(rms(x)))
x += w2(silu(w1 h) * (w3 h))      h = rms(x), in the decoder with a gain for the delay: see models/asr.py
"""

from dataclasses import dataclass

from voxtab.nn.recorder import Epilogue, Recorder
from voxtab.nn.ring_cache import RingCache
from voxtab.nn.rope import RopeTable
from voxtab.nn.weights import Gated, Linear, Norm, Tensor


@dataclass(frozen=True)
class TransformerBlock:
    """`qkv`: layers whose rows end to end are queries, keys and values, as few as the file's types allow."""

    attention_norm: Norm
    qkv: tuple[Linear, ...]
    wo: Linear
    ffn_norm: Norm
    w1_w3: Gated
    w2: Linear

    def __call__(
        self,
        record: Recorder,
        x: Tensor,
        n: int,
        cache: RingCache,
        rope: RopeTable,
        ffn_norm: Norm | None = None,
    ) -> Tensor:
        """x: [n, dim], changed in place. `ffn_norm`: a session's own, in place of the layer's."""
        qkv = self.project(record, x, n)
        attended = record.scratch("attended", self.attention_width)
        record.rope_attend(qkv, cache, rope, attended, n)
        record.linear(self.wo, attended, x, n, Epilogue.ADD)
        return self.feed_forward(record, x, n, ffn_norm)

    @property
    def attention_width(self) -> int:
        """Heads times their size: where keys begin in a row of queries, keys and values."""
        return self.wo.weight.cols

    @property
    def linears(self) -> tuple[Linear, ...]:
        """All matrices of the layer."""
        return (*self.qkv, self.wo, *self.w1_w3.parts, self.w2)

    def project(self, record: Recorder, x: Tensor, n: int, asking: int | None = None) -> Tensor:
        """Queries, keys and values of n rows end to end, in scratch. Where queries are a layer of their own, only the
        first `asking` rows get some."""
        width = sum(layer.weight.rows for layer in self.qkv)
        return self.project_into(record, x, n, record.scratch("qkv", width), asking)

    def project_into(
        self, record: Recorder, x: Tensor, n: int, out: Tensor, asking: int | None = None
    ) -> Tensor:
        """The same into rows of one's own."""
        h = record.normed(x, self.attention_norm, n)
        column = 0
        for layer in self.qkv:
            part = Tensor(out.buffer, out.width, out.row, column)
            column += layer.weight.rows
            queries_only = column <= self.attention_width
            record.linear(layer, h, part, asking if asking and queries_only else n)
        return out

    def feed_forward(self, record: Recorder, x: Tensor, n: int, norm: Norm | None = None) -> Tensor:
        """The second half of the layer, on n rows of x in place."""
        h = record.normed(x, norm or self.ffn_norm, n)
        hidden = record.gated(self.w1_w3, h, record.scratch("hidden", self.w1_w3.rows), n)
        return record.linear(self.w2, hidden, x, n, Epilogue.ADD)
