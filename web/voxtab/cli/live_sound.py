"""Sound as it comes, from standard input or a microphone, in pieces on an asyncio queue; None is the end."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from voxtab.errors import VoxtabError
from voxtab.models.log_mel import SAMPLE_RATE

FORMATS = {"s16le": "<i2", "f32le": "<f4"}

_READ_BYTES = 1 << 14  # half a second of s16le at 16 kHz
_READ_AHEAD = 16  # pieces
_BLOCK_S = 0.08
_RATES = (1000, 768_000)

Pieces = asyncio.Queue[bytes | None]


class PcmStream:
    """Turns bytes of mono PCM, cut anywhere, into float32 at 16 kHz. Raises VoxtabError option-invalid."""

    def __init__(self, kind: str, rate: int) -> None:
        if kind not in FORMATS:
            raise VoxtabError("option-invalid", f"format can't be {kind!r}.", f"Use {' or '.join(FORMATS)}.")
        if not _RATES[0] <= rate <= _RATES[1]:
            raise VoxtabError("option-invalid", f"rate can't be {rate}.", "Use the samples per second.")
        self._type = np.dtype(FORMATS[kind])
        self._resampler = (
            None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, quality="HQ")
        )
        self._rest = b""

    def samples(self, piece: bytes, last: bool = False) -> npt.NDArray[np.float32]:
        """What can be told of the sound so far. `last`: nothing comes after this piece; half a sample is dropped."""
        data = self._rest + piece
        whole = len(data) - len(data) % self._type.itemsize
        self._rest = data[whole:]
        values = np.frombuffer(data[:whole], self._type)
        floats = values.astype(np.float32) / (32768 if self._type.kind == "i" else 1)
        if self._resampler is not None:
            floats = self._resampler.resample_chunk(floats, last=last)
        return np.ascontiguousarray(floats, np.float32)


def read_stdin(pieces: Pieces) -> None:
    """Begin to put on the running loop's queue what standard input brings."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        piece = b"-"
        while piece:
            while pieces.qsize() >= _READ_AHEAD:  # a file comes faster than it can be heard
                time.sleep(_BLOCK_S / 4)
            # Not through sys.stdin, whose lock an end of the program could wait for forever.
            piece = os.read(sys.stdin.fileno(), _READ_BYTES)
            loop.call_soon_threadsafe(pieces.put_nowait, piece or None)

    threading.Thread(target=read, daemon=True).start()


def microphone_rate() -> int:
    """Samples per second that the default microphone will be asked for: 16000 where the device does that, else its own.
    Raises VoxtabError mic-absent."""
    sounddevice = _sounddevice()
    try:
        sounddevice.check_input_settings(channels=1, dtype="float32", samplerate=SAMPLE_RATE)
    except (sounddevice.PortAudioError, ValueError):
        try:
            return int(sounddevice.query_devices(kind="input")["default_samplerate"])
        except (sounddevice.PortAudioError, ValueError) as error:
            raise _absent(error) from error
    return SAMPLE_RATE


@contextmanager
def microphone(pieces: Pieces, rate: int, on_loss: Callable[[], None]) -> Iterator[None]:
    """The default microphone's sound on the running loop's queue, as mono f32le in pieces of 80 ms. `on_loss`: the
    computer was too busy to take all of it. Raises VoxtabError mic-absent."""
    sounddevice = _sounddevice()
    loop = asyncio.get_running_loop()

    def tell(what: Callable[..., None], *about: Any) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(what, *about)

    def heard(data: Any, frames: int, when: Any, status: Any) -> None:
        if status.input_overflow:
            tell(on_loss)
        tell(pieces.put_nowait, bytes(data))

    try:
        stream = sounddevice.RawInputStream(
            samplerate=rate,
            blocksize=round(rate * _BLOCK_S),
            channels=1,
            dtype="float32",
            callback=heard,
            finished_callback=lambda: tell(pieces.put_nowait, None),
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise _absent(error) from error
    with stream:
        yield


def _sounddevice() -> Any:
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # the latter: PortAudio itself is not there
        raise VoxtabError(
            "mic-absent",
            f"The microphone can't be reached: {error}.",
            "Install voxtab[mic] and PortAudio, or pipe sound in: arecord -f S16_LE -r 16000 | voxtab listen ...",
        ) from error
    return sounddevice


def _absent(error: Exception) -> VoxtabError:
    return VoxtabError(
        "mic-absent", f"No microphone can be opened: {error}.", "Connect one, or pipe sound in."
    )
