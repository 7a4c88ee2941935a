"""One recording and what is said in it."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voxtab.cli.audio import read_audio
from voxtab.errors import VoxtabError

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Item:
    """`audio`: a file, or float32[samples] in [-1, 1], mono, 16 kHz. `text`: what is said, "" for none.
    `group`: what results are also summed up by, such as a voice. `name`: what reports call it."""

    audio: Path | Floats
    text: str
    group: str = ""
    name: str = ""

    def samples(self) -> Floats:
        """float32[samples], at least one. Raises VoxtabError audio-missing, audio-undecodable or audio-empty."""
        if isinstance(self.audio, Path):
            return _read(self.audio)
        if self.audio.ndim != 1 or self.audio.dtype.kind != "f":
            raise VoxtabError(
                "audio-undecodable",
                f"Sound is float32[samples], not {self.audio.dtype}{list(self.audio.shape)}.",
                "Mix it to mono, 16 kHz, -1 to 1.",
            )
        if not len(self.audio):
            raise VoxtabError("audio-empty", "There are no samples.", "Give at least one.")
        return np.ascontiguousarray(self.audio, np.float32)


def _read(path: Path) -> Floats:
    if not os.path.isfile(path):  # nor a device or a pipe, on which reading could wait forever
        raise VoxtabError(
            "audio-missing", f"{path} is not there, or is no file.", "Fetch the recordings again."
        )
    try:
        return read_audio(path)
    except MemoryError as error:
        raise VoxtabError(
            "audio-undecodable",
            f"{path} says it is longer than memory can hold.",
            "Cut it into parts; if it is short, its header is damaged.",
        ) from error
