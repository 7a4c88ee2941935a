"""The sizes of a Voxtral TTS model: from and to Mistral's params.json, and every tensor they imply.

A model is a text decoder without a head (the backbone), an acoustic head that makes the codes of a frame of 80 ms
from the decoder's state, and a codec that makes sound from codes. Shapes are as in the safetensors file.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from shard_tools.params_section import MAX_DIM, MAX_VOCABULARY, Section
from shard_tools.sizes import LayerSizes, layer_params, read_layers
from voxtab.models.tts_config import MODEL, MOST_STEPS, SPECIAL_CODES
from voxtab.models.tts_names import (
    ACOUSTIC,
    CODE_EMBEDDING,
    CODEBOOK,
    CODEC,
    TOKEN_EMBEDDING,
    WEIGHT_DIRECTION,
    WEIGHT_LENGTH,
)

_ROW_PADDING: Final = 128
# The shape of the codec's convolutions, the only one Mistral has published: one at the full stride of a frame, then
# one between any two stages that doubles the rows, and a last one to samples.
FIRST_KERNEL: Final = 3
UP_KERNEL: Final = 4
UP_STRIDE: Final = 2
LAST_KERNEL: Final = 7
_MAX_STAGES: Final = 8


@dataclass(frozen=True)
class BackboneSizes(LayerSizes):
    """The text decoder; `max_position` counts positions of prompt and frames together."""

    max_position: int = 4096
    rope_theta: float = 1e6
    norm_eps: float = 1e-5


@dataclass(frozen=True)
class AcousticSizes(LayerSizes):
    """The flow-matching head: `codebooks` codes of `levels` values each, in `steps` steps."""

    codebooks: int = 36
    levels: int = 21
    steps: int = 7
    norm_eps: float = 1e-5


@dataclass(frozen=True)
class CodecSizes:
    """The codec's decoder. `stages`: layers of each; `window`: past rows the last stage sees, half in the one before."""

    dim: int
    heads: int
    head_dim: int
    ffn: int
    semantic_dim: int
    stages: tuple[int, ...] = (2, 2, 2, 2)
    window: int = 16
    patch: int = 240
    sample_rate: int = 24000
    norm_eps: float = 1e-2
    qk_norm_eps: float = 1e-6

    @property
    def windows(self) -> tuple[int, ...]:
        """Of each stage, in its own rows."""
        return tuple(self.window >> later for later in range(len(self.stages) - 1, -1, -1))

    @property
    def frame_samples(self) -> int:
        return self.patch * int(UP_STRIDE ** (len(self.stages) - 1))


