"""Voxtral TTS in float64 numpy, written from the model's description: the truth the engine is held against.

`TtsReference(checkpoint)` reads a checkpoint in Mistral's layout (params.json, consolidated.safetensors,
voice_embedding/*.pt) and computes as plainly as it can: nothing hoisted, nothing trimmed. The golden files, which
vLLM-Omni and ExecuTorch confirmed, are what it is itself checked against.

Shapes: P prompt length, F frames, n Euler steps, A acoustic codebooks, R rows of the semantic head.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tests.checkpoints import read_weights
from tests.parity.tts_reference_codec import Codec
from tests.parity.tts_reference_flow import SPECIAL, AcousticHead, Frame
from tests.parity.tts_reference_layers import (
    Floats,
    Weights,
    attend,
    feed_forward,
    q4_0_round_trip,
    rms_norm,
    split_heads,
)

Ids = npt.NDArray[np.int32]
# Keys and values of every position so far, a pair for each layer.
Past = tuple[tuple[Floats, Floats], ...]

BOS, AUDIO, BEGIN_AUDIO, REPEAT_AUDIO_TEXT, NEXT_AUDIO_TEXT = 1, 24, 25, 35, 36


@dataclass(frozen=True)
class Expected:
    """Outputs under the golden files' names. A hidden state more than frames when END stopped the run."""

    prompt_ids: Ids  # [P]
    prompt_embeds: Floats  # [P, dim], the voice's rows in place
    prompt_layer_out: Floats  # [layers, P, dim], the residual stream behind each layer
    prompt_hidden: Floats  # [P, dim], behind the final norm
    codes: Ids  # [F, 1 + A], without the END frame
    stopped: bool  # by END, not by the noise running out
    end_codes: Ids | None  # [1 + A] of the END frame
    hidden: Floats  # [F (+1), dim]: row f is what frame f is made from
    next_embeds: Floats  # [F, dim]: the backbone's input made from frame f
    x: Floats  # [F, n + 1, A], not clamped
    v_cond: Floats  # [F, n, A]
    v_uncond: Floats  # [F, n, A]
    semantic_logits: Floats  # [F (+1), R], before masking
    semantic_margin: Floats  # [F (+1)]
    round_margin: Floats  # [F], in levels


@dataclass(frozen=True)
class Prefill:
    embeds: Floats  # [P, dim]
    layer_out: Floats  # [layers, P, dim]
    hidden: Floats  # [P, dim]
    past: Past


class TtsReference:
    """One checkpoint, ready to speak.

    q4_0: every matrix that Q4_0 can hold, except the codec's quantizer, is replaced by its round trip through
    gguf-py. Voices stay what they are.
    """

    def __init__(self, checkpoint: Path, *, q4_0: bool = False) -> None:
        params: dict[str, Any] = json.loads((checkpoint / "params.json").read_text())
        audio = params["multimodal"]["audio_model_args"]
        self.dim: int = params["dim"]
        self.backbone = Backbone(params, read_float64(checkpoint, q4_0))
        weights = self.backbone.weights
        self.token_table = weights["mm_audio_embeddings.tok_embeddings.weight"]
        self.code_table = weights["mm_audio_embeddings.audio_codebook_embeddings.embeddings.weight"]
        sizes = [
            audio["semantic_codebook_size"],
            *[audio["acoustic_codebook_size"]] * audio["n_acoustic_codebook"],
        ]
        self.code_offsets = np.cumsum([0, *(size + SPECIAL for size in sizes[:-1])])
        self.head = AcousticHead(audio, weights)
        self.codec = Codec(params["multimodal"]["audio_tokenizer_args"], weights)
        self.voices: dict[str, Floats] = {
            path.stem: torch.load(path, weights_only=True).double().numpy()
            for path in sorted((checkpoint / "voice_embedding").glob("*.pt"))
        }

    def prompt(self, voice: str, text_ids: Sequence[int]) -> Ids:
        """[P] token ids for a text already encoded; the markers: 36 in front of the text, 35 behind it."""
        heard = [AUDIO] * len(self.voices[voice])
        ids = [BOS, BEGIN_AUDIO, *heard, NEXT_AUDIO_TEXT, *text_ids, REPEAT_AUDIO_TEXT, BEGIN_AUDIO]
        return np.array(ids, np.int32)

    def speak(
        self,
        prompt_ids: Sequence[int] | Ids,
        voice: str,
        x0: npt.NDArray[Any],
        steps: int = 7,
        alpha: float = 1.2,
    ) -> Expected:
        """Free-running, at most one frame for each row of x0, which is [frames, A]."""
        prompt = np.asarray(prompt_ids, np.int32)
        start = self.prefill(prompt, voice)
        hidden, past = [start.hidden[-1]], start.past
        frames: list[Frame] = []
        next_embeds: list[Floats] = []
        for noise in x0.astype(np.float64):
            frames.append(self.head.frame(hidden[-1], noise, steps, alpha))
            if frames[-1].ends:
                break
            next_embeds.append(self.embed_codes(frames[-1].codes))
            if len(next_embeds) < len(x0):
                row, past = self.advance(next_embeds[-1], past)
                hidden.append(row)
        spoken = [frame for frame in frames if not frame.ends]
        count, codebooks = len(spoken), x0.shape[1]
        return Expected(
            prompt_ids=prompt,
            prompt_embeds=start.embeds,
            prompt_layer_out=start.layer_out,
            prompt_hidden=start.hidden,
            codes=np.array([frame.codes for frame in spoken], np.int32).reshape(count, 1 + codebooks),
            stopped=len(frames) > count,
            end_codes=frames[-1].codes if len(frames) > count else None,
            hidden=np.array(hidden),
            next_embeds=np.array(next_embeds).reshape(count, self.dim),
            x=np.array([frame.x for frame in spoken]).reshape(count, steps + 1, codebooks),
            v_cond=np.array([frame.v_cond for frame in spoken]).reshape(count, steps, codebooks),
            v_uncond=np.array([frame.v_uncond for frame in spoken]).reshape(count, steps, codebooks),
            semantic_logits=np.array([frame.semantic_logits for frame in frames]),
            semantic_margin=np.array([frame.semantic_margin for frame in frames]),
            round_margin=np.array([frame.round_margin for frame in spoken]),
        )

    def decode(self, codes: Ids) -> Floats:
        """codes: [F, 1 + A] without the END frame -> [F * samples per frame], not clipped."""
        return self.codec.decode(codes)

    def prefill(self, prompt_ids: Ids, voice: str) -> Prefill:
        """Raises ValueError when the prompt has not an [AUDIO] for each of the voice's rows."""
        embeds = self.token_table[prompt_ids]
        heard = prompt_ids == AUDIO
        if heard.sum() != len(self.voices[voice]):
            raise ValueError(f"{heard.sum()} [AUDIO] tokens for {len(self.voices[voice])} rows of {voice}")
        embeds[heard] = self.voices[voice]
        layer_out, past = self.backbone.run(embeds, self.backbone.empty)
        return Prefill(embeds, layer_out, self.backbone.normed(layer_out[-1]), past)

    def advance(self, embed: Floats, past: Past) -> tuple[Floats, Past]:
        """One position more: the hidden state [dim] behind the final norm. `past` itself stays as it is."""
        layer_out, longer = self.backbone.run(embed[None], past)
        return self.backbone.normed(layer_out[-1])[0], longer

    def embed_codes(self, codes: Ids) -> Floats:
        """[dim] from a frame's [1 + A] codes: the plain sum of their rows."""
        return np.asarray(self.code_table[self.code_offsets + codes].sum(axis=0))


