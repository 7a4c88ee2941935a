"""Which models can be made up, by the names that voxtab-shards synth has for them."""

from dataclasses import replace
from typing import TypeVar

from voxtab.errors import VoxtabError
from voxtab.models.asr_config import AsrConfig
from voxtab.models.codec_config import CodecConfig
from voxtab.models.tts_config import TtsConfig, VoiceEntry

TRANSCRIBER, SPEAKER = "voxtral-realtime-4b", "voxtral-tts-4b"
PRESETS = (TRANSCRIBER, SPEAKER)
_VOICE_ROWS = 128
_THIN = {"dim": 128, "n_heads": 2, "n_kv_heads": 2, "head_dim": 64, "hidden_dim": 128}
_SMALL_VOCABULARY = 2048
_Config = TypeVar("_Config", AsrConfig, TtsConfig)


def transcriber(name: str = TRANSCRIBER) -> AsrConfig:
    """Sizes of a speech-to-text preset. Raises VoxtabError option-invalid for any other."""
    config = sizes(name)
    if not isinstance(config, AsrConfig):
        raise _wrong(name, "writes nothing down", TRANSCRIBER)
    return config


def speaker(name: str = SPEAKER) -> TtsConfig:
    """Sizes of a text-to-speech preset, with one voice. Raises VoxtabError option-invalid for any other."""
    config = sizes(name)
    if not isinstance(config, TtsConfig):
        raise _wrong(name, "does not speak", SPEAKER)
    return config


def deepest(config: AsrConfig | TtsConfig) -> int:
    """Layers of its deepest stack."""
    if isinstance(config, AsrConfig):
        return max(config.encoder.n_layers, config.decoder.n_layers)
    return config.backbone.n_layers


def with_layers(config: _Config, layers: int) -> _Config:
    """At most so many layers in the stacks that a token or a frame goes through once: encoder, decoder, backbone."""
    if isinstance(config, AsrConfig):
        encoder, decoder = (
            replace(stack, n_layers=min(layers, stack.n_layers)) for stack in (config.encoder, config.decoder)
        )
        return replace(config, encoder=encoder, decoder=decoder)
    return replace(config, backbone=replace(config.backbone, n_layers=min(layers, config.backbone.n_layers)))


def narrow(config: _Config) -> _Config:
    """As deep, so that a step has as many dispatches, but so thin that its weights are hardly worth mentioning."""
    if isinstance(config, AsrConfig):
        encoder, decoder = replace(config.encoder, **_THIN), replace(config.decoder, **_THIN)
        return replace(config, encoder=encoder, decoder=decoder, vocab_size=_SMALL_VOCABULARY)
    backbone, acoustic = replace(config.backbone, **_THIN), replace(config.acoustic, **_THIN)
    return replace(config, backbone=backbone, acoustic=acoustic, vocab_size=_SMALL_VOCABULARY)


def narrow_codec() -> CodecConfig:
    """The speaker's, as thin."""
    config = CodecConfig.from_gguf({})
    return replace(config, layer=replace(config.layer, **_THIN))


def sizes(name: str) -> AsrConfig | TtsConfig:
    """Of any preset. Raises VoxtabError option-invalid."""
    if name == TRANSCRIBER:
        return AsrConfig.from_gguf({})
    if name == SPEAKER:
        return replace(TtsConfig.from_gguf({}), voices=(VoiceEntry("made_up", "en", _VOICE_ROWS),))
    raise VoxtabError("option-invalid", f"There is no preset {name!r}.", f"Use {' or '.join(PRESETS)}.")


def _wrong(name: str, why: str, other: str) -> VoxtabError:
    return VoxtabError("option-invalid", f"{name} {why}.", f"Use {other}.")
