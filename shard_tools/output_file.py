"""Files that appear whole or not at all: written as NAME.part, renamed when complete, removed on error."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from voxtab.errors import VoxtabError


@contextmanager
def writing(path: Path, expected_bytes: int = 0) -> Iterator[BinaryIO]:
    """Yields the open .part file; on a clean exit it takes `path`'s name, replacing what was there.

    Raises VoxtabError `quota-full` when `expected_bytes` do not fit on the disk, before or while writing.
    """
    with writing_set(path.parent, expected_bytes) as files, files.open(path.name) as file:
        yield file


class FileSet:
    """Files of one folder that appear together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: list[Path] = []
        self.before_appearing: Callable[[], None] = lambda: None

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        part = self._folder / (name + ".part")
        self._parts.append(part)
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    def appear(self) -> None:
        self.before_appearing()
        for part in self._parts:
            part.replace(part.with_suffix(""))

    def vanish(self) -> None:
        for part in self._parts:
            part.unlink(missing_ok=True)


@contextmanager
def writing_set(folder: Path, expected_bytes: int = 0) -> Iterator[FileSet]:
    """Like `writing`, for several files: none takes its name before all are complete."""
    files = FileSet(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _require_space(folder, expected_bytes)
        yield files
        files.appear()
    except OSError as error:
        files.vanish()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(folder, expected_bytes) from error
        raise VoxtabError(
            "option-invalid",
            f"Writing to {folder} failed: {error.filename or folder}: {error.strerror or error}.",
            "Check the permissions, or choose another place with -o.",
        ) from error
    except BaseException:
        files.vanish()
        raise


def _require_space(folder: Path, needed: int) -> None:
    stat = os.statvfs(folder)
    if stat.f_bavail * stat.f_frsize < needed:
        raise _full(folder, needed)


def _full(folder: Path, needed: int) -> VoxtabError:
    return VoxtabError(
        "quota-full",
        f"The disk of {folder} is full: {needed / 1e9:.2f} GB are needed.",
        "Free some space, or choose another place with -o.",
    )
