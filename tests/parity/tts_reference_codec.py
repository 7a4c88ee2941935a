"""Voxtral TTS's codec decoder in float64: frames of codes in, 24 kHz sound out.

Rows are time, columns channels; the golden files have it the other way round, and so has `stages`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.parity.tts_reference_layers import Floats, Weights, attend, feed_forward, rms_norm

Ids = npt.NDArray[np.int32]

PREFIX = "audio_tokenizer."
SPECIAL = 2
LEAST_USAGE = 1e-5


class Codec:
    """`params` is params.json's audio_tokenizer_args."""

    def __init__(self, params: dict[str, Any], weights: Weights) -> None:
        if params["n_kv_heads"] != params["n_heads"] or not params["half_attn_window_upon_downsampling"]:
            raise ValueError(f"params.json describes a codec that was never released: {params}")
        self.levels: int = params["acoustic_codebook_size"]
        self.heads: int = params["n_heads"]
        self.head_dim: int = params["head_dim"]
        self.eps: float = params["norm_eps"]
        self.qk_eps: float = params["qk_norm_eps"]
        self.layers = [int(part) for part in params["decoder_transformer_lengths_str"].split(",")]
        self.strides = [int(part) for part in params["decoder_convs_strides_str"].split(",")]
        self.window: int = params["attn_sliding_window_size"]
        self.samples_per_frame: int = params["pretransform_patch_size"] * math.prod(self.strides)
        self.weights = weights

    def decode(self, codes: Ids) -> Floats:
        """codes: [F, 1 + A], shifted by two, without the END frame -> [F * samples per frame]."""
        return self.stages(codes)["wave"]

    def decode_chunks(self, codes: Ids, plan: Iterable[tuple[int, int, int]]) -> Floats:
        """The same sound from pieces: (first new frame, frames of left context, new frames) each."""
        pieces = []
        for first, context, new in plan:
            wave = self.decode(codes[first - context : first + new])
            pieces.append(wave[context * self.samples_per_frame :])
        return np.concatenate(pieces)

    def stages(self, codes: Ids) -> dict[str, Floats]:
        """`quant`, `block0`, `block1`, ... as [channels, rows], and `wave` as [samples]."""
        x = self.latent(codes)
        found = {"quant": x.T}
        for stage, stride in enumerate(self.strides):
            kernel = self.kernel(f"decoder_blocks.{2 * stage}")
            x = upsample(x, kernel, stride) if stage else convolve(pad_latent(x, kernel.shape[2] - 1), kernel)
            found[f"block{2 * stage}"] = x.T
            for layer in range(self.layers[stage]):
                x = self.layer(
                    x, f"{PREFIX}decoder_blocks.{2 * stage + 1}.layers.{layer}.", self.stage_window(stage)
                )
            found[f"block{2 * stage + 1}"] = x.T
        kernel = self.kernel("output_proj")
        found["wave"] = convolve(pad_output(x, kernel.shape[2] - 1), kernel).reshape(-1)
        return found

    def latent(self, codes: Ids) -> Floats:
        """[F, semantic dim + A]: the semantic code's centre, then the acoustic levels in [-1, 1]."""
        table = PREFIX + "quantizer.semantic_codebook."
        usage = np.maximum(self.weights[table + "cluster_usage"], LEAST_USAGE)
        centres = self.weights[table + "embedding_sum"] / usage[:, None]
        plain = codes.astype(np.int64) - SPECIAL
        return np.concatenate([centres[plain[:, 0]], plain[:, 1:] * (2 / (self.levels - 1)) - 1], axis=1)

    def kernel(self, name: str) -> Floats:
        """Weight norm folded; the norm is over all axes but the first, which is the input for upsampling."""
        length = self.weights[f"{PREFIX}{name}.conv.parametrizations.weight.original0"]
        direction = self.weights[f"{PREFIX}{name}.conv.parametrizations.weight.original1"]
        return np.asarray(direction * length / np.sqrt((direction**2).sum(axis=(1, 2), keepdims=True)))

    def stage_window(self, stage: int) -> int:
        """How far back a row sees: the last stage's window, halved by each upsampling still to come."""
        return self.window // math.prod(self.strides[stage + 1 :])

    def layer(self, x: Floats, prefix: str, window: int) -> Floats:
        w = self.weights
        normed = rms_norm(x, w[prefix + "attention_norm.weight"], self.eps)
        q, k, v = (normed @ w[f"{prefix}attention.{part}.weight"].T for part in ("wq", "wk", "wv"))
        q = rms_norm(q, w[prefix + "attention.q_norm.weight"], self.qk_eps)
        k = rms_norm(k, w[prefix + "attention.k_norm.weight"], self.qk_eps)
        distance = np.arange(len(x))[:, None] - np.arange(len(x))
        seen = (distance >= 0) & (distance <= window)
        bias = np.where(seen, -alibi_slopes(self.heads)[:, None, None] * distance, -np.inf)
        mixed = attend(q, k, v, self.head_dim, bias) @ w[prefix + "attention.wo.weight"].T
        x = x + w[prefix + "attention_scale"] * mixed
        normed = rms_norm(x, w[prefix + "ffn_norm.weight"], self.eps)
        return np.asarray(x + w[prefix + "ffn_scale"] * feed_forward(normed, w, prefix + "feed_forward."))


def alibi_slopes(heads: int) -> Floats:
    """1, r, r^2, ...; when heads are no power of two, those of the power below, then every second one of the next."""
    power = 1 << (heads.bit_length() - 1)
    doubled = 2.0 ** (-8 / (2 * power) * np.arange(2 * power))
    slopes = 2.0 ** (-8 / power * np.arange(power))
    return np.concatenate([slopes, doubled[::2][: heads - power]])


def pad_latent(x: Floats, rows: int) -> Floats:
    """The first row again and again in front."""
    return np.pad(x, ((rows, 0), (0, 0)), mode="edge")


def pad_output(x: Floats, rows: int) -> Floats:
    """What follows the first row, mirrored, in front; needs more than `rows` rows."""
    return np.pad(x, ((rows, 0), (0, 0)), mode="reflect")


def convolve(x: Floats, kernel: Floats) -> Floats:
    """x: [n + k - 1, in], kernel: [out, in, k] -> [n, out]."""
    n = len(x) - kernel.shape[2] + 1
    return np.asarray(sum(x[tap : tap + n] @ kernel[:, :, tap].T for tap in range(kernel.shape[2])))


def upsample(x: Floats, kernel: Floats, stride: int) -> Floats:
    """Transposed convolution; x: [n, in], kernel: [in, out, k] -> the first n * stride rows, [.., out]."""
    taps = kernel.shape[2]
    full = np.zeros(((len(x) - 1) * stride + taps, kernel.shape[1]))
    for tap in range(taps):
        full[tap : tap + (len(x) - 1) * stride + 1 : stride] += x @ kernel[:, :, tap]
    return full[: len(x) * stride]


def serving_plan(frames: int, ended: bool, left: int = 25) -> list[tuple[int, int, int]]:
    """vLLM-Omni's schedule for `frames` frames: every 5 frames at first, then every 25; the END frame counts."""
    plan: list[tuple[int, int, int]] = []
    total = frames + ended
    for length in range(1, total + 1):
        chunk = 5 if length <= 25 else 25
        if length % chunk and length < total:
            continue
        first = plan[-1][0] + plan[-1][2] if plan else 0
        if (new := min(length, frames) - first) > 0:
            plan.append((first, min(first, left), new))
    return plan
