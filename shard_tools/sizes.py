"""The sizes of a Voxtral Realtime model: from and to Mistral's params.json, and every tensor they imply.

A model is an audio encoder, an adapter and a text decoder whose token embedding is also its output head.
Shapes are [out, in], as in the safetensors file.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from shard_tools.params_section import MAX_DIM, MAX_LAYERS, MAX_VOCABULARY, Section
from voxtab.errors import VoxtabError
from voxtab.models.log_mel import HOP, SAMPLE_RATE, WINDOW
from voxtab.models.tensor_names import ADAPTER, ENCODER, TOKEN_EMBEDDING


@dataclass(frozen=True)
class LayerSizes:
    """A stack of transformer layers: attention of heads x head_dim, and a SwiGLU of width `ffn`."""

    dim: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int

    @property
    def attention_dim(self) -> int:
        return self.heads * self.head_dim

    @property
    def kv_dim(self) -> int:
        return self.kv_heads * self.head_dim


@dataclass(frozen=True)
class StackSizes(LayerSizes):
    """A causal, rotary stack. `window` counts visible positions, the query's own included."""

    window: int
    rope_theta: float = 1e6
    norm_eps: float = 1e-5


@dataclass(frozen=True)
class ModelSizes:
    """Everything params.json says about a Voxtral Realtime model that changes a tensor or a computation."""

    encoder: StackSizes
    decoder: StackSizes
    vocab_size: int
    ada_dim: int = 32
    downsample: int = 4
    max_length: int = 131072
    mel_bins: int = 128
    sample_rate: int = 16000
    frame_rate: float = 12.5
    hop_length: int = 160
    window_size: int = 400
    log_mel_max: float = 1.5

    @classmethod
    def from_params(cls, params: Any) -> "ModelSizes":
        """Check a parsed params.json. Raises VoxtabError `not-voxtral` or `checkpoint-invalid`."""
        top = Section(params, "params.json", "Voxtral Realtime")
        if "multimodal" not in top.values or "whisper_model_args" not in top.section("multimodal").values:
            raise VoxtabError(
                "not-voxtral",
                "params.json has neither multimodal.whisper_model_args nor multimodal.audio_model_args: this is no "
                "checkpoint of Voxtral Realtime or Voxtral TTS.",
                "Use the files of mistralai/Voxtral-Mini-4B-Realtime-2602 or mistralai/Voxtral-4B-TTS-2603.",
            )
        whisper = top.section("multimodal").section("whisper_model_args")
        encoder = whisper.section("encoder_args")
        audio = encoder.section("audio_encoding_args")
        for section, key, expected in (
            (top, "ada_rms_norm_t_cond", True),
            (top, "tied_embeddings", True),
            (top, "use_biases", False),
            (encoder, "use_biases", True),
            (encoder, "causal", True),
            (encoder, "pos_embed", "rope"),
            (encoder, "ffn_type", "swiglu"),
            (encoder, "norm_type", "rms_norm"),
            # The front end is written for these; no Voxtral has others.
            (audio, "sampling_rate", SAMPLE_RATE),
            (audio, "hop_length", HOP),
            (audio, "window_size", WINDOW),
        ):
            section.expect(key, expected)
        return cls(
            encoder=_stack(encoder),
            decoder=_stack(top),
            vocab_size=top.integer("vocab_size", 1, MAX_VOCABULARY),
            ada_dim=top.integer("ada_rms_norm_t_cond_dim", 1, MAX_DIM),
            downsample=whisper.section("downsample_args").integer("downsample_factor", 1, 64),
            max_length=top.integer("model_max_length", 1, 1 << 30, default=131072),
            mel_bins=audio.integer("num_mel_bins", 1, 1024),
            sample_rate=audio.integer("sampling_rate", 1, 1 << 20),
            frame_rate=audio.number("frame_rate"),
            hop_length=audio.integer("hop_length", 1, 1 << 16),
            window_size=audio.integer("window_size", 2, 1 << 16),
            log_mel_max=audio.number("global_log_mel_max", signed=True),
        )

    def to_params(self) -> dict[str, Any]:
        """The params.json of a model of these sizes, with Mistral's keys."""
        encoder, decoder = self.encoder, self.decoder
        audio = {
            "sampling_rate": self.sample_rate,
            "frame_rate": self.frame_rate,
            "num_mel_bins": self.mel_bins,
            "hop_length": self.hop_length,
            "window_size": self.window_size,
            "chunk_length_s": None,
            "global_log_mel_max": self.log_mel_max,
            "transcription_format": "streaming",
        }
        encoder_args = _stack_params(encoder) | {
            "audio_encoding_args": audio,
            "vocab_size": self.vocab_size,
            "use_biases": True,
            "use_cache": False,
            "causal": True,
            "pos_embed": "rope",
            "max_source_positions": None,
            "ffn_type": "swiglu",
            "norm_type": "rms_norm",
        }
        return _stack_params(decoder) | {
            "use_biases": False,
            "causal": True,
            "vocab_size": self.vocab_size,
            "model_parallel": 1,
            "tied_embeddings": True,
            "model_max_length": self.max_length,
            "multimodal": {
                "whisper_model_args": {
                    "encoder_args": encoder_args,
                    "downsample_args": {"downsample_factor": self.downsample},
                }
            },
            "ada_rms_norm_t_cond": True,
            "ada_rms_norm_t_cond_dim": self.ada_dim,
        }

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Mistral's name and shape of every tensor, in the order a GGUF stores them."""
        return dict(self._tensors())

    def _tensors(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        e, d = self.encoder, self.decoder
        yield ENCODER + "conv_layers.0.conv.weight", (e.dim, self.mel_bins, 3)
        yield ENCODER + "conv_layers.0.conv.bias", (e.dim,)
        yield ENCODER + "conv_layers.1.conv.weight", (e.dim, e.dim, 3)
        yield ENCODER + "conv_layers.1.conv.bias", (e.dim,)
        for i in range(e.layers):
            layer = f"{ENCODER}transformer.layers.{i}."
            yield layer + "attention_norm.weight", (e.dim,)
            yield layer + "attention.wq.weight", (e.attention_dim, e.dim)
            yield layer + "attention.wq.bias", (e.attention_dim,)
            yield layer + "attention.wk.weight", (e.kv_dim, e.dim)
            yield layer + "attention.wv.weight", (e.kv_dim, e.dim)
            yield layer + "attention.wv.bias", (e.kv_dim,)
            yield layer + "attention.wo.weight", (e.dim, e.attention_dim)
            yield layer + "attention.wo.bias", (e.dim,)
            yield layer + "ffn_norm.weight", (e.dim,)
            yield layer + "feed_forward.w1.weight", (e.ffn, e.dim)
            yield layer + "feed_forward.w2.weight", (e.dim, e.ffn)
            yield layer + "feed_forward.w2.bias", (e.dim,)
            yield layer + "feed_forward.w3.weight", (e.ffn, e.dim)
        yield ENCODER + "transformer.norm.weight", (e.dim,)
        yield ADAPTER + "0.weight", (d.dim, e.dim * self.downsample)
        yield ADAPTER + "2.weight", (d.dim, d.dim)
        yield TOKEN_EMBEDDING, (self.vocab_size, d.dim)
        for i in range(d.layers):
            layer = f"layers.{i}."
            yield layer + "attention_norm.weight", (d.dim,)
            yield layer + "attention.wq.weight", (d.attention_dim, d.dim)
            yield layer + "attention.wk.weight", (d.kv_dim, d.dim)
            yield layer + "attention.wv.weight", (d.kv_dim, d.dim)
            yield layer + "attention.wo.weight", (d.dim, d.attention_dim)
            yield layer + "ada_rms_norm_t_cond.0.weight", (self.ada_dim, d.dim)
            yield layer + "ada_rms_norm_t_cond.2.weight", (d.dim, self.ada_dim)
            yield layer + "ffn_norm.weight", (d.dim,)
            yield layer + "feed_forward.w1.weight", (d.ffn, d.dim)
            yield layer + "feed_forward.w2.weight", (d.dim, d.ffn)
            yield layer + "feed_forward.w3.weight", (d.ffn, d.dim)
        yield "norm.weight", (d.dim,)


VOXTRAL_REALTIME_4B: Final = ModelSizes(
    encoder=StackSizes(dim=1280, layers=32, heads=32, kv_heads=32, head_dim=64, ffn=5120, window=750),
    decoder=StackSizes(dim=3072, layers=26, heads=32, kv_heads=8, head_dim=128, ffn=9216, window=8192),
    vocab_size=131072,
)


def read_layers(section: Section) -> LayerSizes:
    """The sizes that all stacks have, under Mistral's keys."""
    sizes = LayerSizes(
        dim=section.integer("dim", 1, MAX_DIM),
        layers=section.integer("n_layers", 1, MAX_LAYERS),
        heads=section.integer("n_heads", 1, 4096),
        kv_heads=section.integer("n_kv_heads", 1, 4096),
        head_dim=section.integer("head_dim", 2, 4096),
        ffn=section.integer("hidden_dim", 1, MAX_DIM),
    )
    if sizes.head_dim % 2:
        raise section.error("head_dim", sizes.head_dim, "an even number")
    if sizes.heads % sizes.kv_heads:
        raise section.error("n_kv_heads", sizes.kv_heads, f"a divisor of n_heads, {sizes.heads}")
    return sizes


def layer_params(sizes: LayerSizes) -> dict[str, Any]:
    """What `read_layers` reads."""
    return {
        "dim": sizes.dim,
        "n_layers": sizes.layers,
        "head_dim": sizes.head_dim,
        "hidden_dim": sizes.ffn,
        "n_heads": sizes.heads,
        "n_kv_heads": sizes.kv_heads,
    }


def _stack(section: Section) -> StackSizes:
    return StackSizes(
        **asdict(read_layers(section)),
        window=section.integer("sliding_window", 1, 1 << 30),
        rope_theta=section.number("rope_theta"),
        norm_eps=section.number("norm_eps"),
    )


def _stack_params(stack: StackSizes) -> dict[str, Any]:
    return layer_params(stack) | {
        "rope_theta": stack.rope_theta,
        "norm_eps": stack.norm_eps,
        "sliding_window": stack.window,
    }
