"""How deep a JSON text nests, told before it is parsed.

CPython answers a hundred thousand opening brackets with RecursionError. In a browser the same parser overflows the
WebAssembly stack, which ends Pyodide and with it the tab's engine, so text from outside is looked at first.
"""

from typing import Final

__all__ = ["check_nesting"]

MAX_DEPTH: Final = 16
_BRACKETS_AND_QUOTES: Final = b'[]{}"'
_REST: Final = bytes(set(range(256)) - set(_BRACKETS_AND_QUOTES))
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")


def check_nesting(text: bytes) -> None:
    """Raise ValueError when UTF-8 JSON nests deeper than MAX_DEPTH, or leaves brackets open.

    All in passes over bytes: a tokenizer file of 15 MB must not wait for a Python loop.
    """
    # Without escaped backslashes and quotes, every quote left opens or closes a string.
    marks = text.replace(b"\\\\", b"").replace(b'\\"', b"").translate(_ONE_KIND, _REST)
    # Two quotes side by side are an empty string, or the gap between two: without them the strings stay strings.
    outside_strings = b"".join(marks.replace(b'""', b"").split(b'"')[::2])
    for _ in range(MAX_DEPTH):
        outside_strings = outside_strings.replace(b"[]", b"")  # the innermost level
    if outside_strings:
        raise ValueError(f"its brackets are not closed, or nest deeper than {MAX_DEPTH}")
