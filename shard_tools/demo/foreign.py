"""Words outside the vocabulary, so that the model learns to write nothing for them.

Half of the test words are frequent ones, half drawn from Debian's word list; none of them is a training word.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from shard_tools.demo.frequent import FREQUENT
from shard_tools.demo.pronunciation import Pronounce, british, plain
from shard_tools.demo.words import WORDS
from voxtab.errors import VoxtabError

DICTIONARY: Final = Path("/usr/share/dict/american-english")
TRAINING_WORDS: Final = 3000
TEST_WORDS: Final = 300
_SEED: Final = 20_803  # fixed: a test word stays a test word whatever the corpus's seed
_WORD: Final = re.compile(r"[a-z]{3,10}")
_ENDINGS: Final = ("s", "es", "d", "ed", "ing", "er", "est", "ly")


@dataclass(frozen=True)
class Foreign:
    """Words of training and of testing; disjoint, also in sound."""

    training: tuple[str, ...]
    test: tuple[str, ...]


def read_dictionary(path: Path = DICTIONARY) -> list[str]:
    """Lower-case words of 3 to 10 letters a to z with a vowel, in the file's order.

    Raises VoxtabError tool-missing when the file is not there.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise VoxtabError(
            "tool-missing", f"The word list {path} cannot be read.", "Install it: apt install wamerican"
        ) from error
    return [line for line in lines if _WORD.fullmatch(line) and re.search("[aeiouy]", line)]


class Filter:
    """Tells which words a listener could not take for one of the vocabulary."""

    def __init__(self, pronounce: Pronounce, vocabulary: Sequence[str] = WORDS) -> None:
        self._pronounce = pronounce
        self._words = frozenset(vocabulary)
        self._inflections = frozenset(form for word in vocabulary for form in _inflections(word))
        sounds = [pronounce(word) for word in vocabulary]
        self._same = {plain(sound) for sound in sounds} | {british(sound) for sound in sounds}
        self._runs = [f" {' '.join(plain(sound))} " for sound in sounds if len(sound) >= 3]

    def accepts(self, word: str) -> bool:
        """Neither of the vocabulary, nor its inflection, nor sounding like it, nor containing its sound.

        Vocabulary words of one or two phonemes may be contained.
        """
        if word in self._words or word in self._inflections:
            return False
        if any(form in self._words for form in _inflections(word)):
            return False
        sound = self._pronounce(word)
        if len(sound) < 2 or plain(sound) in self._same or british(sound) in self._same:
            return False
        text = f" {' '.join(plain(sound))} "
        return not any(run in text for run in self._runs)


def choose_foreign(dictionary: Sequence[str], pronounce: Pronounce) -> Foreign:
    """The same words for the same dictionary and lexicon.

    Raises VoxtabError tool-missing when the dictionary is too small to choose from.
    """
    accepts = Filter(pronounce).accepts
    generator = np.random.default_rng(_SEED)
    frequent = _shuffled((word for word in dict.fromkeys(FREQUENT) if accepts(word)), generator)
    half = TEST_WORDS // 2
    known = frozenset(FREQUENT)
    drawn: list[str] = []
    wanted = TRAINING_WORDS + half  # more than enough: the frequent ones fill a part of it
    for word in _shuffled((word for word in dictionary if word not in known), generator):
        if len(drawn) == wanted:
            break
        if accepts(word):
            drawn.append(word)
    test = (*frequent[:half], *drawn[:half])
    heard = {plain(pronounce(word)) for word in test}
    training = [word for word in (*frequent[half:], *drawn[half:]) if plain(pronounce(word)) not in heard]
    if len(training) < TRAINING_WORDS:
        raise VoxtabError(
            "tool-missing",
            f"The word list has {len(dictionary)} usable words, too few to choose from.",
            "Use that of Debian's wamerican.",
        )
    return Foreign(tuple(training[:TRAINING_WORDS]), test)


def _shuffled(words: Iterable[str], generator: np.random.Generator) -> list[str]:
    listed = list(words)
    return [listed[index] for index in generator.permutation(len(listed))]


def _inflections(word: str) -> set[str]:
    stems = {word} if word[-1] in "aeiouwxy" else {word, word + word[-1]}
    if word.endswith("e"):
        stems.add(word[:-1])
    if word.endswith("y"):
        stems.add(word[:-1] + "i")
    return {stem + ending for stem in stems for ending in _ENDINGS}
