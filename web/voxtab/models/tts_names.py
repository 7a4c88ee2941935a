"""Mistral's names of a speech model's tensors, and the short ones its GGUF has, which fit ggml's 63 characters.

The engine asks for tensors by Mistral's name; a file may use either.
"""

import re
from typing import Final

TOKEN_EMBEDDING: Final = "mm_audio_embeddings.tok_embeddings.weight"
CODE_EMBEDDING: Final = "mm_audio_embeddings.audio_codebook_embeddings.embeddings.weight"
ACOUSTIC: Final = "acoustic_transformer."
CODEC: Final = "audio_tokenizer."
CODEBOOK: Final = CODEC + "quantizer.semantic_codebook."
# A convolution is stored as weight norm has it: a length for each row of the first axis, and a direction.
WEIGHT_LENGTH: Final = "parametrizations.weight.original0"
WEIGHT_DIRECTION: Final = "parametrizations.weight.original1"

# Tensors of a GGUF that no checkpoint has: voice.NAME, the rows of a preset voice, BF16 [rows, dim].
VOICE: Final = "voice."

_WHOLE: Final = {
    TOKEN_EMBEDDING: "tok_embeddings.weight",
    CODE_EMBEDDING: "audio_codebook_embeddings.weight",
    "norm.weight": "norm.weight",
}
_PREFIXES: Final = ((ACOUSTIC, "acoustic."), (CODEC, "codec."))
_LAYER: Final = re.compile(r"layers\.\d+\.")


def short_name(name: str) -> str:
    """`acoustic_transformer.norm.weight` -> `acoustic.norm.weight`, a backbone layer's name as it is.

    ValueError for a name no Voxtral TTS has.
    """
    if name in _WHOLE:
        return _WHOLE[name]
    if _LAYER.match(name):
        return name
    for long, short in _PREFIXES:
        if name.startswith(long):
            rest = name.removeprefix(long)
            return short + rest.replace(WEIGHT_LENGTH, "weight_g").replace(WEIGHT_DIRECTION, "weight_v")
    raise ValueError(f"{name} is no tensor of Voxtral TTS")
