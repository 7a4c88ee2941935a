"""The closed vocabulary of the demo model: what a visitor would say to a demo.

No two words sound the same in any accent used (so "four" but not "for"), none is a single phoneme.
"""

from collections.abc import Mapping
from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


VOCABULARY: Final[Mapping[str, tuple[str, ...]]] = {
    "digit": _words("zero one two three four five six seven eight nine"),
    "teen": _words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"),
    "tens": _words("twenty thirty forty fifty sixty seventy eighty ninety"),
    "large": _words("hundred thousand"),
    "weekday": _words("monday tuesday wednesday thursday friday saturday sunday"),
    "month": _words("january february march april june july august september october november december"),
    "colour": _words("red orange yellow green blue purple pink brown black white"),
    "greeting": _words("hello goodbye welcome"),
    "courtesy": _words("yes no okay please thanks thank you sorry"),
    "daytime": _words("morning afternoon evening night"),
    "day": _words("today tomorrow yesterday"),
    "function": _words("how are my name is this what the time it and"),
    "demo": _words("test testing microphone computer browser speech voice language english"),
    "command": _words("play stop start pause open close turn cancel call send help"),
    "direction": _words("on off up down left right next again"),
    "media": _words("music song video picture weather radio timer alarm minutes email message"),
    "home": _words("light lamp door window kitchen house garden table"),
    "food": _words("water coffee apple banana chocolate breakfast"),
    "noun": _words("world cat dog family friend doctor school city river mountain"),
    "quality": _words("good happy beautiful louder quiet love"),
}
"""Theme to its words; a word belongs to one theme."""

WORDS: Final[tuple[str, ...]] = tuple(sorted(word for words in VOCABULARY.values() for word in words))
