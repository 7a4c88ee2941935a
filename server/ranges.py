"""What a conditional GET asks for: byte ranges, entity tags, encodings (RFC 9110, sections 12 to 14).

One range at most. A worker that streams weights never needs two, and a header naming thousands of small
ones is a way to make a server work (or to send a 512 MiB shard many times over), so such headers are refused
before anything is opened.
"""

import re
from dataclasses import dataclass

MAX_RANGE_HEADER = 100  # characters; the longest sensible one, "bytes=" and two 64-bit numbers, has 47
_SPEC = re.compile(r"([0-9]*)-([0-9]*)")


class UnsatisfiableRangeError(Exception):
    """The answer is 416: nothing of the file lies in the range, or more than one range was asked for."""


@dataclass(frozen=True)
class ByteRange:
    """Bytes `start` up to, not including, `stop` of a file; never empty."""

    start: int
    stop: int

    def content_range(self, size: int) -> str:
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def asks_too_much(header: str) -> bool:
    """Whether a Range header is refused whatever the file: several ranges, or too long to be honest."""
    if len(header) > MAX_RANGE_HEADER:
        return True
    unit, _, specifiers = header.partition("=")
    return _is_bytes(unit) and len(_elements(specifiers)) > 1


def parse_range(header: str, size: int) -> ByteRange | None:
    """The range of a file of `size` bytes that a Range header names; None where the header is to be ignored.

    Other units and malformed specifiers are ignored (the whole file follows). Raises
    UnsatisfiableRangeError for a range that begins past the end, for `bytes=-0`, for several ranges, and
    for headers too long to be honest.
    """
    if asks_too_much(header):
        raise UnsatisfiableRangeError
    unit, _, specifiers = header.partition("=")
    if not _is_bytes(unit):
        return None
    wanted = _elements(specifiers)
    found = _SPEC.fullmatch(wanted[0]) if wanted else None
    if found is None or found[0] == "-":
        return None
    first, last = found[1], found[2]
    if not first:
        start, stop = max(0, size - int(last)), size
    elif last and int(last) < int(first):
        return None
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
    if start >= size:
        raise UnsatisfiableRangeError
    return ByteRange(start, stop)


def _is_bytes(unit: str) -> bool:
    return unit.strip().lower() == "bytes"


def _elements(specifiers: str) -> list[str]:
    # Empty list elements are legal ("bytes=0-5,"), so what counts is what remains.
    return [part.strip(" \t") for part in specifiers.split(",") if part.strip(" \t")]


def range_applies(if_range: str | None, etag: str) -> bool:
    """Whether the Range header counts: no If-Range, or exactly our strong tag.

    Weak tags never match, and neither do dates: no Last-Modified is sent, since a file's time says little
    about its content.
    """
    return if_range is None or (if_range.strip() == etag and not etag.startswith("W/"))


def is_unchanged(if_none_match: str | None, etag: str) -> bool:
    """Whether the client's copy (If-None-Match: a list of tags, or *) is this one; weak comparison."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return tags == ["*"] or etag in tags


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether an Accept-Encoding header admits gzip (named, or by *, and not with q=0)."""
    admitted: dict[str, bool] = {}
    for element in (accept_encoding or "").split(","):
        coding, *parameters = [part.strip().lower() for part in element.split(";")]
        admitted[coding] = not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters)
    return admitted.get("gzip", admitted.get("x-gzip", admitted.get("*", False)))
