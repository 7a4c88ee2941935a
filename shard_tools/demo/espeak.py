"""Phrases spoken by espeak-ng, with the words' times from its word events.

The structure and the numbers are of `speak_lib.h`, whose library keeps them stable. Not safe for threads: one
process each.
"""

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np

from shard_tools.demo.spoken import Spoken
from voxtab.errors import VoxtabError

_SYNCHRONOUS: Final = 2
_UTF8: Final = 1
_BY_CHARACTER: Final = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
# Its dictionary has these two as one word with one event. flite gives the first this share of their time.
_MERGED: Final = ("on", "the")
_MERGED_SHARE: Final = 0.7
_END_OF_LIST, _WORD_EVENT = 0, 1


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class _Library:
    """libespeak-ng, started once in a process."""

    def __init__(self) -> None:
        try:
            self.calls = ctypes.CDLL("libespeak-ng.so.1")
        except OSError as error:
            raise VoxtabError(
                "tool-missing", "espeak-ng is not installed.", "Install it: apt install espeak-ng"
            ) from error
        self.calls.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        self.rate = int(self.calls.espeak_Initialize(_SYNCHRONOUS, 0, None, 0))
        if self.rate <= 0:
            raise VoxtabError(
                "tool-missing",
                "espeak-ng does not start.",
                "Its data are missing: apt install espeak-ng-data",
            )
        self.sound: list[bytes] = []
        self.events: list[tuple[int, int, int]] = []
        self._callback = _Callback(self._heard)  # kept: the library holds on to it
        self.calls.espeak_SetSynthCallback(self._callback)

    def _heard(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self.sound.append(ctypes.string_at(samples, 2 * count))
        index = 0
        while events[index].type != _END_OF_LIST:
            event = events[index]
            # Events of no length are clause ends and split phonemes, not words.
            if event.type == _WORD_EVENT and event.length > 0:
                self.events.append((event.text_position, event.length, event.sample))
            index += 1
        return 0


_library = cache(_Library)


class Espeak:
    """One voice of espeak-ng, an accent with a variant: `Espeak("en-us+f3")`.

    Raises VoxtabError tool-missing, also for a voice that is not there.
    """

    def __init__(self, voice: str) -> None:
        self._library = _library()
        if self._library.calls.espeak_SetVoiceByName(voice.encode()) != 0:
            raise VoxtabError(
                "tool-missing",
                f"espeak-ng has no voice {voice}.",
                "Use that of Debian: apt install espeak-ng",
            )

    def say(self, text: str, words_per_minute: int, pitch: int, pitch_range: int) -> Spoken | None:
        """The text's sound and words; pitch and range 0 to 100, 50 being the voice's own.

        None where espeak-ng does not tell the words' times one by one (it takes some together).
        """
        library = self._library
        for number, value in ((_RATE, words_per_minute), (_PITCH, pitch), (_RANGE, pitch_range)):
            library.calls.espeak_SetParameter(number, value, 0)
        library.sound.clear()
        library.events.clear()
        data = text.encode("ascii")
        library.calls.espeak_Synth(data, len(data) + 1, 0, _BY_CHARACTER, 0, _UTF8, None, None)
        samples = np.frombuffer(b"".join(library.sound), np.int16)
        starts = word_starts(text, library.events, len(samples))
        if starts is None:
            return None
        seconds = tuple(start / library.rate for start in starts)
        length = len(samples) / library.rate
        return Spoken(samples, library.rate, _words(text), seconds, (*seconds[1:], length))


def word_starts(text: str, events: Sequence[tuple[int, int, int]], length: int) -> list[float] | None:
    """Each word's start in samples, from word events of (position from 1, letters, sample).

    None where the events are not those of the words, one by one; "on the", which espeak-ng takes together, is shared.
    """
    words = _words(text)
    positions = [
        index + 1 for index, letter in enumerate(text) if letter != " " and text[:index][-1:] in ("", " ")
    ]
    if len({event[0] for event in events}) != len(events):
        return None
    at = {position: (size, float(sample)) for position, size, sample in events}
    edges: list[float | None] = []
    for index, (word, position) in enumerate(zip(words, positions, strict=True)):
        size, sample = at.pop(position, (0, 0.0))
        if size == len(word):
            edges.append(sample)
        elif size == 0 and words[max(index - 1, 0) : index + 1] == _MERGED:
            edges.append(None)
        else:
            return None
    if at:
        return None
    edges.append(float(length))
    starts: list[float] = []
    for before, here, after in zip((None, *edges), edges, edges[1:], strict=False):
        if here is not None:
            starts.append(here)
        elif before is not None and after is not None:
            starts.append(before + _MERGED_SHARE * (after - before))
    return starts if len(starts) == len(words) else None


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip(",") for word in text.split())
