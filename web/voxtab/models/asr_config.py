"""Sizes of a Voxtral Realtime model, from GGUF metadata; what is absent is as in the released 4B model.

Keys are voxtral.cpp's: `voxtral.encoder.*`, `voxtral.decoder.*`, `voxtral.audio.*`, `voxtral.token.*`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voxtab.errors import VoxtabError
from voxtab.models.log_mel import HOP, SAMPLE_RATE, WINDOW

ARCHITECTURE = "voxtral_realtime"


@dataclass(frozen=True)
class StackConfig:
    """One transformer stack. `sliding_window` counts visible positions, the query's own included."""

    dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    hidden_dim: int
    sliding_window: int
    norm_eps: float
    rope_theta: float


@dataclass(frozen=True)
class AsrConfig:
    """One text token stands for `frames_per_token` mel frames: 80 ms."""

    encoder: StackConfig
    decoder: StackConfig
    vocab_size: int
    ada_dim: int
    num_mel_bins: int
    global_log_mel_max: float
    downsample_factor: int
    n_delay_tokens: int
    n_left_pad_tokens: int
    bos: int
    eos: int
    streaming_pad: int

    @property
    def frames_per_token(self) -> int:
        """The second convolution halves the frames, the adapter takes `downsample_factor` positions at once."""
        return 2 * self.downsample_factor

    @property
    def samples_per_token(self) -> int:
        return HOP * self.frames_per_token

    @classmethod
    def from_gguf(cls, metadata: Mapping[str, Any]) -> "AsrConfig":
        """Raises VoxtabError not-voxtral when the file is another model or a value is out of range."""
        architecture = metadata.get("general.architecture", ARCHITECTURE)
        if architecture != ARCHITECTURE:
            raise VoxtabError(
                "not-voxtral",
                f"This GGUF holds a model of architecture {str(architecture)[:40]!r}, not {ARCHITECTURE!r}.",
                "Choose a Voxtral Realtime model; voxtab-shards quantize makes one from Mistral's files.",
            )
        fields = _Fields(metadata)
        for key, wanted in (("sample_rate", SAMPLE_RATE), ("hop_length", HOP), ("window_size", WINDOW)):
            if fields.whole(f"audio.{key}", wanted, 1, 1 << 20) != wanted:
                raise _refuse(f"voxtral.audio.{key} is {metadata[f'voxtral.audio.{key}']}, not {wanted}")
        vocab_size = fields.whole("vocab_size", 131072, 1001, 1 << 22)
        return cls(
            encoder=_stack(fields, "encoder", StackConfig(1280, 32, 32, 32, 64, 5120, 750, 1e-5, 1e6)),
            decoder=_stack(fields, "decoder", StackConfig(3072, 26, 32, 8, 128, 9216, 8192, 1e-5, 1e6)),
            vocab_size=vocab_size,
            ada_dim=fields.whole("ada_rms_norm_t_cond_dim", 32, 1, 1 << 16),
            num_mel_bins=fields.whole("audio.num_mel_bins", 128, 1, 1024),
            global_log_mel_max=fields.real("audio.global_log_mel_max", 1.5, -100.0, 100.0),
            # A token of 80 ms is four positions; word times and delays rest on it.
            downsample_factor=fields.whole("audio.downsample_factor", 4, 4, 4),
            n_delay_tokens=fields.whole("audio.n_delay_tokens", 6, 1, 1024),
            n_left_pad_tokens=fields.whole("audio.n_left_pad_tokens", 32, 1, 1024),
            bos=fields.whole("token.bos", 1, 0, vocab_size - 1),
            eos=fields.whole("token.eos", 2, 0, vocab_size - 1),
            streaming_pad=fields.whole("token.streaming_pad", 32, 0, vocab_size - 1),
        )


def _stack(fields: "_Fields", name: str, usual: StackConfig) -> StackConfig:
    def whole(key: str, default: int, most: int, multiple: int = 1) -> int:
        return fields.whole(f"{name}.{key}", default, 1, most, multiple)

    n_heads = whole("n_heads", usual.n_heads, 1024)
    n_kv_heads = whole("n_kv_heads", usual.n_kv_heads if name == "decoder" else n_heads, 1024)
    if n_heads % n_kv_heads:
        raise _refuse(f"{n_heads} heads can't share {n_kv_heads} key-value heads")
    return StackConfig(
        dim=whole("dim", usual.dim, 1 << 16, 2),
        n_layers=whole("n_layers", usual.n_layers, 256),
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        head_dim=whole("head_dim", usual.head_dim, 256, 2),
        hidden_dim=whole("hidden_dim", usual.hidden_dim, 1 << 18),
        sliding_window=whole("sliding_window", usual.sliding_window, 1 << 20),
        norm_eps=fields.real(f"{name}.norm_eps", usual.norm_eps, 0.0, 1.0),
        rope_theta=fields.real(f"{name}.rope_theta", usual.rope_theta, 1.0, 1e12),
    )


def _refuse(reason: str) -> VoxtabError:
    return VoxtabError(
        "not-voxtral",
        f"This GGUF does not describe a Voxtral Realtime model: {reason}.",
        "Make the file again with voxtab-shards quantize, or download another one.",
    )


class _Fields:
    """Checked access to `voxtral.*`."""

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        self._metadata = metadata

    def whole(self, key: str, default: int, least: int, most: int, multiple: int = 1) -> int:
        value = self._metadata.get(f"voxtral.{key}", default)
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or not least <= value <= most
            or value % multiple
        ):
            raise _refuse(f"voxtral.{key} is {str(value)[:40]!r}")
        return value

    def real(self, key: str, default: float, least: float, most: float) -> float:
        value = self._metadata.get(f"voxtral.{key}", default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise _refuse(f"voxtral.{key} is {str(value)[:40]!r}")
        return float(value)
