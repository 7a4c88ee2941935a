"""Voxtral TTS's acoustic head in float64: one hidden state and some noise in, one frame of codes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.parity.tts_reference_layers import Floats, Weights, attend, feed_forward, rms_norm

Ids = npt.NDArray[np.int32]

PREFIX = "acoustic_transformer."
END = 1
SPECIAL = 2  # codes 0 (EMPTY) and 1 (END) of every codebook
TIME_THETA = 10000.0
# params.json does not say it; the reference's default.
NORM_EPS = 1e-5


@dataclass(frozen=True)
class Frame:
    """A acoustic codebooks, n Euler steps, R rows of the semantic head, masked ones included."""

    codes: Ids  # [1 + A], all shifted by two; 1, 2, 2, ... for the end
    semantic_logits: Floats  # [R], before masking
    x: Floats  # [n + 1, A]: the noise, then what each step leaves; not clamped
    v_cond: Floats  # [n, A]
    v_uncond: Floats  # [n, A]
    semantic_margin: float  # best minus second-best of the logits allowed
    round_margin: float  # distance to the nearest rounding boundary, in levels

    @property
    def ends(self) -> bool:
        return bool(self.codes[0] == END)


class AcousticHead:
    """Semantic argmax and flow matching; `params` is params.json's audio_model_args."""

    def __init__(self, params: dict[str, Any], weights: Weights) -> None:
        sizes = params["acoustic_transformer_args"]
        if sizes["input_dim"] != sizes["dim"]:
            raise ValueError(f"the head is {sizes['dim']} wide, what it hears {sizes['input_dim']}")
        self.dim: int = sizes["dim"]
        self.layers: int = sizes["n_layers"]
        self.head_dim: int = sizes["head_dim"]
        self.eps: float = sizes.get("norm_eps", NORM_EPS)
        self.codebooks: int = params["n_acoustic_codebook"]
        self.levels: int = params["acoustic_codebook_size"]
        self.semantic_end: int = params["semantic_codebook_size"] + SPECIAL
        self.weights = weights

    def frame(self, hidden: Floats, x0: Floats, steps: int = 7, alpha: float = 1.2) -> Frame:
        """hidden: [dim], behind the backbone's final norm; x0: [A]."""
        logits, semantic, semantic_margin = self.semantic(hidden)
        x, velocities = [x0], []
        for step in range(steps):
            v_cond, v_uncond = self.velocities(x[-1], step / steps, hidden)
            velocities.append((v_cond, v_uncond))
            x.append(x[-1] + (alpha * v_cond + (1 - alpha) * v_uncond) / steps)
        level = (np.clip(x[-1], -1, 1) + 1) / 2 * (self.levels - 1)
        acoustic = np.zeros(self.codebooks) if semantic == END else np.rint(level)  # ties to even
        return Frame(
            codes=np.array([semantic, *(acoustic + SPECIAL)], np.int32),
            semantic_logits=logits,
            x=np.array(x),
            v_cond=np.array([v for v, _ in velocities]),
            v_uncond=np.array([v for _, v in velocities]),
            semantic_margin=semantic_margin,
            round_margin=float(np.abs(level - np.floor(level) - 0.5).min()),
        )

    def semantic(self, hidden: Floats) -> tuple[Floats, int, float]:
        """Logits [R], the best of those allowed, and how much it is better than the next."""
        logits = self.weights[PREFIX + "semantic_codebook_output.weight"] @ hidden
        rows = np.arange(len(logits))
        allowed = np.where((rows == 0) | (rows >= self.semantic_end), -np.inf, logits)
        second, best = np.sort(allowed)[-2:]
        return logits, int(np.argmax(allowed)), float(best - second)

    def velocities(self, x: Floats, t: float, hidden: Floats) -> tuple[Floats, Floats]:
        """With the hidden state, and with a zero vector in its place: [A] each."""
        rows = rms_norm(
            self.layer_out(self.tokens(x, t, hidden))[-1][:, 0],
            self.weights[PREFIX + "norm.weight"],
            self.eps,
        )
        v_cond, v_uncond = rows @ self.weights[PREFIX + "acoustic_codebook_output.weight"].T
        return v_cond, v_uncond

    def tokens(self, x: Floats, t: float, hidden: Floats) -> Floats:
        """[2, 3, dim]: x, time and hidden state, for the conditional branch and the other one."""
        state = x @ self.weights[PREFIX + "input_projection.weight"].T
        heard = hidden @ self.weights[PREFIX + "llm_projection.weight"].T
        return np.array([[state, self.time_token(t), heard], [state, self.time_token(t), 0 * heard]])

    def time_token(self, t: float) -> Floats:
        """[dim] for a time in [0, 1], projected; cosines before sines."""
        angles = t * TIME_THETA ** (-np.arange(self.dim // 2) / (self.dim // 2))
        waves = np.concatenate([np.cos(angles), np.sin(angles)])
        return np.asarray(self.weights[PREFIX + "time_projection.weight"] @ waves)

    def layer_out(self, tokens: Floats) -> Floats:
        """[layers, 2, 3, dim], the residual stream behind each layer. Every token sees all three."""
        outputs, x, w = [], tokens, self.weights
        for layer in range(self.layers):
            prefix = f"{PREFIX}layers.{layer}."
            normed = rms_norm(x, w[prefix + "attention_norm.weight"], self.eps)
            q, k, v = (normed @ w[f"{prefix}attention.{part}.weight"].T for part in ("wq", "wk", "wv"))
            x = x + attend(q, k, v, self.head_dim) @ w[prefix + "attention.wo.weight"].T
            normed = rms_norm(x, w[prefix + "ffn_norm.weight"], self.eps)
            x = x + feed_forward(normed, w, prefix + "feed_forward.")
            outputs.append(x)
        return np.array(outputs)
