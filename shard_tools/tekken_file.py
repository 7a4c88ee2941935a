"""The parts of Mistral's tekken.json that a GGUF carries: token bytes, special tokens, audio settings."""

import base64
import binascii
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeGuard

from shard_tools.json_text import parse_json_object
from voxtab.errors import VoxtabError

# The real file has 15 MB.
MAX_TEKKEN_BYTES: Final = 64 << 20
DEFAULT_SPECIAL_TOKENS: Final = 1000
MAX_VOICES: Final = 256
MAX_VOICE_ROWS: Final = 1 << 12  # as many positions as a prompt and its frames can have


@dataclass(frozen=True)
class TekkenFile:
    """`vocab_b64[i]` holds the bytes of token `special_count + i`, in base64.

    `voice_rows`: audio tokens that each voice of a speech model takes in a prompt.
    """

    pattern: str
    special_count: int
    vocab_b64: list[str]
    special_ranks: list[int]
    special_strings: list[str]
    delay_ms: float
    left_pad_tokens: int
    voice_rows: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, vocab_size: int) -> "TekkenFile":
        """Keep what a model of `vocab_size` uses. Raises VoxtabError `tokenizer-invalid`."""
        try:
            if path.stat().st_size > MAX_TEKKEN_BYTES:
                raise _bad(f"{path} is larger than {MAX_TEKKEN_BYTES} bytes")
            data = parse_json_object(path.read_bytes())
        except OSError as error:
            raise _bad(f"{path} cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise _bad(str(error)) from error
        return cls.from_object(data, vocab_size)

    @classmethod
    def from_object(cls, data: dict[str, Any], vocab_size: int) -> "TekkenFile":
        """The same from parsed JSON."""
        config = data.get("config")
        audio = data.get("audio", {})
        if not isinstance(config, dict) or not isinstance(audio, dict):
            raise _bad("its config or audio settings are not objects")
        special_count = config.get("default_num_special_tokens", DEFAULT_SPECIAL_TOKENS)
        if not _is_index(special_count, vocab_size + 1):
            raise _bad(f"it reserves {special_count!r} special tokens in a vocabulary of {vocab_size}")
        ranks, strings = _special_tokens(data.get("special_tokens", []), special_count)
        return cls(
            pattern=str(config.get("pattern", "")),
            special_count=special_count,
            vocab_b64=_vocabulary(data.get("vocab"), vocab_size - special_count),
            special_ranks=ranks,
            special_strings=strings,
            delay_ms=_number(audio, "transcription_delay_ms", 480.0),
            left_pad_tokens=int(_number(audio, "streaming_n_left_pad_tokens", 32)),
            voice_rows=_voice_rows(audio.get("voice_num_audio_tokens", {})),
        )

    def special(self, text: str, default: int) -> int:
        """The id of a special token by its text."""
        return dict(zip(self.special_strings, self.special_ranks, strict=True)).get(text, default)


def _vocabulary(vocab: Any, count: int) -> list[str]:
    if not isinstance(vocab, list) or len(vocab) < count:
        raise _bad(f"its vocabulary is shorter than the {count} entries the model uses")
    tokens: list[str] = []
    for index, entry in enumerate(vocab[:count]):
        token = entry.get("token_bytes") if isinstance(entry, dict) else None
        if not isinstance(token, str) or entry.get("rank", index) != index:
            raise _bad(f"vocabulary entry {index} has no bytes or a wrong rank")
        try:
            base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError) as error:
            raise _bad(f"vocabulary entry {index} is not base64") from error
        tokens.append(token)
    return tokens


def _special_tokens(tokens: Any, count: int) -> tuple[list[int], list[str]]:
    if not isinstance(tokens, list) or len(tokens) > count:
        raise _bad("its special tokens are not a list within the reserved ids")
    ranks: list[int] = []
    strings: list[str] = []
    for entry in tokens:
        rank = entry.get("rank") if isinstance(entry, dict) else None
        text = entry.get("token_str") if isinstance(entry, dict) else None
        if not _is_index(rank, count) or not isinstance(text, str):
            raise _bad(f"special token {len(ranks)} has no rank below {count} or no text")
        ranks.append(rank)
        strings.append(text)
    return ranks, strings


def _voice_rows(counts: Any) -> dict[str, int]:
    if counts is None:
        return {}
    if not isinstance(counts, dict) or len(counts) > MAX_VOICES:
        raise _bad(f"audio.voice_num_audio_tokens is not an object of at most {MAX_VOICES} voices")
    for name, rows in counts.items():
        if not isinstance(name, str) or not _is_index(rows, MAX_VOICE_ROWS + 1) or not rows:
            raise _bad(
                f"audio.voice_num_audio_tokens gives the voice {str(name)[:40]!a} {ascii(rows)[:20]} tokens"
            )
    return dict(counts)


def _number(section: dict[str, Any], key: str, default: float) -> float:
    value = section.get(key, default)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not 0 <= value < 1e6
    ):
        raise _bad(f"audio.{key} is {str(value)[:40]}")
    return float(value)


def _is_index(value: Any, limit: int) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < limit


def _bad(reason: str) -> VoxtabError:
    return VoxtabError("tokenizer-invalid", f"tekken.json is unusable: {reason}.", "Download it again.")
