"""Stands in for the library of that name, on the path of a command that is to hear a recording through a microphone.

FAKE_MICROPHONE is a WAV file, whose rate is the only one that the device does; "" means that there is no device. The
device hears it faster than it was said. FAKE_MICROPHONE_END is what happens then: "silence", "unplugged", or "overflow",
which is silence after a message that sound was lost.
"""

from __future__ import annotations

import os
import threading
from types import SimpleNamespace, TracebackType
from typing import Any

import soundfile

_PATH = os.environ["FAKE_MICROPHONE"]
_END = os.environ.get("FAKE_MICROPHONE_END", "silence")
_BLOCK_S = 0.08


class PortAudioError(Exception):
    """As the library raises it."""


def _device_rate() -> int:
    if not _PATH:
        raise PortAudioError("Error querying device -1")
    rate: int = soundfile.info(_PATH).samplerate
    return rate


def check_input_settings(*, channels: int, dtype: str, samplerate: int) -> None:
    if (channels, dtype, samplerate) != (1, "float32", _device_rate()):
        raise PortAudioError("Invalid sample rate")


def query_devices(*, kind: str) -> dict[str, Any]:
    assert kind == "input"
    return {"default_samplerate": float(_device_rate())}


class RawInputStream:
    """Calls back from a thread of its own."""

    def __init__(
        self,
        *,
        samplerate: int,
        blocksize: int,
        channels: int,
        dtype: str,
        callback: Any,
        finished_callback: Any,
    ) -> None:
        check_input_settings(channels=channels, dtype=dtype, samplerate=samplerate)
        assert blocksize == round(_BLOCK_S * samplerate)
        self._block = blocksize
        self._callback = callback
        self._finished = finished_callback
        self._thread = threading.Thread(target=self._play, daemon=True)

    def _play(self) -> None:
        sound = soundfile.read(_PATH, dtype="float32")[0].astype("<f4")
        for start in range(0, len(sound), self._block):
            part = sound[start : start + self._block].tobytes()
            self._callback(part, len(part) // 4, None, SimpleNamespace(input_overflow=False))
        if _END == "overflow":
            self._callback(bytes(4 * self._block), self._block, None, SimpleNamespace(input_overflow=True))
        if _END == "unplugged":
            self._finished()

    def __enter__(self) -> RawInputStream:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join()
        self._finished()
