r"""Tekken's splitter: a text into the pieces that are merged each for itself.

Tekken says how with a regular expression over Unicode classes (`PATTERN`), which Python's `re` does not know.
So each character is first written as one letter for its class, and the same expression over those letters
(`_PIECES`) finds the pieces. Every character falls into one, so the pieces joined are the text.

Two things differ from Python's own idea of Unicode. Whitespace is Unicode's White_Space, which `str.isspace`
is not. And the reference splits by Unicode 16, while the category of a character comes from the `unicodedata`
of the Python that runs this: Unicode 14 in Python 3.11, 16 in Pyodide 314, later ones later. The characters
about which versions 14 to 18 disagree are listed here with what they are in 16 (`_AS_IN_UNICODE_16`), so that a
text has the same tokens wherever it is spoken.
"""

import re
import unicodedata
from bisect import bisect_right
from typing import Final

__all__ = ["PATTERN", "split"]

PATTERN: Final = "|".join(
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)

# U upper or title case, l lower case, o another letter, m mark, n number, s the space, r CR or LF, w any other
# whitespace, / the slash, x all else. In order the alternatives of PATTERN.
_PIECES: Final = re.compile(
    "|".join(
        (
            r"[^rnUlo]?[Uom]*[lom]+",
            r"[^rnUlo]?[Uom]+[lom]*",
            r"n",
            r"s?[mx/]+[r/]*",
            r"[swr]*r+",
            r"[swr]+(?![^swr])",
            r"[swr]+",
        )
    )
)

_CATEGORIES: Final = {"Lu": "U", "Lt": "U", "Ll": "l", "Lm": "o", "Lo": "o", "M": "m", "N": "n"}
_WHITESPACE: Final = (
    "\t\v\f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

# Class: code points and ranges of them, in hexadecimal. From the character tables of Unicode 14 to 18.
_AS_IN_UNICODE_16: Final = {
    "U": "1C89 A7CB-A7CC A7DA A7DC 10D50-10D65",
    "l": "295 1C8A A7CD A7DB 10D70-10D85 1DF25-1DF2A",
    "o": """
        105C0-105F3 10D4A-10D4F 10D6F 10EC2-10EC4 1123F-11240 11380-11389 1138B 1138E 11390-113B5 113B7
        113D1 113D3 11BC0-11BE0 11F02 11F04-11F10 11F12-11F33 1342F 13441-13446 13460-143FA 16100-1611D
        16D40-16D6C 18CFF 1B132 1B155 1E030-1E06D 1E4D0-1E4EB 1E5D0-1E5ED 1E5F0 2B739 2EBF0-2EE5D
        31350-323AF""",
    "m": """
        897 CF3 ECE 10D69-10D6D 10EFC-10EFF 11241 113B8-113C0 113C2 113C5 113C7-113CA 113CC-113D0 113D2
        113E1-113E2 11F00-11F01 11F03 11F34-11F3A 11F3E-11F42 11F5A 13440 13447-13455 1611E-1612F 1E08F
        1E4EC-1E4EF 1E5EE-1E5EF""",
    "n": """
        10D40-10D49 116D0-116E3 11BF0-11BF9 11F50-11F59 16130-16139 16D70-16D79 1CCF0-1CCF9 1D2C0-1D2D3
        1E4F0-1E4F9 1E5F1-1E5FA""",
    "x": """
        558 58B-58C 5C8-5C9 88F B53-B54 C5C CDC 1ACF-1AF0 208F 209D-209F A7CE-A7CF A7D2 A7D4 A7DD-A7F1
        AB6C-AB6D 107BB-107BF 10940-10959 10EC5-10EFB 11B0A-11B67 11DB0-11DF1 1246F-1247F 12550-12686
        16EA0-16ED3 16FF2-16FF6 187F8-187FF 18CD6-18CDA 18D09-191D2 1B123-1B128 1B168 1D127-1D128
        1D250-1D281 1D6A6 1DF1F-1DF24 1DF2B-1DFFF 1E6C0-1E6FF 2B73A-2B73F 2B81E 2CEA2-2CEAD 323B0-33479
        3D000-3FC3F""",
}


def split(text: str) -> list[str]:
    """The pieces of a text, in order."""
    return [text[piece.start() : piece.end()] for piece in _PIECES.finditer(text.translate(_classes))]


class _Classes(dict[int, str]):
    """Code point to the letter of its class, looked up once for each character that texts bring."""

    def __init__(self) -> None:
        super().__init__({ord(" "): "s", ord("\r"): "r", ord("\n"): "r", ord("/"): "/"})
        self.update(dict.fromkeys(map(ord, _WHITESPACE), "w"))
        self._ranges = sorted(
            (int(first, 16), int(last or first, 16), letter)
            for letter, ranges in _AS_IN_UNICODE_16.items()
            for first, _, last in (each.partition("-") for each in ranges.split())
        )
        self._firsts = [first for first, _, _ in self._ranges]

    def __missing__(self, code_point: int) -> str:
        _, last, letter = self._ranges[bisect_right(self._firsts, code_point) - 1]
        if not self._firsts[0] <= code_point <= last:
            category = unicodedata.category(chr(code_point))
            letter = _CATEGORIES.get(category) or _CATEGORIES.get(category[0], "x")
        self[code_point] = letter
        return letter


_classes = _Classes()
