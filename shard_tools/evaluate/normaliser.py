"""Makes texts comparable: what counts as the same word. Both sides go through it before they are scored.

The rules are Whisper's (Radford et al. 2022, appendix C), from the package whisper-normalizer.
"""

from collections.abc import Callable
from typing import Final, Literal, get_args

from whisper_normalizer.basic import BasicTextNormalizer  # type: ignore[import-untyped]
from whisper_normalizer.english import EnglishTextNormalizer  # type: ignore[import-untyped]

from voxtab.errors import VoxtabError

NormaliserName = Literal["english", "basic", "letters", "none"]
Normaliser = Callable[[str], str]


def find_normaliser(name: str) -> Normaliser:
    """The normaliser of that name; what it returns has one space between words and none around them.

    english: numbers as digits, contractions written out, one spelling, no fillers ("um"), case or punctuation. Digits
    said one by one become one number ("one two" is 12), so counts of words differ from the other normalisers'.
    basic: any language; no case, punctuation, symbols or bracketed remarks. letters: the same, each letter a word, for
    writing without spaces (Chinese, Japanese, Thai). none: as it is. Raises VoxtabError option-invalid.
    """
    if name not in get_args(NormaliserName):
        raise VoxtabError(
            "option-invalid",
            f"{name!r} is no normaliser.",
            f"Choose from {', '.join(get_args(NormaliserName))}.",
        )
    rules = _RULES[name]()
    return lambda text: " ".join(rules(text).split())


# Marks are kept: without them Hindi and Arabic would lose vowels.
_RULES: Final[dict[str, Callable[[], Normaliser]]] = {
    "english": lambda: EnglishTextNormalizer(),
    "basic": lambda: BasicTextNormalizer(preserve_marks=True),
    "letters": lambda: BasicTextNormalizer(split_letters=True, preserve_marks=True),
    "none": lambda: str,
}
