"""What is said: natural sentences, words in random order, and words outside the vocabulary; seeded and balanced."""

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from shard_tools.demo.words import VOCABULARY, WORDS

TEMPLATES: Final[tuple[str, ...]] = (
    "hello",
    "hello world",
    "hello my name is {foreign}",
    "my name is {foreign}",
    "hello how are you",
    "how are you today",
    "how is the weather {day}",
    "good {daytime}",
    "good {daytime} how are you",
    "good {daytime} my friend",
    "thank you",
    "thank you my friend",
    "yes please",
    "no thanks",
    "okay thanks",
    "sorry {weekday} is no good",
    "welcome {day}",
    "goodbye {person}",
    "this is a test",
    "this is my {home}",
    "this is the {noun}",
    "this is my {person} {foreign}",
    "this is a {quality} {noun}",
    "testing {digit} {digit} {digit}",
    "test the {device}",
    "turn {on_off} the {switchable}",
    "turn the {switchable} {on_off}",
    "turn it {on_off} please",
    "please turn {on_off} the {room} light",
    "turn {side} and {side} again",
    "open the {opening}",
    "close the {opening} please",
    "start the {playable}",
    "stop the {playable}",
    "pause the {playable} please",
    "play the next {playable}",
    "play {quality} music",
    "please play my {playable}",
    "play it again",
    "cancel the {switchable}",
    "cancel my {weekday} {daytime} alarm",
    "call my {person}",
    "call {foreign}",
    "call the {place} {day}",
    "send the {message}",
    "send my {person} a {message}",
    "help my {person} please",
    "what is the time",
    "what time is it",
    "what is the weather {day}",
    "what is my name",
    "what is this",
    "what is {number} and {number}",
    "what colour is the {noun}",
    "the {noun} is {colour}",
    "the {home} is {colour} and {colour}",
    "the {noun} is {quality}",
    "the {foreign} is {colour}",
    "the {room} and the {room}",
    "{colour} {noun}",
    "{colour} and {colour}",
    "{colour} {foreign}",
    "{number}",
    "{number} {foreign}",
    "{digit} {digit} {digit}",
    "{digit} {digit} {digit} {digit}",
    "{digit} {digit} {digit} {digit} {digit} {digit}",
    "{digit} hundred and {number}",
    "{digit} thousand {digit} hundred",
    "{tens} {minutes}",
    "{number} minutes",
    "start a timer {tens} minutes",
    "{month} {teen}",
    "{month} {tens} {digit}",
    "{weekday} {daytime}",
    "{weekday} {month} {teen}",
    "today is {weekday}",
    "tomorrow is {weekday} {month} {digit}",
    "yesterday {daytime}",
    "next {weekday} {daytime}",
    "{food} and {food} please",
    "{food} please",
    "a {foreign} and a {food}",
    "the {opening} is {side}",
    "my {person} and my {animal}",
    "i love {food}",
    "i love my {animal}",
    "speech and voice",
    "the computer and the microphone",
    "the {device} is {on_off}",
    "english language",
    "love the music",
)
"""A slot is a theme of the vocabulary, one of _SLOTS, or a word outside the vocabulary."""

_SLOTS: Final[Mapping[str, tuple[str, ...]]] = {
    "on_off": ("on", "off"),
    "side": ("left", "right", "up", "down"),
    "switchable": ("light", "lamp", "radio", "music", "computer", "alarm", "timer"),
    "playable": ("music", "song", "video", "radio", "message"),
    "opening": ("door", "window", "browser", "house", "school"),
    "room": ("kitchen", "garden", "house", "table", "door"),
    "device": ("microphone", "computer", "browser", "radio", "voice", "speech"),
    "person": ("friend", "doctor", "family"),
    "place": ("doctor", "school", "city", "house"),
    "message": ("email", "message", "picture", "video"),
    "animal": ("cat", "dog"),
    "minutes": ("minutes",),
    "number": tuple(word for theme in ("digit", "teen", "tens") for word in VOCABULARY[theme]),
}
_NATURAL: Final = 0.25
_FOREIGN_ONLY: Final = 0.04  # a few of the mixed ones become so by chance
_LENGTHS: Final = (0.13, 0.21, 0.21, 0.17, 0.12, 0.08, 0.04, 0.025, 0.015)  # of 1 to 9 words
_FOREIGN_PHRASE_LENGTHS: Final = (0.35, 0.35, 0.2, 0.1)
_MIXED: Final = 0.56  # of the phrases in random order
_FOREIGN_IN_MIXED: Final = 0.48
_PAUSED: Final = 0.2
_PAUSE: Final = 0.4
_CANDIDATES: Final = 8
# Of all word sequences, those kept for validation and tests: one in this many, by their text alone.
_KEPT_OUT: Final = 16
_ARTICLES: Final = frozenset(("a", "i", "colour"))  # of templates; outside the vocabulary