@dataclass(frozen=True)
class SpeechSizes:
    """Everything params.json says about a Voxtral TTS model that changes a tensor or a computation."""

    backbone: BackboneSizes
    acoustic: AcousticSizes
    codec: CodecSizes
    vocab_size: int
    semantic_codes: int = 8192

    @classmethod
    def from_params(cls, params: Any) -> "SpeechSizes":
        """Check a parsed params.json. Raises VoxtabError `not-voxtral` or `checkpoint-invalid`."""
        top = Section(params, "params.json", MODEL)
        audio = top.section("multimodal").section("audio_model_args")
        codec = top.section("multimodal").section("audio_tokenizer_args")
        head = audio.section("acoustic_transformer_args")
        encoding = audio.section("audio_encoding_args")
        backbone = _backbone(top)
        acoustic = _acoustic(audio, backbone)
        semantic_codes = audio.integer("semantic_codebook_size", 1, MAX_VOCABULARY)
        for section, key, expected in (
            (top, "use_biases", False),
            (top, "causal", True),
            (audio, "input_embedding_concat_type", "sum"),
            (encoding, "codebook_pattern", "parallel"),
            (encoding, "num_codebooks", acoustic.codebooks + 1),
            (head, "use_biases", False),
            (head, "input_dim", backbone.dim),
            (head, "dim", backbone.dim),
            (codec, "semantic_codebook_size", semantic_codes),
            (codec, "acoustic_codebook_size", acoustic.levels),
            (codec, "acoustic_dim", acoustic.codebooks),
        ):
            section.expect(key, expected)
        return cls(
            backbone=backbone,
            acoustic=acoustic,
            codec=_codec(codec),
            vocab_size=top.integer("vocab_size", 1, MAX_VOCABULARY),
            semantic_codes=semantic_codes,
        )

    def to_params(self) -> dict[str, Any]:
        """The params.json of a model of these sizes, with Mistral's keys."""
        backbone, acoustic, codec = self.backbone, self.acoustic, self.codec
        encoding = {
            "codebook_pattern": "parallel",
            "interleave_audio_tokens_per_segment": 8192,
            "interleave_text_tokens_per_segment": 8192,
            "single_trailing_segment": False,
            "num_codebooks": acoustic.codebooks + 1,
            "sampling_rate": codec.sample_rate,
            "frame_rate": codec.sample_rate / codec.frame_samples,
        }
        head = layer_params(acoustic) | {
            "input_dim": backbone.dim,
            "use_biases": False,
            "rope_theta": 10000.0,
            "sigma": 1e-05,
            "sigma_max": 1.0,
        }
        # Absent from the published files, which mean 7.
        head |= {} if acoustic.steps == AcousticSizes.steps else {"n_decoding_steps": acoustic.steps}
        audio = {
            "semantic_codebook_size": self.semantic_codes,
            "acoustic_codebook_size": acoustic.levels,
            "n_acoustic_codebook": acoustic.codebooks,
            "audio_encoding_args": encoding,
            "audio_token_id": 24,
            "begin_audio_token_id": 25,
            "input_embedding_concat_type": "sum",
            "acoustic_transformer_args": head,
            "p_uncond": 0.0,
            "text_feature_bugged": False,
            "condition_dropped_token_id": 42,
        }
        return layer_params(backbone) | {
            "fp8_matmul": False,
            "use_biases": False,
            "causal": True,
            "rope_theta": backbone.rope_theta,
            "norm_eps": backbone.norm_eps,
            "init": "NO_INIT",
            "dropout": 0.0,
            "vocab_size": self.vocab_size,
            "model_parallel": 1,
            "tied_embeddings": True,
            "rms_norm": "PRE",
            "multimodal": {
                "bos_token_id": 1,
                "audio_model_args": audio,
                "audio_tokenizer_args": self._codec_params(),
            },
            "max_seq_len": backbone.max_position,
            "model_type": "voxtral_tts",
            "max_position_embeddings": backbone.max_position,
        }

    @property
    def semantic_head_rows(self) -> int:
        """Codes and special codes, padded."""
        return _padded(self.semantic_codes + SPECIAL_CODES)

    @property
    def code_embedding_rows(self) -> int:
        """One table for all codebooks, end to end, the semantic one first; padded."""
        acoustic = self.acoustic.codebooks * (self.acoustic.levels + SPECIAL_CODES)
        return _padded(self.semantic_codes + SPECIAL_CODES + acoustic)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Mistral's name and shape of every tensor, in the order a GGUF stores them."""
        return dict(self._tensors())

    def _tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        dim = self.backbone.dim
        yield TOKEN_EMBEDDING, (self.vocab_size, dim)
        yield CODE_EMBEDDING, (self.code_embedding_rows, dim)
        for i in range(self.backbone.layers):
            yield from _layer(f"layers.{i}.", self.backbone)
        yield "norm.weight", (dim,)
        yield ACOUSTIC + "input_projection.weight", (dim, self.acoustic.codebooks)
        yield ACOUSTIC + "time_projection.weight", (dim, dim)
        yield ACOUSTIC + "llm_projection.weight", (dim, dim)
        for i in range(self.acoustic.layers):
            yield from _layer(f"{ACOUSTIC}layers.{i}.", self.acoustic)
        yield ACOUSTIC + "norm.weight", (dim,)
        yield ACOUSTIC + "semantic_codebook_output.weight", (self.semantic_head_rows, dim)
        yield ACOUSTIC + "acoustic_codebook_output.weight", (self.acoustic.codebooks, dim)
        yield from self._codec_tensors()

    def _codec_tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        codec = self.codec
        interior = codec.heads * codec.head_dim
        widths = LayerSizes(codec.dim, 1, codec.heads, codec.heads, codec.head_dim, codec.ffn)
        yield CODEBOOK + "embedding_sum", (self.semantic_codes, codec.semantic_dim)
        yield CODEBOOK + "cluster_usage", (self.semantic_codes,)
        latent = codec.semantic_dim + self.acoustic.codebooks
        yield from _convolution("decoder_blocks.0", codec.dim, latent, FIRST_KERNEL)
        for stage, layers in enumerate(codec.stages):
            if stage:
                yield from _convolution(f"decoder_blocks.{2 * stage}", codec.dim, codec.dim, UP_KERNEL)
            for i in range(layers):
                layer = f"{CODEC}decoder_blocks.{2 * stage + 1}.layers.{i}."
                yield from _layer(layer, widths)
                yield layer + "attention.q_norm.weight", (interior,)
                yield layer + "attention.k_norm.weight", (interior,)
                yield layer + "attention_scale", (codec.dim,)
                yield layer + "ffn_scale", (codec.dim,)
        yield from _convolution("output_proj", codec.patch, codec.dim, LAST_KERNEL)

    def _codec_params(self) -> dict[str, Any]:
        codec = self.codec
        return {
            "channels": 1,
            "sampling_rate": codec.sample_rate,
            "pretransform_patch_size": codec.patch,
            "patch_proj_kernel_size": LAST_KERNEL,
            "semantic_codebook_size": self.semantic_codes,
            "semantic_dim": codec.semantic_dim,
            "acoustic_codebook_size": self.acoustic.levels,
            "acoustic_dim": self.acoustic.codebooks,
            "conv_weight_norm": True,
            "causal": True,
            "attn_sliding_window_size": codec.window,
            "half_attn_window_upon_downsampling": True,
            "dim": codec.dim,
            "hidden_dim": codec.ffn,
            "head_dim": codec.head_dim,
            "n_heads": codec.heads,
            "n_kv_heads": codec.heads,
            "qk_norm_eps": codec.qk_norm_eps,
            "qk_norm": True,
            "use_biases": False,
            "norm_eps": codec.norm_eps,
            "layer_scale": True,
            "layer_scale_init": 0.01,
            "decoder_transformer_lengths_str": ",".join(map(str, codec.stages)),
            "decoder_convs_kernels_str": _convolutions(FIRST_KERNEL, UP_KERNEL, len(codec.stages)),
            "decoder_convs_strides_str": _convolutions(1, UP_STRIDE, len(codec.stages)),
        }


