"""Speech as 16-bit WAV: whole, or while it is being made."""

import io
import wave
from array import array
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

# A stream's header must name a length before it is known: the most that fits, which players take for "until it ends".
_ENDLESS_FRAMES = (0xFFFFFFFF - 44) // 2


def write_wav(file: BinaryIO, samples: npt.NDArray[np.float32], sample_rate: int) -> None:
    """samples: mono; what lies outside -1 .. 1 is clipped."""
    pcm = _pcm16(samples)
    file.write(_header(sample_rate, len(pcm) // 2))
    file.write(pcm)
    file.flush()


class StreamedWav:
    """A WAV whose samples are written as they come; its header says it never ends."""

    def __init__(self, file: BinaryIO, sample_rate: int) -> None:
        self._file = file
        file.write(_header(sample_rate, _ENDLESS_FRAMES))
        file.flush()

    def write(self, samples: "array[float]") -> None:
        self._file.write(_pcm16(np.frombuffer(samples, np.float32)))
        self._file.flush()


def _pcm16(samples: npt.NDArray[np.float32]) -> bytes:
    return np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def _header(sample_rate: int, frames: int) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.setnframes(frames)
        file.writeframesraw(b"")
        return made.getvalue()  # before it closes, which would put the true length in
