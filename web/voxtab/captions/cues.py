"""Words grouped as subtitles usually are: two lines of at most 42 characters, shown for one to seven seconds, changing
where the speaker pauses or a sentence ends."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from voxtab.sessions.words import Word

LINE_LENGTH = 42
LINES = 2
SHORTEST_S = 1.0
LONGEST_S = 7.0
LETTERS_A_SECOND = 20.0
PAUSE_S = 0.8
# Between two cues, so that a change is seen as one: two frames of film.
GAP_S = 0.08

_BRIEFEST_S = 0.04  # words that were written at once have no time of their own
_CLOSING = r"[\"'\u201d\u2019)\]]"
_SENTENCE_END = re.compile(rf"[.?!\u2026\u3002\uff1f\uff01]{_CLOSING}*$")
_CLAUSE_END = re.compile(rf"[,;:\u3001\uff0c\uff1b\uff1a]{_CLOSING}*$")
_ATTACHED = re.compile(rf"([.,;:?!%\u2026\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f]|{_CLOSING})+$")


@dataclass(frozen=True)
class Cue:
    """Times in seconds from the start of the sound; a cue has ended when the next one starts."""

    start: float
    end: float
    lines: tuple[str, ...]


def cues(words: Sequence[Word]) -> list[Cue]:
    """Cues of all words, which are in the order of their times."""
    groups = _groups(words)
    found: list[Cue] = []
    for k, group in enumerate(groups):
        text = joined(group)
        start = max(group[0].start, found[-1].end if found else 0.0)
        # Long enough to be read, if the next one leaves the time.
        readable = start + min(LONGEST_S, max(SHORTEST_S, len(text) / LETTERS_A_SECOND))
        if k + 1 < len(groups):
            readable = min(readable, groups[k + 1][0].start - GAP_S)
        end = max(group[-1].end, readable, start + _BRIEFEST_S)
        found.append(Cue(start, end, _lines(text)))
    return found


def joined(words: Sequence[Word]) -> str:
    """The words' text. Punctuation that was written late, as a word of its own, goes to the word before."""
    text = ""
    for word in words:
        piece = " ".join(word.text.split())
        text += piece if not text or _ATTACHED.match(piece) else " " + piece
    return text


def _groups(words: Sequence[Word]) -> list[list[Word]]:
    groups: list[list[Word]] = []
    group: list[Word] = []
    for word in (piece for whole in words for piece in _pieces(whole)):
        if group and _begins_anew(group, word):
            groups.append(group)
            group = []
        while group and not _fits([*group, word]):
            kept = _clause(group)
            groups.append(group[:kept])
            group = group[kept:]
        group.append(word)
    return [*groups, group] if group else groups


def _pieces(word: Word) -> Iterator[Word]:
    """Words a line has room for. Languages written without spaces have whole phrases between two of them."""
    count = -(-len(word.text) // LINE_LENGTH)
    size = -(-len(word.text) // max(1, count))
    second = (word.end - word.start) / max(1, count)
    for k in range(count):
        text = word.text[k * size : (k + 1) * size]
        yield Word(text, word.start + k * second, word.start + (k + 1) * second)


def _begins_anew(group: Sequence[Word], word: Word) -> bool:
    last = group[-1]
    if _ATTACHED.match(word.text):
        return False
    sentence_over = _SENTENCE_END.search(last.text) and last.end - group[0].start >= SHORTEST_S
    return bool(sentence_over) or word.start - last.end >= PAUSE_S


def _fits(group: Sequence[Word]) -> bool:
    return group[-1].end - group[0].start <= LONGEST_S and len(_lines(joined(group))) <= LINES


def _clause(group: Sequence[Word]) -> int:
    """How many words of a full group to show first: up to a clause's end in its second half, else all."""
    for kept in range(len(group) - 1, len(group) // 2, -1):
        if _CLAUSE_END.search(group[kept - 1].text):
            return kept
    return len(group)


def _lines(text: str) -> tuple[str, ...]:
    """Lines of at most LINE_LENGTH; if they are two, about as long as each other."""
    pieces = text.split(" ")
    lines = [""]
    for piece in pieces:
        longer = f"{lines[-1]} {piece}".strip()
        if len(longer) <= LINE_LENGTH:
            lines[-1] = longer
        else:
            lines.append(piece)
    if len(lines) != LINES:
        return tuple(lines)
    splits = [(" ".join(pieces[:k]), " ".join(pieces[k:])) for k in range(1, len(pieces))]
    return min(splits, key=lambda split: max(map(len, split)))
