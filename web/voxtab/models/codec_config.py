"""Sizes of the speech codec, from GGUF metadata; what is absent is as in the released 4B model.

Keys: `voxtral_tts.codec.*`, and those of the codes it reads in `.semantic.*` and `.acoustic.*`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voxtab.models.gguf_fields import Fields
from voxtab.models.stack_config import LayerSizes
from voxtab.models.tts_config import ARCHITECTURE, MODEL

# Taps of the convolutions, as in all models there are: before the first stage, between stages, after the last.
FIRST_TAPS = 3
UPSAMPLING_TAPS = 4
LAST_TAPS = 7

# The first chunk's reflection wants LAST_TAPS rows of the last stage, and three doublings make 8 of a frame.
_LEAST_STAGES, _MOST_STAGES = 4, 8
_MOST_WINDOW = 1 << 12


@dataclass(frozen=True)
class CodecStage:
    """`n_layers` transformer layers whose rows see themselves and `window` rows before."""

    n_layers: int
    window: int


@dataclass(frozen=True)
class CodecConfig:
    """A decoder of stages, each with twice the rows of the one before; a row of the last one is `patch_size` samples.

    `layer` holds the sizes of every layer; its n_layers is no stage's.
    """

    layer: LayerSizes
    stages: tuple[CodecStage, ...]
    qk_norm_eps: float
    semantic_dim: int
    codebook_size: int
    n_acoustic: int
    levels: int
    patch_size: int
    sample_rate: int

    @property
    def latent_dim(self) -> int:
        return self.semantic_dim + self.n_acoustic

    @property
    def rows_per_frame(self) -> int:
        """Of the last stage."""
        return 1 << (len(self.stages) - 1)

    @property
    def samples_per_frame(self) -> int:
        return self.patch_size * self.rows_per_frame

    @classmethod
    def from_gguf(cls, metadata: Mapping[str, Any]) -> "CodecConfig":
        """Raises VoxtabError not-voxtral when the file is another model or a value is out of range."""
        fields = Fields(metadata, "voxtral_tts", MODEL)
        fields.architecture(ARCHITECTURE)
        n_heads = fields.whole("codec.n_heads", 8, 1, 1024)
        layers = fields.wholes("codec.n_layers", (2, 2, 2, 2), 1, 64)
        windows = fields.wholes("codec.windows", (2, 4, 8, 16), 1, _MOST_WINDOW)
        if len(layers) != len(windows) or not _LEAST_STAGES <= len(layers) <= _MOST_STAGES:
            raise fields.refusal(f"the codec has {len(layers)} stages of layers and {len(windows)} windows")
        config = cls(
            layer=LayerSizes(
                dim=fields.whole("codec.dim", 1024, 1, 1 << 13, 2),
                n_layers=max(layers),
                n_heads=n_heads,
                n_kv_heads=n_heads,
                head_dim=fields.whole("codec.head_dim", 128, 1, 256, 2),
                hidden_dim=fields.whole("codec.hidden_dim", 4096, 1, 1 << 16),
                norm_eps=fields.real("codec.norm_eps", 1e-2, 0.0, 1.0),
            ),
            stages=tuple(map(CodecStage, layers, windows)),
            qk_norm_eps=fields.real("codec.qk_norm_eps", 1e-6, 0.0, 1.0),
            semantic_dim=fields.whole("codec.semantic_dim", 256, 1, 1 << 13),
            codebook_size=fields.whole("semantic.codebook_size", 8192, 1, 1 << 20),
            n_acoustic=fields.whole("acoustic.n_codebooks", 36, 1, 1024),
            levels=fields.whole("acoustic.levels", 21, 2, 1 << 16),
            patch_size=fields.whole("codec.patch_size", 240, 1, 1 << 13),
            sample_rate=fields.whole("codec.sample_rate", 24000, 8000, 192000),
        )
        told = fields.whole("codec.samples_per_frame", config.samples_per_frame, 1, 1 << 24)
        if told != config.samples_per_frame:
            raise fields.refusal(f"its codec makes {config.samples_per_frame} samples a frame, not {told}")
        return config


def alibi_slopes(n_heads: int) -> list[float]:
    """What a head takes off a score for each row of distance: r^h, r = 2^(-8 / heads), for a power of two.

    Other counts: the slopes of the largest power m below, then every second one of 2m.
    """
    power = 1 << (n_heads.bit_length() - 1)
    slopes = [2.0 ** (-8.0 * head / power) for head in range(power)]
    more = [2.0 ** (-4.0 * head / power) for head in range(0, 2 * power, 2)]
    return slopes + more[: n_heads - power]
