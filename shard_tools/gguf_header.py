"""The header of a GGUF on disk, read with the engine's own parser in steps, as a tab reads it over HTTP."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from voxtab.errors import VoxtabError
from voxtab.formats.gguf import Gguf, GgufTruncated, parse_gguf

_FIRST_READ: Final = 1 << 16


def read_header(path: Path) -> Gguf:
    """Raises VoxtabError: model-missing, not-gguf, gguf-invalid."""
    try:
        with path.open("rb") as file:
            return parse_progressively(file.read, path.stat().st_size)
    except OSError as error:
        raise VoxtabError(
            "model-missing", f"{path} cannot be read: {error.strerror or error}.", "Check the path."
        ) from error


def parse_progressively(read: Callable[[int], bytes], file_bytes: int) -> Gguf:
    """`read(n)` gives the next n bytes of the file, fewer only at its end."""
    head = bytearray(read(_FIRST_READ))
    while True:
        try:
            return parse_gguf(bytes(head), file_bytes)
        except GgufTruncated as more:
            got = read(more.needed - len(head))
            if not got:
                raise VoxtabError(
                    "gguf-invalid", "The file ended while its header was read.", "Try again."
                ) from more
            head += got
