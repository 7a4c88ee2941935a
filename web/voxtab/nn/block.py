"""The pre-norm transformer block of all stacks: SwiGLU, and as a whole causal, windowed, rotary.

x += wo(attention(rms(x)))
h  = rms(x) [* (1 + ada)]        the decoder's time conditioning, on this branch only
x += w2(silu(w1 h) * (w3 h))
"""

from dataclasses import dataclass

from voxtab.gpu.base import Buffer
from voxtab.nn.recorder import Epilogue, Recorder
from voxtab.nn.ring_cache import RingCache
from voxtab.nn.rope import RopeTable
from voxtab.nn.weights import Linear, Tensor


@dataclass(frozen=True)
class TransformerBlock:
    attention_norm: Buffer
    wq: Linear
    wk: Linear
    wv: Linear
    wo: Linear
    ffn_norm: Buffer
    w1: Linear
    w2: Linear
    w3: Linear
    norm_eps: float

    def __call__(
        self,
        record: Recorder,
        x: Tensor,
        n: int,
        cache: RingCache,
        rope: RopeTable,
        ada: tuple[Buffer, int] | None = None,
    ) -> Tensor:
        """x: [n, dim], changed in place. `ada`: where this layer's scale starts, f32[dim]."""
        q, k, v = self.project(record, x, n)
        record.rope_store(q, k, v, cache, rope, n)
        attended = record.attend(q, cache, rope.head_dim, record.scratch("attended", q.width), n)
        record.linear(self.wo, attended, x, n, Epilogue.ADD)
        return self.feed_forward(record, x, n, ada)

    def project(
        self, record: Recorder, x: Tensor, n: int, asking: int | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of n rows, in scratch; queries of the first `asking` only, if told."""
        scratch = record.scratch
        h = record.rms_norm(x, self.attention_norm, self.norm_eps, scratch("h", x.width), n)
        q = record.linear(self.wq, h, scratch("q", self.wq.weight.rows), n if asking is None else asking)
        k = record.linear(self.wk, h, scratch("k", self.wk.weight.rows), n)
        v = record.linear(self.wv, h, scratch("v", self.wv.weight.rows), n)
        return q, k, v

    def feed_forward(
        self, record: Recorder, x: Tensor, n: int, ada: tuple[Buffer, int] | None = None
    ) -> Tensor:
        """The second half of the layer, on n rows of x in place."""
        scratch = record.scratch
        h = record.rms_norm(x, self.ffn_norm, self.norm_eps, scratch("h", x.width), n, ada)
        gate = record.linear(self.w1, h, scratch("gate", self.w1.weight.rows), n)
        hidden = record.linear(self.w3, h, gate, n, Epilogue.SILU_GATE)
        return record.linear(self.w2, hidden, x, n, Epilogue.ADD)