_WORD_SET: Final = frozenset(WORDS)


@dataclass(frozen=True)
class PhraseText:
    """Words, and whether a pause follows each."""

    words: tuple[str, ...]
    pauses: tuple[bool, ...]

    @property
    def text(self) -> str:
        """As given to a synthesizer, a comma for a pause."""
        pairs = zip(self.words, self.pauses, strict=True)
        return " ".join(word + "," * pause for word, pause in pairs)

    @property
    def known(self) -> tuple[bool, ...]:
        """Which words are of the vocabulary."""
        return tuple(word in _WORD_SET for word in self.words)


def kept_for_tests(words: Sequence[str]) -> bool:
    """Whether this sequence of two or more words is for validation and tests, never for training."""
    return len(words) >= 2 and zlib.crc32(" ".join(words).encode()) % _KEPT_OUT == 0


class PhraseSource:
    """Draws phrases: of training, or for tests (vocabulary only, sequences that training never has).

    Words that have been drawn less often are preferred, so that all become about equally frequent; call `said`
    for each phrase that a synthesizer could say.
    """

    def __init__(self, generator: np.random.Generator, foreign: Sequence[str], training: bool) -> None:
        self._generator = generator
        self._foreign = tuple(foreign)
        self._training = training
        self._counts: Counter[str] = Counter()
        self._slots = {**VOCABULARY, **_SLOTS}
        self._templates = [template for template in TEMPLATES if training or not _template_foreign(template)]

    def draw(self) -> PhraseText:
        """The next phrase."""
        while True:
            kind = self._generator.random()
            if kind < _NATURAL:
                words = self._natural()
            elif self._training and kind < _NATURAL + _FOREIGN_ONLY:
                words = self._pick_foreign(1 + int(self._generator.choice(4, p=_FOREIGN_PHRASE_LENGTHS)))
            else:
                words = self._random_order()
            if self._allowed(words):
                return self._with_pauses(words)

    def draw_foreign(self) -> PhraseText:
        """A short phrase of words outside the vocabulary alone."""
        return self._with_pauses(self._pick_foreign(1 + int(self._generator.choice(3, p=(0.4, 0.4, 0.2)))))

    def said(self, phrase: PhraseText) -> None:
        """Count the phrase's words as heard."""
        self._counts.update(phrase.words)

    def _allowed(self, words: Sequence[str]) -> bool:
        """Whether the split may have this sequence; a single word may be of any."""
        if len(words) >= 2:
            return kept_for_tests(words) != self._training
        # As rare among the tests' phrases as among those of training.
        return self._training or self._generator.random() < 1 / _KEPT_OUT

    def _natural(self) -> tuple[str, ...]:
        template = self._templates[int(self._generator.integers(len(self._templates)))]
        words: list[str] = []
        for part in template.split():
            if not part.startswith("{"):
                words.append(part)
            elif part == "{foreign}":
                words += self._pick_foreign(1)
            else:
                words.append(self._rare(self._slots[part[1:-1]]))
        return tuple(words)

    def _random_order(self) -> tuple[str, ...]:
        length = 1 + int(self._generator.choice(len(_LENGTHS), p=_LENGTHS))
        mixed = self._training and length > 1 and self._generator.random() < _MIXED
        words: list[str] = []
        for _ in range(length):
            if mixed and self._generator.random() < _FOREIGN_IN_MIXED:
                words += self._pick_foreign(1)
            else:
                words.append(self._rare(WORDS))
        return tuple(words)

    def _rare(self, words: Sequence[str]) -> str:
        """The least heard of a few drawn at random."""
        drawn = [words[int(index)] for index in self._generator.integers(len(words), size=_CANDIDATES)]
        return min(drawn, key=lambda word: self._counts[word])

    def _pick_foreign(self, count: int) -> tuple[str, ...]:
        drawn: list[str] = []
        for _ in range(count):
            few = [
                self._foreign[int(index)] for index in self._generator.integers(len(self._foreign), size=4)
            ]
            drawn.append(min(few, key=lambda word: self._counts[word]))
        return tuple(drawn)

    def _with_pauses(self, words: tuple[str, ...]) -> PhraseText:
        paused = self._generator.random() < _PAUSED
        pauses = [paused and bool(self._generator.random() < _PAUSE) for _ in words[1:]]
        return PhraseText(words, (*pauses, False))


def _template_foreign(template: str) -> bool:
    return any(part == "{foreign}" or part in _ARTICLES for part in template.split())
