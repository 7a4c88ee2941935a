"""Turns a path from a URL into a file below a folder, or into nothing."""

import re
from pathlib import Path

# One segment: no separators of any system, no drive letters or streams, nothing unprintable, not hidden.
_SEGMENT = re.compile(r"[^./\\:\x00-\x1f\x7f][^/\\:\x00-\x1f\x7f]*")


def is_plain_name(name: str) -> bool:
    """Whether `name` can stand for a file served from a folder: one segment, not hidden, no tricks."""
    return len(name) <= 255 and _SEGMENT.fullmatch(name) is not None


def is_inside(root: Path, path: Path) -> bool:
    """Whether `path` exists and, all links followed, lies below `root`."""
    try:
        return path.resolve(strict=True).is_relative_to(root.resolve(strict=True))
    except (OSError, RuntimeError, ValueError):
        return False


def find_inside(root: Path, name: str) -> Path | None:
    """The regular file `name` (already percent-decoded, `/` between segments) below `root`, links followed.

    None for everything else: dot-dot, hidden files, empty segments, backslashes, NUL, absolute paths, links
    that leave the root, folders, missing files.
    """
    if not all(is_plain_name(segment) for segment in name.split("/")):
        return None
    path = root.joinpath(*name.split("/"))
    if not is_inside(root, path):
        return None
    path = path.resolve()
    return path if path.is_file() else None
