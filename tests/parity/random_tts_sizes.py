"""Sizes of random Voxtral TTS models, and Mistral's layout of a checkpoint: params.json's keys, tensors and shapes."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.parity.tts_reference_flow import SPECIAL

Shape = tuple[int, ...]

SAMPLE_RATE = 24000


@dataclass(frozen=True)
class Stack:
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int

    def params(self) -> dict[str, int]:
        return {
            "n_layers": self.layers,
            "n_heads": self.heads,
            "n_kv_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "hidden_dim": self.ffn,
        }


@dataclass(frozen=True)
class TtsSizes:
    """`stages`: layers of each of the codec's stages, whatever `codec.layers` says; `window`: the last stage's."""

    dim: int
    backbone: Stack
    acoustic: Stack
    codec: Stack
    vocab_size: int = 1400
    rope_theta: float = 1e6
    semantic_size: int = 100
    codebooks: int = 5
    levels: int = 9
    codec_dim: int = 32
    semantic_dim: int = 24
    stages: tuple[int, ...] = (1, 1, 1, 1)
    window: int = 16
    patch: int = 20
    codec_eps: float = 1e-2
    qk_eps: float = 1e-6
    voices: tuple[tuple[str, int], ...] = (("neutral_male", 5), ("fr_female", 2))
    end_gain: float = 1.0  # how much louder END's row of the semantic head is

    @property
    def strides(self) -> tuple[int, ...]:
        return (1, *[2] * (len(self.stages) - 1))

    @property
    def samples_per_frame(self) -> int:
        return self.patch * math.prod(self.strides)


def random_sizes(draw: random.Random) -> TtsSizes:
    """Widths with and without whole Q4_0 blocks, odd head counts, codebooks and levels unlike the released ones."""
    stages = draw.choice([4, 4, 5])  # fewer than 4 give the last convolution too few rows to mirror
    return TtsSizes(
        dim=draw.choice([32, 48, 70, 96, 160]),
        backbone=random_stack(draw),
        acoustic=random_stack(draw),
        codec=random_stack(draw, kv_heads=False),
        vocab_size=draw.choice([1256, 1300, 1537, 2048, 2112]),
        rope_theta=draw.choice([1e4, 1e6]),
        semantic_size=draw.choice([30, 126, 127, 300]),
        codebooks=draw.choice([1, 5, 12, 32, 36, 40]),
        levels=draw.choice([2, 5, 8, 21, 64]),
        codec_dim=draw.choice([32, 50, 96, 130]),
        semantic_dim=draw.choice([8, 24, 63, 64]),
        stages=tuple(draw.randint(1, 2) for _ in range(stages)),
        window=draw.choice([1, 2, 3]) << (stages - 1),
        patch=draw.choice([1, 20, 63, 240]),
        codec_eps=draw.choice([1e-2, 1e-3]),
        qk_eps=draw.choice([1e-6, 1e-3]),
        voices=(("neutral_male", draw.randint(1, 40)), ("fr_female", draw.randint(1, 40))),
        end_gain=draw.choice([0.0, 1.0, 2.0]),
    )


def random_stack(draw: random.Random, kv_heads: bool = True) -> Stack:
    heads = draw.choice([1, 2, 3, 5, 6])
    return Stack(
        layers=draw.randint(1, 3),
        heads=heads,
        kv_heads=draw.choice([n for n in range(1, heads + 1) if heads % n == 0]) if kv_heads else heads,
        head_dim=draw.choice([16, 32, 48, 64, 128]),
        ffn=draw.choice([64, 90, 129, 224]),
    )


def params(sizes: TtsSizes) -> dict[str, Any]:
    """params.json with the keys of the published one. The acoustic head's own epsilon is 1e-5, as everywhere."""
    head = {"input_dim": sizes.dim, "dim": sizes.dim, **sizes.acoustic.params()}
    audio = {
        "semantic_codebook_size": sizes.semantic_size,
        "acoustic_codebook_size": sizes.levels,
        "n_acoustic_codebook": sizes.codebooks,
        "audio_encoding_args": {
            "codebook_pattern": "parallel",
            "interleave_audio_tokens_per_segment": 8192,
            "interleave_text_tokens_per_segment": 8192,
            "single_trailing_segment": False,
            "num_codebooks": 1 + sizes.codebooks,
            "sampling_rate": SAMPLE_RATE,
            "frame_rate": SAMPLE_RATE / sizes.samples_per_frame,
        },
        "audio_token_id": 24,
        "begin_audio_token_id": 25,
        "input_embedding_concat_type": "sum",
        "acoustic_transformer_args": {
            **head,
            "use_biases": False,
            "rope_theta": 10000.0,
            "sigma": 1e-5,
            "sigma_max": 1.0,
        },
        "p_uncond": 0.0,
        "text_feature_bugged": False,
        "condition_dropped_token_id": 42,
    }
    return {
        "dim": sizes.dim,
        **sizes.backbone.params(),
        "fp8_matmul": False,
        "use_biases": False,
        "causal": True,
        "rope_theta": sizes.rope_theta,
        "norm_eps": 1e-5,
        "init": "NO_INIT",
        "dropout": 0.0,
        "vocab_size": sizes.vocab_size,
        "model_parallel": 1,
        "tied_embeddings": True,
        "rms_norm": "PRE",
        "multimodal": {
            "bos_token_id": 1,
            "audio_model_args": audio,
            "audio_tokenizer_args": codec_params(sizes),
        },
        "max_seq_len": 4096,
        "model_type": "voxtral_tts",
        "max_position_embeddings": 4096,
    }


