"""WAV files of PCM samples, read exactly: a 16-bit value v is v / 32768, and nothing is resampled.

Other formats (float, ADPCM, MP3 in a RIFF...) are left to the browser's decoder or to libsndfile.
"""

from __future__ import annotations  # array[float] can be subscripted at run time only from Python 3.12

import io
import wave
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from operator import add
from typing import Final

from voxtab.errors import VoxtabError

__all__ = ["AudioError", "Wav", "read_wav"]

MAX_SAMPLE_RATE: Final = 768_000
MAX_CHANNELS: Final = 32


class AudioError(VoxtabError):
    """Code `audio-undecodable`."""


@dataclass(frozen=True, slots=True)
class Wav:
    sample_rate: int  # Hz
    samples: array[float]  # float32, mono, -1 to 1


def read_wav(data: bytes) -> Wav:
    """Decode PCM of 8, 16, 24 or 32 bits; channels are averaged. A file cut short gives what is there.

    Raises AudioError.
    """
    try:
        with wave.open(io.BytesIO(data), "rb") as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            frames = file.readframes(file.getnframes())
    except (wave.Error, EOFError, RuntimeError) as error:
        reason = str(error) or "it ends in the middle of its header"
        raise _undecodable(f"This is not a PCM WAV file: {reason}.") from None
    if not 1 <= rate <= MAX_SAMPLE_RATE:
        raise _undecodable(f"The WAV file gives a sample rate of {rate} Hz.")
    if not 1 <= channels <= MAX_CHANNELS:
        raise _undecodable(f"The WAV file gives {channels} channels.")
    if width not in (1, 2, 3, 4):
        raise _undecodable(f"The WAV file has samples of {8 * width} bits.")
    frames = frames[: len(frames) - len(frames) % (width * channels)]
    return Wav(rate, _mono(_integers(frames, width), channels, 1 << (8 * width - 1)))


def _integers(frames: bytes, width: int) -> array[int]:
    """Signed samples, interleaved as in the file. 24-bit ones are given as they are, in 32 bits."""
    if width == 1:
        return array("h", (value - 128 for value in frames))  # the only width that WAV stores unsigned
    if width == 2:
        return array("h", frames)
    if width == 4:
        return array("i", frames)
    wide = bytearray(len(frames) // 3 * 4)
    wide[1::4], wide[2::4], wide[3::4] = frames[0::3], frames[1::3], frames[2::3]
    return array("i", (value >> 8 for value in array("i", wide)))


def _mono(values: array[int], channels: int, full_scale: int) -> array[float]:
    # map() with methods of built-in types: an hour of speech is 58 million samples, and Pyodide is slow.
    if channels == 1:
        return array("f", map((1 / full_scale).__mul__, values))
    totals: Iterable[int] = values[0::channels]
    for channel in range(1, channels):
        totals = map(add, totals, values[channel::channels])
    return array("f", map((1 / (channels * full_scale)).__mul__, totals))


def _undecodable(message: str) -> AudioError:
    return AudioError(
        "audio-undecodable", message, "Convert it to WAV with 16-bit samples, or try another file."
    )
