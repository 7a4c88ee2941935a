"""A made-up but valid tekken.json: 1000 special tokens, the 256 bytes, then invented words from syllables."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice, product
from typing import Any, Final

SPECIAL_TOKENS: Final = 1000
_BYTES: Final = 256
SMALLEST_VOCABULARY: Final = SPECIAL_TOKENS + _BYTES

_NAMED: Final = {
    0: "<unk>",
    1: "<s>",
    2: "</s>",
    11: "<pad>",
    24: "[AUDIO]",
    25: "[BEGIN_AUDIO]",
    32: "[STREAMING_PAD]",
    33: "[STREAMING_WORD]",
}
# What a prompt to speak is made with.
_NAMED_IN_SPEECH: Final = {35: "[REPEAT_AUDIO_TEXT]", 36: "[NEXT_AUDIO_TEXT]"}
# The pre-tokenizer of Mistral's Tekken.
_PATTERN: Final = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def synth_tekken(vocab_size: int, voices: Mapping[str, int] | None = None) -> dict[str, Any]:
    """tekken.json for a model of `vocab_size` tokens, at least 1256; the same for the same size.

    `voices`: audio tokens of each voice, for a speech model.
    """
    single_bytes = (bytes([value]) for value in range(_BYTES))
    made = tekken_json(islice(chain(single_bytes, _words()), vocab_size - SPECIAL_TOKENS))
    if voices is not None:
        for rank, text in _NAMED_IN_SPEECH.items():
            made["special_tokens"][rank]["token_str"] = text
        made["audio"] = {
            "sampling_rate": 24000,
            "frame_rate": 12.5,
            "audio_encoding_config": {"num_mel_bins": 128, "hop_length": 160, "window_size": 400},
            "chunk_length_s": None,
            "voice_num_audio_tokens": dict(voices),
        }
    return made


def tekken_json(pieces: Iterable[bytes]) -> dict[str, Any]:
    """tekken.json whose token SPECIAL_TOKENS + i is the i-th of `pieces`; the first 256 must be the single bytes."""
    vocab = [
        {
            "rank": rank,
            "token_bytes": base64.b64encode(piece).decode(),
            "token_str": piece.decode(errors="replace") if len(piece) > 1 else None,
        }
        for rank, piece in enumerate(pieces)
    ]
    return {
        "config": {
            "pattern": _PATTERN,
            "num_vocab_tokens": len(vocab),
            "default_vocab_size": SPECIAL_TOKENS + len(vocab),
            "default_num_special_tokens": SPECIAL_TOKENS,
            "version": "v7",
        },
        "vocab": vocab,
        "special_tokens": [
            {"rank": rank, "token_str": _NAMED.get(rank, f"<SPECIAL_{rank}>"), "is_control": True}
            for rank in range(SPECIAL_TOKENS)
        ],
        "version": 1,
        "type": "Tekken",
        "audio": {
            "sampling_rate": 16000,
            "frame_rate": 12.5,
            "audio_encoding_config": {"num_mel_bins": 128, "hop_length": 160, "window_size": 400},
            "chunk_length_s": None,
            "transcription_format": "streaming",
            "transcription_delay_ms": 480,
            "streaming_look_ahead_ms": 2.5,
            "streaming_look_back_ms": 52.5,
            "streaming_n_left_pad_tokens": 32,
        },
    }


def _words() -> Iterator[bytes]:
    """Endless, without repetition: words of one syllable, of two, and so on, also with a space before."""
    syllables = ["".join(pair) for pair in product("bdfgklmnprstvz", "aeiou")]
    length = 1
    while True:
        for parts in product(syllables, repeat=length):
            word = "".join(parts)
            yield (" " + word).encode()
            yield word.encode()
        length += 1
