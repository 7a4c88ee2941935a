"""One file from the hub to disk: continued where it stopped, hashed while it arrives.

The part file is NAME.<ETag>.part, so it holds the start of exactly one version of the file; it takes its name
when size and hash are what the hub says: SHA-256 for large files, git's blob hash for the others.
"""

import glob
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from huggingface_hub import get_token
from huggingface_hub.file_download import http_get

from voxtab.errors import VoxtabError

Report = Callable[[int], None]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_SHA1 = re.compile(r"[0-9a-f]{40}")


def download(url: str, path: Path, size: int | None, etag: str, report: Report) -> None:
    """Fetch `url` to `path` unless the right content is there already. `report` gets the bytes that are there.

    Raises VoxtabError `shard-altered` for a wrong hash twice in a row, and whatever huggingface_hub raises when the
    connection fails for good; the part file then stays, to be continued.
    """
    if path.is_file() and _is_right(path, size, etag, report):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{_plain(etag)}.part")
    for stale in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
        if stale != part:
            stale.unlink()
    for _ in range(2):
        if _continue(url, part, size, etag, report):
            part.replace(path)
            return
        part.unlink()
    raise VoxtabError(
        "shard-altered",
        f"{path.name} arrived twice with the wrong content.",
        "Something between here and the hub alters it; try another network.",
    )


def _continue(url: str, part: Path, size: int | None, etag: str, report: Report) -> bool:
    """Download what is missing of `part`; whether its hash is then right."""
    hasher = _Hasher(size, etag)
    if part.is_file():
        _read(part, hasher, report)
    with part.open("ab") as file:
        if size is None or file.tell() > size:
            file.truncate(0)
            hasher.reset()
        if size is None or file.tell() < size:
            headers = {"accept-encoding": "identity"}
            if token := get_token():
                headers["authorization"] = f"Bearer {token}"
            target = _HashedFile(file, hasher, report)
            http_get(url, target, resume_size=file.tell(), headers=headers, expected_size=size)  # type: ignore[arg-type]
    return hasher.agrees()


def _is_right(path: Path, size: int | None, etag: str, report: Report) -> bool:
    if size is not None and path.stat().st_size != size:
        return False
    hasher = _Hasher(size, etag)
    _read(path, hasher, report)
    return hasher.agrees()


def _read(path: Path, hasher: "_Hasher", report: Report) -> None:
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            hasher.update(block)
            report(file.tell())


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class _Hasher:
    """The hash an ETag is made of, if it is one of the two the hub uses."""

    def __init__(self, size: int | None, etag: str) -> None:
        self._size = size
        self._etag = etag
        self.reset()

    def reset(self) -> None:
        self._digest: _Digest | None = None
        if _SHA256.fullmatch(self._etag):
            self._digest = hashlib.sha256()
        elif _GIT_SHA1.fullmatch(self._etag) and self._size is not None:
            self._digest = hashlib.sha1(b"blob %d\0" % self._size, usedforsecurity=False)

    def update(self, data: bytes) -> None:
        if self._digest:
            self._digest.update(data)

    def agrees(self) -> bool:
        return self._digest is None or self._digest.hexdigest() == self._etag


class _HashedFile:
    """What http_get uses of a binary file; it seeks and truncates only to start over."""

    def __init__(self, file: BinaryIO, hasher: _Hasher, report: Report) -> None:
        self._file = file
        self._hasher = hasher
        self._report = report

    def write(self, data: bytes) -> int:
        count = self._file.write(data)
        self._hasher.update(data)
        self._report(self._file.tell())
        return count

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def truncate(self, size: int | None = None) -> int:
        self._hasher.reset()
        return self._file.truncate(0)


def _plain(etag: str) -> str:
    return "".join(char for char in etag if char.isalnum())[:32] or "etag"