class Backbone:
    """The causal decoder; `params` is params.json's top level."""

    def __init__(self, params: dict[str, Any], weights: Weights) -> None:
        self.layers: int = params["n_layers"]
        self.head_dim: int = params["head_dim"]
        self.theta: float = params["rope_theta"]
        self.eps: float = params["norm_eps"]
        self.weights = weights
        nothing = np.zeros((0, params["n_kv_heads"] * self.head_dim))
        self.empty: Past = ((nothing, nothing),) * self.layers

    def run(self, x: Floats, past: Past) -> tuple[Floats, Past]:
        """x: [n, dim], the positions behind `past` -> the residual stream behind each layer [layers, n, dim]."""
        outputs: list[Floats] = []
        longer: list[tuple[Floats, Floats]] = []
        before = len(past[0][0])
        positions = before + np.arange(len(x))
        bias = np.where(np.arange(before + len(x)) <= positions[:, None], 0.0, -np.inf)
        w = self.weights
        for layer, (keys, values) in enumerate(past):
            prefix = f"layers.{layer}."
            normed = rms_norm(x, w[prefix + "attention_norm.weight"], self.eps)
            q, k, v = (normed @ w[f"{prefix}attention.{part}.weight"].T for part in ("wq", "wk", "wv"))
            keys = np.concatenate([keys, self.rotated(k, positions)])
            values = np.concatenate([values, v])
            longer.append((keys, values))
            mixed = attend(self.rotated(q, positions), keys, values, self.head_dim, bias)
            x = x + mixed @ w[prefix + "attention.wo.weight"].T
            normed = rms_norm(x, w[prefix + "ffn_norm.weight"], self.eps)
            x = x + feed_forward(normed, w, prefix + "feed_forward.")
            outputs.append(x)
        return np.array(outputs), tuple(longer)

    def rotated(self, x: Floats, positions: npt.NDArray[np.int64]) -> Floats:
        """Elements (2j, 2j + 1) of each head turned by position * theta^(-2j / head_dim)."""
        heads = split_heads(x, self.head_dim)
        pairs = heads[..., ::2] + 1j * heads[..., 1::2]
        rates = self.theta ** (-np.arange(0, self.head_dim, 2) / self.head_dim)
        turned = pairs * np.exp(1j * positions[:, None] * rates)
        both = np.stack([turned.real, turned.imag], axis=-1).reshape(heads.shape)
        return np.asarray(both.swapaxes(-2, -3).reshape(x.shape))

    def normed(self, x: Floats) -> Floats:
        return rms_norm(x, self.weights["norm.weight"], self.eps)


def read_float64(checkpoint: Path, q4_0: bool) -> Weights:
    """Every tensor of the checkpoint, BF16 values widened."""
    return {
        name: (q4_0_round_trip(name, weight) if q4_0 else weight).astype(np.float64)
        for name, weight in read_weights(checkpoint).items()
    }
