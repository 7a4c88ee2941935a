"""The demo's tekken.json: the special tokens, the 256 bytes, then one entry a word, its leading space included."""

from collections.abc import Sequence
from typing import Any, Final

from shard_tools.synth_tekken import SMALLEST_VOCABULARY, tekken_json

BOS: Final = 1
STREAMING_PAD: Final = 32
STREAMING_WORD: Final = 33
FIRST_WORD: Final = SMALLEST_VOCABULARY
# A whole number of four-row groups, as matrix kernels like it; the spare entries are never a target.
_ROW_GROUP: Final = 4


def vocabulary_size(words: Sequence[str]) -> int:
    return FIRST_WORD + -(-len(words) // _ROW_GROUP) * _ROW_GROUP


def demo_tekken(words: Sequence[str]) -> dict[str, Any]:
    """words[i] is token FIRST_WORD + i."""
    spare = [f" [spare {i}]" for i in range(vocabulary_size(words) - FIRST_WORD - len(words))]
    pieces = [bytes([value]) for value in range(256)]
    pieces += [text.encode() for text in [*(f" {word}" for word in words), *spare]]
    return tekken_json(pieces)
