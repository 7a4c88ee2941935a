"""The pieces that all three networks of Voxtral TTS are made of, in float64."""

from __future__ import annotations

from collections.abc import Mapping

import gguf
import numpy as np
import numpy.typing as npt

from tests.checkpoints import Float32

Floats = npt.NDArray[np.float64]
Weights = Mapping[str, Floats]


def rms_norm(x: Floats, weight: Floats, eps: float) -> Floats:
    """x: [..., n], weight: [n]; eps is inside the square root."""
    return np.asarray(x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * weight)


def feed_forward(x: Floats, weights: Weights, prefix: str) -> Floats:
    """SwiGLU; x: [..., dim], already normed."""
    gate = x @ weights[prefix + "w1.weight"].T
    up = x @ weights[prefix + "w3.weight"].T
    return np.asarray((gate / (1 + np.exp(-gate)) * up) @ weights[prefix + "w2.weight"].T)


def attend(q: Floats, k: Floats, v: Floats, head_dim: int, bias: Floats | None = None) -> Floats:
    """Softmax attention: q [..., n, heads * head_dim], k and v [..., m, kv_heads * head_dim] -> as q.

    Query head h uses key-value head h // (heads / kv_heads). bias: what broadcasts to [heads, n, m].
    """
    query, key, value = (split_heads(part, head_dim) for part in (q, k, v))
    group = query.shape[-3] // key.shape[-3]
    key, value = np.repeat(key, group, axis=-3), np.repeat(value, group, axis=-3)
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(head_dim)
    if bias is not None:
        scores = scores + bias
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed = weights / weights.sum(axis=-1, keepdims=True) @ value
    return np.asarray(mixed.swapaxes(-2, -3).reshape(q.shape))


def split_heads(x: Floats, head_dim: int) -> Floats:
    """[..., n, heads * head_dim] -> [..., heads, n, head_dim]."""
    return x.reshape(*x.shape[:-1], -1, head_dim).swapaxes(-2, -3)


def q4_0_round_trip(name: str, weight: Float32) -> Float32:
    """What gguf-py's Q4_0 leaves of a matrix; the codec's quantizer and what has no whole blocks pass unchanged."""
    if weight.ndim != 2 or weight.shape[1] % 32 or ".quantizer." in name:
        return weight
    q4_0 = gguf.GGMLQuantizationType.Q4_0
    return np.asarray(gguf.quants.dequantize(gguf.quants.quantize(weight, q4_0), q4_0)).reshape(weight.shape)
