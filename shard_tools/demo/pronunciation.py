"""Phonemes of a word in flite's US lexicon: one set of labels for all voices."""

import ctypes
from collections.abc import Callable
from functools import cache

from shard_tools.demo.flite import flite_function, flite_library

Pronounce = Callable[[str], tuple[str, ...]]
"""A word's phonemes, vowels with a stress digit: turn -> t er1 n."""


@cache
def pronounce(word: str) -> tuple[str, ...]:
    """Phonemes of a lower-case word; letter-to-sound rules for one that the lexicon lacks.

    Raises VoxtabError tool-missing.
    """
    flite = flite_library("libflite.so.1")
    first = flite_function(flite, "val_car", ctypes.c_void_p, ctypes.c_void_p)
    rest = flite_function(flite, "val_cdr", ctypes.c_void_p, ctypes.c_void_p)
    text = flite_function(flite, "val_string", ctypes.c_char_p, ctypes.c_void_p)
    delete = flite_function(flite, "delete_val_list", None, ctypes.c_void_p)
    look_up = flite_function(
        flite,
        "lex_lookup",
        ctypes.c_void_p,
        *(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p),
        ctypes.c_void_p,
    )
    phones: list[str] = []
    values = cell = look_up(_lexicon(), word.encode(), None, None)
    while cell:
        phones.append(text(first(cell)).decode())
        cell = rest(cell)
    delete(values)
    return tuple(phones)


@cache
def _lexicon() -> int:
    library = flite_library("libflite_cmulex.so.1")
    address: int = flite_function(library, "cmu_lex_init", ctypes.c_void_p)()
    return address


def plain(phones: tuple[str, ...]) -> tuple[str, ...]:
    """Phonemes without stress, the reduced vowels counted as their full ones."""
    merged = {"ax": "ah", "ix": "ih", "axr": "er"}
    bare = (phone.rstrip("012") for phone in phones)
    return tuple(merged.get(phone, phone) for phone in bare)


def british(phones: tuple[str, ...]) -> tuple[str, ...]:
    """Roughly what is left where r is dropped after a vowel and the open back vowels have merged."""
    vowels = "aeiou"
    kept: list[str] = []
    bare = plain(phones)
    for index, phone in enumerate(bare):
        follower = bare[index + 1] if index + 1 < len(bare) else "#"
        if phone == "r" and follower[0] not in vowels:
            continue
        kept.append({"er": "ah", "aa": "ao"}.get(phone, phone))
    return tuple(kept)
