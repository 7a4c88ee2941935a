"""Cuts a long text where a speaker would breathe: into utterances of whole sentences."""

# ruff: noqa: RUF001  (the marks of many scripts look like those of others)

import re
from collections.abc import Iterator

# A sentence's end: its mark, whatever closes behind it, and a space; marks of scripts that use no space need none.
# A line break ends one too.
_SENTENCE = re.compile(
    r"""(?: [.!?…‥؟۔।॥]+ ["'”’»)\]]* (?=\s)
          | [。！？]+ [”’」』）]*
          | (?=\n) )""",
    re.VERBOSE,
)
# A point behind these ends no sentence.
_ABBREVIATED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Mt|Jr|Sr|No|vs|etc|approx|e\.g|i\.e|z\.B|d\.h|bzw|M|Mme|Sra?|Dra?)|\b\w)\.$"
)
# Where a sentence too long to be one utterance is cut, best first.
_PAUSES = (re.compile(r"[;:—–]\s|[；：]"), re.compile(r",\s|[，、،]"), re.compile(r"\s"))


def utterances(text: str, longest: int) -> list[str]:
    """Pieces of `text` of at most `longest` characters, trimmed, none empty; joined by spaces they are the text, but for
    the white space between them. Neighbouring sentences share a piece while they fit."""
    pieces: list[str] = []
    for sentence in _sentences(text):
        for part in _parts(sentence, longest):
            if pieces and len(pieces[-1]) + 1 + len(part) <= longest:
                pieces[-1] += " " + part
            else:
                pieces.append(part)
    return pieces


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for match in _SENTENCE.finditer(text):
        sentence = text[start : match.end()]
        if _ABBREVIATED.search(sentence):
            continue
        if sentence.strip():
            yield sentence.strip()
        start = match.end()
    if text[start:].strip():
        yield text[start:].strip()


def _parts(sentence: str, longest: int) -> Iterator[str]:
    """The sentence, cut at the last pause that fits as long as it is too long; in the middle of a word if it must be."""
    while len(sentence) > longest:
        ends = (_last_end(pause, sentence, longest) for pause in _PAUSES)
        cut = next((end for end in ends if end), longest)
        if part := sentence[:cut].strip():
            yield part
        sentence = sentence[cut:].strip()
    if sentence:
        yield sentence


def _last_end(pause: re.Pattern[str], sentence: str, longest: int) -> int:
    return max((match.end() for match in pause.finditer(sentence, 0, longest)), default=0)
