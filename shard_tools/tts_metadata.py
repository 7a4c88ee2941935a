"""The metadata of a Voxtral TTS GGUF. All keys begin with voxtral_tts. unless another name is given; types in brackets:

    general.architecture    "voxtral_tts"
    voxtral.tokenizer.*     as in a Voxtral Realtime GGUF
    format_version          1 [int32]
    vocab_size              text tokens [int32]
    backbone.               dim, n_layers, n_heads, n_kv_heads, head_dim, hidden_dim, max_position (of prompt and frames
                            together) [int32], norm_eps, rope_theta [float32]
    acoustic.               dim, n_layers, n_heads, n_kv_heads, head_dim, hidden_dim, n_codebooks, levels (of a code),
                            n_steps (velocity evaluations of each branch) [int32], norm_eps, cfg_alpha (how far the
                            conditional velocity is followed: alpha v_c + (1 - alpha) v_u) [float32]
    semantic.               codebook_size, head_rows (of the head, padding and special codes included) [int32]
    codec.                  dim, n_heads, head_dim, hidden_dim, semantic_dim, patch_size (samples that a row becomes),
                            sample_rate, samples_per_frame [int32], norm_eps, qk_norm_eps [float32], n_layers and
                            windows (past rows that are seen; both of each stage) [array of int32]
    token.                  bos, audio, begin_audio, repeat_audio_text, next_audio_text [int32]
    voice.                  names, languages (BCP 47) [array of string], rows [array of int32], license [string]

Tensors: voxtab.models.tts_names.short_name says how those of the checkpoint are called here. Lengths of weight-normed
convolutions are vectors. voice.NAME [rows, dim] are backbone inputs, in place of the embeddings of [AUDIO] tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shard_tools.gguf_file import Value, float32, int32, int32s, string, strings
from shard_tools.gguf_metadata import general_metadata, tokenizer_metadata
from shard_tools.sizes import LayerSizes
from shard_tools.tekken_file import TekkenFile
from shard_tools.tts_sizes import CodecSizes, SpeechSizes
from shard_tools.tts_voices import Voice
from voxtab.models.tts_config import ARCHITECTURE

_PREFIX: Final = ARCHITECTURE + "."
# params.json does not have it; Mistral's own code does.
_GUIDANCE: Final = 1.2


@dataclass(frozen=True)
class VoiceInfo:
    """What a GGUF's metadata says of a voice."""

    name: str
    language: str
    rows: int
    licence: str | None


def speech_metadata(
    sizes: SpeechSizes,
    tekken: TekkenFile,
    voices: Sequence[Voice],
    file_type: str,
    model_name: str,
    licence: str,
    voice_licence: str,
) -> dict[str, Value]:
    """Keys with their values, in the order of the file."""
    backbone, acoustic = sizes.backbone, sizes.acoustic
    own = {
        "format_version": int32(1),
        "vocab_size": int32(sizes.vocab_size),
        **_layers("backbone.", backbone, backbone.norm_eps),
        "backbone.rope_theta": float32(backbone.rope_theta),
        "backbone.max_position": int32(backbone.max_position),
        **_layers("acoustic.", acoustic, acoustic.norm_eps),
        "acoustic.n_codebooks": int32(acoustic.codebooks),
        "acoustic.levels": int32(acoustic.levels),
        "acoustic.n_steps": int32(acoustic.steps),
        "acoustic.cfg_alpha": float32(_GUIDANCE),
        "semantic.codebook_size": int32(sizes.semantic_codes),
        "semantic.head_rows": int32(sizes.semantic_head_rows),
        **_codec(sizes.codec),
        "token.bos": int32(tekken.special("<s>", 1)),
        "token.audio": int32(tekken.special("[AUDIO]", 24)),
        "token.begin_audio": int32(tekken.special("[BEGIN_AUDIO]", 25)),
        "token.repeat_audio_text": int32(tekken.special("[REPEAT_AUDIO_TEXT]", 35)),
        "token.next_audio_text": int32(tekken.special("[NEXT_AUDIO_TEXT]", 36)),
        "voice.names": strings(voice.name for voice in voices),
        "voice.languages": strings(voice.language for voice in voices),
        "voice.rows": int32s(voice.rows for voice in voices),
        "voice.license": string(voice_licence),
    }
    return {
        **general_metadata(ARCHITECTURE, model_name, licence, file_type),
        **{_PREFIX + key: value for key, value in own.items()},
        **tokenizer_metadata(tekken),
    }


def read_voice_infos(metadata: Mapping[str, Any]) -> list[VoiceInfo]:
    """The voices that a file's metadata lists; none if it lists them in another way."""
    lists = [metadata.get(f"{_PREFIX}voice.{key}") for key in ("names", "languages", "rows")]
    if not all(isinstance(values, list) for values in lists):
        return []
    licence = metadata.get(_PREFIX + "voice.license")
    return [
        VoiceInfo(name, language, rows, licence if isinstance(licence, str) else None)
        for name, language, rows in zip(*lists, strict=False)
        if isinstance(name, str) and isinstance(language, str) and isinstance(rows, int)
    ]


def _layers(prefix: str, sizes: LayerSizes, norm_eps: float) -> dict[str, Value]:
    return {
        prefix + "dim": int32(sizes.dim),
        prefix + "n_layers": int32(sizes.layers),
        prefix + "n_heads": int32(sizes.heads),
        prefix + "n_kv_heads": int32(sizes.kv_heads),
        prefix + "head_dim": int32(sizes.head_dim),
        prefix + "hidden_dim": int32(sizes.ffn),
        prefix + "norm_eps": float32(norm_eps),
    }


def _codec(codec: CodecSizes) -> dict[str, Value]:
    return {
        "codec.dim": int32(codec.dim),
        "codec.n_heads": int32(codec.heads),
        "codec.head_dim": int32(codec.head_dim),
        "codec.hidden_dim": int32(codec.ffn),
        "codec.norm_eps": float32(codec.norm_eps),
        "codec.qk_norm_eps": float32(codec.qk_norm_eps),
        "codec.semantic_dim": int32(codec.semantic_dim),
        "codec.patch_size": int32(codec.patch),
        "codec.n_layers": int32s(codec.stages),
        "codec.windows": int32s(codec.windows),
        "codec.sample_rate": int32(codec.sample_rate),
        "codec.samples_per_frame": int32(codec.frame_samples),
    }