def codec_params(sizes: TtsSizes) -> dict[str, Any]:
    widths = {key: value for key, value in sizes.codec.params().items() if key != "n_layers"}
    return {
        "channels": 1,
        "sampling_rate": SAMPLE_RATE,
        "pretransform_patch_size": sizes.patch,
        "patch_proj_kernel_size": 7,
        "semantic_codebook_size": sizes.semantic_size,
        "semantic_dim": sizes.semantic_dim,
        "acoustic_codebook_size": sizes.levels,
        "acoustic_dim": sizes.codebooks,
        "conv_weight_norm": True,
        "causal": True,
        "attn_sliding_window_size": sizes.window,
        "half_attn_window_upon_downsampling": True,
        "dim": sizes.codec_dim,
        **widths,
        "qk_norm_eps": sizes.qk_eps,
        "qk_norm": True,
        "use_biases": False,
        "norm_eps": sizes.codec_eps,
        "layer_scale": True,
        "layer_scale_init": 0.01,
        "voice": {name: index for index, (name, _) in enumerate(sizes.voices)},
        "decoder_transformer_lengths_str": ",".join(map(str, sizes.stages)),
        "decoder_convs_kernels_str": ",".join(["3", *["4"] * (len(sizes.stages) - 1)]),
        "decoder_convs_strides_str": ",".join(map(str, sizes.strides)),
    }


def tensor_shapes(sizes: TtsSizes) -> Iterator[tuple[str, Shape]]:
    """Mistral's names, [out, in]; tables of codes padded to 128 rows at their end."""
    dim, semantic_rows = sizes.dim, sizes.semantic_size + SPECIAL
    code_rows = semantic_rows + sizes.codebooks * (sizes.levels + SPECIAL)
    yield "mm_audio_embeddings.tok_embeddings.weight", (sizes.vocab_size, dim)
    yield "mm_audio_embeddings.audio_codebook_embeddings.embeddings.weight", (padded(code_rows), dim)
    yield from stack_shapes("", dim, sizes.backbone)
    yield "norm.weight", (dim,)

    acoustic = "acoustic_transformer."
    yield acoustic + "input_projection.weight", (dim, sizes.codebooks)
    yield acoustic + "time_projection.weight", (dim, dim)
    yield acoustic + "llm_projection.weight", (dim, dim)
    yield from stack_shapes(acoustic, dim, sizes.acoustic)
    yield acoustic + "norm.weight", (dim,)
    yield acoustic + "semantic_codebook_output.weight", (padded(semantic_rows), dim)
    yield acoustic + "acoustic_codebook_output.weight", (sizes.codebooks, dim)

    codec, width, inside = "audio_tokenizer.", sizes.codec_dim, sizes.codec.heads * sizes.codec.head_dim
    yield codec + "quantizer.semantic_codebook.embedding_sum", (sizes.semantic_size, sizes.semantic_dim)
    yield codec + "quantizer.semantic_codebook.cluster_usage", (sizes.semantic_size,)
    for stage, layers in enumerate(sizes.stages):
        kernel = (width, width, 4) if stage else (width, sizes.semantic_dim + sizes.codebooks, 3)
        yield from convolution_shapes(f"{codec}decoder_blocks.{2 * stage}", kernel)
        block = f"{codec}decoder_blocks.{2 * stage + 1}."
        yield from stack_shapes(block, width, dataclasses.replace(sizes.codec, layers=layers))
        for layer in range(layers):
            yield f"{block}layers.{layer}.attention.q_norm.weight", (inside,)
            yield f"{block}layers.{layer}.attention.k_norm.weight", (inside,)
            yield f"{block}layers.{layer}.attention_scale", (width,)
            yield f"{block}layers.{layer}.ffn_scale", (width,)
    yield from convolution_shapes(f"{codec}output_proj", (sizes.patch, width, 7))


def stack_shapes(prefix: str, dim: int, stack: Stack) -> Iterator[tuple[str, Shape]]:
    inside, shared = stack.heads * stack.head_dim, stack.kv_heads * stack.head_dim
    for layer in range(stack.layers):
        name = f"{prefix}layers.{layer}."
        yield name + "attention_norm.weight", (dim,)
        yield name + "ffn_norm.weight", (dim,)
        yield name + "attention.wq.weight", (inside, dim)
        yield name + "attention.wk.weight", (shared, dim)
        yield name + "attention.wv.weight", (shared, dim)
        yield name + "attention.wo.weight", (dim, inside)
        yield name + "feed_forward.w1.weight", (stack.ffn, dim)
        yield name + "feed_forward.w3.weight", (stack.ffn, dim)
        yield name + "feed_forward.w2.weight", (dim, stack.ffn)


def convolution_shapes(name: str, kernel: Shape) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.conv.parametrizations.weight.original0", (kernel[0], 1, 1)
    yield f"{name}.conv.parametrizations.weight.original1", kernel


def padded(rows: int) -> int:
    return -(-rows // 128) * 128