VOXTRAL_TTS_4B: Final = SpeechSizes(
    backbone=BackboneSizes(dim=3072, layers=26, heads=32, kv_heads=8, head_dim=128, ffn=9216),
    acoustic=AcousticSizes(dim=3072, layers=3, heads=32, kv_heads=8, head_dim=128, ffn=9216),
    codec=CodecSizes(dim=1024, heads=8, head_dim=128, ffn=4096, semantic_dim=256),
    vocab_size=131072,
)


def _backbone(top: Section) -> BackboneSizes:
    return BackboneSizes(
        **asdict(read_layers(top)),
        max_position=top.integer("max_position_embeddings", 1, 1 << 30, default=BackboneSizes.max_position),
        rope_theta=top.number("rope_theta"),
        norm_eps=top.number("norm_eps"),
    )


def _acoustic(audio: Section, backbone: BackboneSizes) -> AcousticSizes:
    head = audio.section("acoustic_transformer_args")
    return AcousticSizes(
        **asdict(read_layers(head)),
        codebooks=audio.integer("n_acoustic_codebook", 1, 1024),
        levels=audio.integer("acoustic_codebook_size", 2, 1 << 16),
        steps=head.integer("n_decoding_steps", 1, MOST_STEPS, default=AcousticSizes.steps),
        norm_eps=head.number("norm_eps", default=backbone.norm_eps),
    )


def _codec(section: Section) -> CodecSizes:
    widths = read_layers(Section({**section.values, "n_layers": 1}, section.path, section.model))
    stages = section.integers("decoder_transformer_lengths_str", 1, 64, _MAX_STAGES)
    for key, expected in (
        ("channels", 1),
        ("n_kv_heads", widths.heads),
        ("conv_weight_norm", True),
        ("causal", True),
        ("half_attn_window_upon_downsampling", True),
        ("qk_norm", True),
        ("layer_scale", True),
        ("use_biases", False),
        ("patch_proj_kernel_size", LAST_KERNEL),
        ("decoder_convs_kernels_str", _convolutions(FIRST_KERNEL, UP_KERNEL, len(stages))),
        ("decoder_convs_strides_str", _convolutions(1, UP_STRIDE, len(stages))),
    ):
        section.expect(key, expected)
    window = section.integer("attn_sliding_window_size", 1, 4096)
    if window % 2 ** (len(stages) - 1):
        raise section.error("attn_sliding_window_size", window, "one that can be halved from stage to stage")
    return CodecSizes(
        dim=widths.dim,
        heads=widths.heads,
        head_dim=widths.head_dim,
        ffn=widths.ffn,
        semantic_dim=section.integer("semantic_dim", 1, MAX_DIM),
        stages=stages,
        window=window,
        patch=section.integer("pretransform_patch_size", 1, 1 << 16),
        sample_rate=section.integer("sampling_rate", 1, 1 << 20),
        norm_eps=section.number("norm_eps"),
        qk_norm_eps=section.number("qk_norm_eps"),
    )


def _layer(prefix: str, sizes: LayerSizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield prefix + "attention_norm.weight", (sizes.dim,)
    yield prefix + "attention.wq.weight", (sizes.attention_dim, sizes.dim)
    yield prefix + "attention.wk.weight", (sizes.kv_dim, sizes.dim)
    yield prefix + "attention.wv.weight", (sizes.kv_dim, sizes.dim)
    yield prefix + "attention.wo.weight", (sizes.dim, sizes.attention_dim)
    yield prefix + "ffn_norm.weight", (sizes.dim,)
    yield prefix + "feed_forward.w1.weight", (sizes.ffn, sizes.dim)
    yield prefix + "feed_forward.w2.weight", (sizes.dim, sizes.ffn)
    yield prefix + "feed_forward.w3.weight", (sizes.ffn, sizes.dim)


def _convolution(name: str, outputs: int, inputs: int, kernel: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """[outputs, inputs, kernel]; where rows are doubled the tensor is [inputs, outputs, kernel], of equal sizes."""
    yield f"{CODEC}{name}.conv.{WEIGHT_LENGTH}", (outputs, 1, 1)
    yield f"{CODEC}{name}.conv.{WEIGHT_DIRECTION}", (outputs, inputs, kernel)


def _convolutions(first: int, later: int, stages: int) -> str:
    return ",".join(map(str, [first, *[later] * (stages - 1)]))


def _padded(rows: int) -> int:
    return math.ceil(rows / _ROW_PADDING) * _ROW_PADDING
