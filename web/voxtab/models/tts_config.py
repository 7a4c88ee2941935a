"""Sizes of a Voxtral TTS model, from GGUF metadata; what is absent is as in the released 4B model.

Keys: `voxtral_tts.backbone.*`, `.acoustic.*`, `.semantic.*`, `.token.*`, `.voice.*`; the codec's are codec_config.py's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from voxtab.models.gguf_fields import Fields
from voxtab.models.stack_config import LayerSizes, StackConfig

ARCHITECTURE = "voxtral_tts"
MODEL = "Voxtral TTS"

# Codes 0 and 1 of every codebook are special (nothing, the end), so that all codes in a frame are shifted by two.
SPECIAL_CODES = 2
END_CODE = 1

# The most evaluations of the velocity field that may be asked for; the model is used with 3 to 8.
MOST_STEPS = 64

# Mistral pads tables of codes to this many rows.
_PADDED_TO = 128


@dataclass(frozen=True)
class VoiceEntry:
    """A preset voice as the metadata lists it: `rows` of the prompt, `language` in BCP 47."""

    name: str
    language: str
    rows: int


@dataclass(frozen=True)
class TtsConfig:
    """A frame (80 ms) is one semantic code and `n_codebooks` acoustic ones of `levels` levels each."""

    backbone: StackConfig
    acoustic: LayerSizes
    vocab_size: int
    n_codebooks: int
    levels: int
    n_steps: int
    cfg_alpha: float
    semantic_size: int
    semantic_rows: int
    bos: int
    audio: int
    begin_audio: int
    repeat_audio_text: int
    next_audio_text: int
    voices: tuple[VoiceEntry, ...]
    voice_license: str

    @property
    def codes_per_frame(self) -> int:
        return 1 + self.n_codebooks

    @property
    def max_position(self) -> int:
        """The most positions of one utterance: its prompt and a frame each after it."""
        return self.backbone.sliding_window

    @property
    def semantic_end(self) -> int:
        """Rows of the semantic head from here on are padding; row 0 is masked as well, row 1 says END."""
        return self.semantic_size + SPECIAL_CODES

    @property
    def code_table_rows(self) -> int:
        """Embeddings of all codebooks one after the other, padded at the very end only."""
        rows = self.semantic_end + self.n_codebooks * (self.levels + SPECIAL_CODES)
        return -(-rows // _PADDED_TO) * _PADDED_TO

    def prompt(self, voice_rows: int, text: Sequence[int]) -> list[int]:
        """Token ids: the voice's rows take the place of the AUDIO tokens' embeddings; NEXT_AUDIO_TEXT comes first."""
        voice = [self.bos, self.begin_audio, *[self.audio] * voice_rows]
        return [*voice, self.next_audio_text, *text, self.repeat_audio_text, self.begin_audio]

    @classmethod
    def from_gguf(cls, metadata: Mapping[str, Any]) -> "TtsConfig":
        """Raises VoxtabError not-voxtral when the file is another model or a value is out of range."""
        fields = Fields(metadata, "voxtral_tts", MODEL)
        fields.architecture(ARCHITECTURE)
        layers = LayerSizes(3072, 26, 32, 8, 128, 9216, 1e-5)
        backbone = StackConfig(
            **vars(LayerSizes.read(fields, "backbone", layers)),
            sliding_window=fields.whole("backbone.max_position", 4096, 16, 1 << 17),
            rope_theta=fields.real("backbone.rope_theta", 1e6, 1.0, 1e12),
        )
        acoustic = LayerSizes.read(fields, "acoustic", LayerSizes(**{**vars(layers), "n_layers": 3}))
        if acoustic.dim != backbone.dim:
            raise fields.refusal(f"the acoustic head is {acoustic.dim} wide, the backbone {backbone.dim}")
        vocab_size = fields.whole("vocab_size", 131072, 1001, 1 << 22)
        semantic_size = fields.whole("semantic.codebook_size", 8192, 1, 1 << 20)

        def token(name: str, usual: int) -> int:
            return fields.whole(f"token.{name}", usual, 0, vocab_size - 1)

        return cls(
            backbone=backbone,
            acoustic=acoustic,
            vocab_size=vocab_size,
            n_codebooks=fields.whole("acoustic.n_codebooks", 36, 1, 1024),
            levels=fields.whole("acoustic.levels", 21, 2, 1 << 16),
            n_steps=fields.whole("acoustic.n_steps", 7, 1, MOST_STEPS),
            cfg_alpha=fields.real("acoustic.cfg_alpha", 1.2, 0.0, 100.0),
            semantic_size=semantic_size,
            semantic_rows=fields.whole(
                "semantic.head_rows",
                -(-(semantic_size + SPECIAL_CODES) // _PADDED_TO) * _PADDED_TO,
                semantic_size + SPECIAL_CODES,
                1 << 21,
            ),
            bos=token("bos", 1),
            audio=token("audio", 24),
            begin_audio=token("begin_audio", 25),
            repeat_audio_text=token("repeat_audio_text", 35),
            next_audio_text=token("next_audio_text", 36),
            voices=_voices(fields),
            voice_license=fields.word("voice.license"),
        )


def _voices(fields: Fields) -> tuple[VoiceEntry, ...]:
    names, languages = fields.words("voice.names"), fields.words("voice.languages")
    rows = fields.wholes("voice.rows", (), 1, 1 << 12)
    if not len(names) == len(languages) == len(rows) or len(set(names)) != len(names):
        raise fields.refusal(
            f"{len(names)} names of voices, {len(languages)} languages and {len(rows)} numbers of rows"
        )
    return tuple(map(VoiceEntry, names, languages, rows))
