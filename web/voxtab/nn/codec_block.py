"""The speech codec's transformer layer: causal, windowed, with ALiBi in place of rotary positions, and scaled branches.

x += attention_scale * wo(attention(rms(x)))     q and k RMS-normalized over the whole projection
x += ffn_scale * w2(silu(w1 rms(x)) * (w3 rms(x)))
"""

from dataclasses import dataclass

from voxtab.gpu.base import Buffer
from voxtab.nn.block import TransformerBlock
from voxtab.nn.codec_recorder import CodecRecorder
from voxtab.nn.recorder import Epilogue
from voxtab.nn.ring_cache import RingCache
from voxtab.nn.weights import Tensor


@dataclass(frozen=True)
class CodecBlock:
    """`layer`: its wo and w2 have the scales. `slopes`: f32[heads]."""

    layer: TransformerBlock
    q_norm: Buffer
    k_norm: Buffer
    qk_norm_eps: float
    head_dim: int
    slopes: Buffer

    def __call__(self, record: CodecRecorder, x: Tensor, n: int, cache: RingCache) -> Tensor:
        """x: [n, dim], changed in place."""
        qkv = self.layer.project(record, x, n)
        record.norm_store(qkv, (self.q_norm, self.k_norm), self.qk_norm_eps, cache, n)
        out = record.scratch("attended", self.layer.attention_width)
        attended = record.attend(qkv, cache, self.head_dim, out, n, self.slopes)
        record.linear(self.layer.wo, attended, x, n, Epilogue.ADD)
        return self.layer.feed_forward(record, x, n)
