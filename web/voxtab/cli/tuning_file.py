"""Where a native command keeps the choice of tiles: a small file for each device, in the user's cache folder."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from voxtab.tuning.tuner import TuningStore


class TuningFolder(TuningStore):
    """Files of a folder, which is made when the first is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, name: str) -> str | None:
        try:
            return (self._folder / name).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    async def write(self, name: str, text: str) -> None:
        """Whole or not at all: another command may read it meanwhile."""
        unfinished = self._folder / f"{name}.{os.getpid()}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(text, "utf-8")
            unfinished.replace(self._folder / name)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()


def cache_folder() -> Path:
    """voxtab's own in the user's cache: $XDG_CACHE_HOME, or what the system has instead."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "voxtab"
