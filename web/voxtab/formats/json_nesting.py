"""How much structure a JSON text has, told before it is parsed.

CPython answers a hundred thousand opening brackets with RecursionError. In a browser the same parser overflows the
WebAssembly stack, which ends Pyodide and with it the tab's engine, so text from outside is looked at first.
"""

from typing import Final

__all__ = ["check_nesting"]

MAX_DEPTH: Final = 16
MAX_CONTAINERS: Final = 1 << 20  # a tokenizer file has 151000; each takes 30 times its two bytes once parsed
_BRACKETS_AND_QUOTES: Final = b'[]{}"'
_REST: Final = bytes(set(range(256)) - set(_BRACKETS_AND_QUOTES))
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")
_PIECE_BYTES: Final = 1 << 16


def check_nesting(text: bytes) -> None:
    """Raise ValueError when UTF-8 JSON nests deeper than MAX_DEPTH, leaves brackets open, or has too many.

    All in passes over bytes: a tokenizer file of 15 MB must not wait for a Python loop.
    """
    # Without escaped backslashes and quotes, every quote left opens or closes a string.
    marks = text.replace(b"\\\\", b"").replace(b'\\"', b"").translate(_ONE_KIND, _REST)
    # Two quotes side by side are an empty string, or the gap between two: without them the strings stay strings.
    brackets = _outside_strings(marks.replace(b'""', b""))
    if brackets.count(b"[") > MAX_CONTAINERS:
        raise ValueError(f"it has more than {MAX_CONTAINERS} objects and arrays")
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"")  # the innermost level
    if brackets:
        raise ValueError(f"its brackets are not closed, or nest deeper than {MAX_DEPTH}")


def _outside_strings(marks: bytes) -> bytes:
    """What is not between quotes. In pieces, since splitting makes an object of each string."""
    kept = []
    inside = 0
    for start in range(0, len(marks), _PIECE_BYTES):
        parts = marks[start : start + _PIECE_BYTES].split(b'"')
        kept.append(b"".join(parts[inside::2]))
        inside ^= 1 - len(parts) % 2
    return b"".join(kept)
