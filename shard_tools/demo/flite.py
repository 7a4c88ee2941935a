"""Phrases spoken by flite, with the words' times from its utterance structure.

The library (2.x) comes without headers here: the two structures read are of its `cst_wave.h` and `cst_voice.h`.
Not safe for threads: one process each.
"""

import ctypes
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import numpy as np

from shard_tools.demo.spoken import Spoken, spoken_from_segments
from voxtab.errors import VoxtabError

VOICES: Final = ("slt", "awb", "kal", "kal16", "rms")
# flite keeps the address of a name that it does not know yet, so these must live as long as it does.
_FEATURES: Final = {
    name: name.encode() for name in ("duration_stretch", "int_f0_target_mean", "int_f0_target_stddev")
}
_WORD_PATH: Final = b"R:SylStructure.parent.parent"


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_int16)),
    )


class _Voice(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


@cache
def flite_library(name: str) -> ctypes.CDLL:
    """A library of flite's, loaded so that its others find it. Raises VoxtabError tool-missing."""
    try:
        return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise VoxtabError(
            "tool-missing", "flite is not installed.", "Install it: apt install flite"
        ) from error


def flite_function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    """A function with its types."""
    function = library[name]
    function.restype = result
    function.argtypes = list(arguments)
    return function


class Flite:
    """One voice of flite. Features: duration_stretch, int_f0_target_mean, int_f0_target_stddev (Hz).

    Raises VoxtabError tool-missing.
    """

    def __init__(self, voice: str) -> None:
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        library = flite_library("libflite.so.1")
        flite_function(library, "flite_init", ctypes.c_int)()
        flite_library("libflite_usenglish.so.1")
        flite_library("libflite_cmulex.so.1")
        voices = flite_library(f"libflite_cmu_us_{voice}.so.1")
        self._voice = flite_function(voices, f"register_cmu_us_{voice}", pointer, pointer)(None)
        self._features = ctypes.cast(self._voice, ctypes.POINTER(_Voice)).contents.features
        self._set = flite_function(library, "feat_set_float", None, pointer, text, ctypes.c_float)
        self._synthesize = flite_function(library, "flite_synth_text", pointer, text, pointer)
        self._wave = flite_function(library, "utt_wave", pointer, pointer)
        self._relation = flite_function(library, "utt_relation", pointer, pointer, text)
        self._head = flite_function(library, "relation_head", pointer, pointer)
        self._next = flite_function(library, "item_next", pointer, pointer)
        self._path = flite_function(library, "path_to_item", pointer, pointer, text)
        self._string = flite_function(library, "item_feat_string", text, pointer, text)
        self._float = flite_function(library, "item_feat_float", ctypes.c_float, pointer, text)
        self._delete = flite_function(library, "delete_utterance", None, pointer)

    def say(self, text: str, features: Mapping[str, float]) -> Spoken | None:
        """The text's sound and words; None where flite gives none. Features stay set. Raises KeyError for others."""
        for name, value in features.items():
            self._set(self._features, _FEATURES[name], value)
        utterance = self._synthesize(text.encode("ascii"), self._voice)
        if not utterance:
            return None
        try:
            wave = ctypes.cast(self._wave(utterance), ctypes.POINTER(_Wave)).contents
            samples = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).copy()
            segments: list[tuple[float, int | None, str]] = []
            item = self._head(self._relation(utterance, b"Segment"))
            while item:
                word = self._path(item, _WORD_PATH)
                # The relation's items differ by path; the name and the item together tell words apart.
                name = self._string(word, b"name").decode("ascii", "replace") if word else ""
                segments.append((float(self._float(item, b"end")), word, name))
                item = self._next(item)
            return spoken_from_segments(samples, int(wave.sample_rate), segments)
        finally:
            self._delete(utterance)
