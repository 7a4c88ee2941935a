"""SHA-256 of model files, computed at most once per content.

A shard has up to 512 MiB, so hashing it takes a good part of a second. A manifest already holds the digest,
and it is believed when the shard has not been touched since the manifest was written: the splitter writes
the manifest last. Anything else is hashed at its first request, in the caller's thread, and remembered by
what the file system says about it (the change time cannot be set back, unlike the modification time).
"""

import hashlib
import os
import threading
from collections import defaultdict
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple


class Signature(NamedTuple):
    """What changes when a file's bytes do."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, stat: os.stat_result) -> "Signature":
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)

    @property
    def touched_ns(self) -> int:
        return max(self.modified_ns, self.changed_ns)


@dataclass(frozen=True)
class Claim:
    """The SHA-256 that a manifest gives for a file, and the manifest's own `Signature.touched_ns`."""

    sha256: str
    made_ns: int


class Digests:
    """Remembers digests of files. Safe to use from several threads; no file is hashed by two at once."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Signature, str]] = {}
        self._locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)

    def sha256(self, path: Path, file: BufferedReader, claim: Claim | None = None) -> str:
        """Hex SHA-256 of `file`, which is `path` opened for reading. The file's position may change."""
        now = Signature.of(os.fstat(file.fileno()))
        if claim is not None and now.touched_ns < claim.made_ns:
            return claim.sha256
        with self._locks[path]:
            known = self._known.get(path)
            if known is None or known[0] != now:
                file.seek(0)
                known = now, hashlib.file_digest(file, "sha256").hexdigest()
                self._known[path] = known
            return known[1]
