"""Sizes of a Voxtral Realtime model, from GGUF metadata; what is absent is as in the released 4B model.

Keys are voxtral.cpp's: `voxtral.encoder.*`, `voxtral.decoder.*`, `voxtral.audio.*`, `voxtral.token.*`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voxtab.models.gguf_fields import Fields
from voxtab.models.log_mel import HOP, SAMPLE_RATE, WINDOW
from voxtab.models.stack_config import LayerSizes, StackConfig

ARCHITECTURE = "voxtral_realtime"


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
        fields = Fields(metadata, "voxtral", "Voxtral Realtime")
        fields.architecture(ARCHITECTURE)
        for key, wanted in (("sample_rate", SAMPLE_RATE), ("hop_length", HOP), ("window_size", WINDOW)):
            if fields.whole(f"audio.{key}", wanted, 1, 1 << 20) != wanted:
                raise fields.refusal(
                    f"voxtral.audio.{key} is {metadata[f'voxtral.audio.{key}']}, not {wanted}"
                )
        vocab_size = fields.whole("vocab_size", 131072, 1001, 1 << 22)
        return cls(
            encoder=_stack(fields, "encoder", StackConfig(1280, 32, 32, 32, 64, 5120, 1e-5, 750, 1e6)),
            decoder=_stack(fields, "decoder", StackConfig(3072, 26, 32, 8, 128, 9216, 1e-5, 8192, 1e6)),
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


def _stack(fields: Fields, name: str, usual: StackConfig) -> StackConfig:
    sizes = LayerSizes.read(fields, name, usual, grouped=name == "decoder")
    return StackConfig(
        **vars(sizes),
        sliding_window=fields.whole(f"{name}.sliding_window", usual.sliding_window, 1, 1 << 20),
        rope_theta=fields.real(f"{name}.rope_theta", usual.rope_theta, 1.0, 1e12),
    )
