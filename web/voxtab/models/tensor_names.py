"""Mistral's tensor names, and the short ones of voxtral.cpp's GGUFs, which fit ggml's 63 characters.

The engine asks for tensors by Mistral's name; a file may use either set.
"""

import re
from typing import Final

EMBEDDING_MODULE: Final = "mm_streams_embeddings.embedding_module."
ENCODER: Final = EMBEDDING_MODULE + "whisper_encoder."
ADAPTER: Final = EMBEDDING_MODULE + "audio_language_projection."
TOKEN_EMBEDDING: Final = EMBEDDING_MODULE + "tok_embeddings.weight"

_WHOLE: Final = {
    TOKEN_EMBEDDING: "tok_embeddings.weight",
    "norm.weight": "norm.weight",
    ENCODER + "transformer.norm.weight": "enc.norm.weight",
}
_PREFIXES: Final = (
    (re.compile(re.escape(ENCODER) + r"conv_layers\.(\d+)\.conv\."), r"enc.conv\1."),
    (re.compile(re.escape(ENCODER) + r"transformer\.layers\.(\d+)\."), r"enc.blk.\1."),
    (re.compile(r"layers\.(\d+)\."), r"dec.blk.\1."),
    (re.compile(re.escape(ADAPTER)), "adapter."),
)
_PARTS: Final = (
    ("attention_norm.", "attn_norm."),
    ("attention.wq.", "attn_q."),
    ("attention.wk.", "attn_k."),
    ("attention.wv.", "attn_v."),
    ("attention.wo.", "attn_o."),
    ("feed_forward.w", "ffn_w"),
    ("ada_rms_norm_t_cond.", "ada"),
)


def short_name(name: str) -> str:
    """`layers.3.attention.wq.weight` -> `dec.blk.3.attn_q.weight`; ValueError for a name no Voxtral has."""
    if name in _WHOLE:
        return _WHOLE[name]
    for pattern, replacement in _PREFIXES:
        if match := pattern.match(name):
            rest = name[match.end() :]
            for long, short in _PARTS:
                if rest.startswith(long):
                    rest = short + rest[len(long) :]
                    break
            return match.expand(replacement) + rest
    raise ValueError(f"{name} is no tensor of Voxtral Realtime")
