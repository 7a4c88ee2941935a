"""Word times: token k of a transcript stands for the sound around k x 80 ms, so every word has a time for free."""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

from voxtab.formats.tekken import Tekken

TOKEN_S = 0.08

# Only ends are marked by the model. A start is the end less a usual length for so many letters, and never before the
# end of the word before.
_SHORTEST_S = 0.1
_LETTER_S = 0.06
# Tokens without text after which nothing more is expected of a word; a comma or an ending comes within fewer.
_SETTLED_AFTER = 12


@dataclass(frozen=True)
class Word:
    """Times in seconds from the start of the sound."""

    text: str
    start: float
    end: float

    def to_json(self) -> dict[str, str | float]:
        return {"text": self.text, "start": round(self.start, 3), "end": round(self.end, 3)}


class WordFinder:
    """Words of a stream of tokens, each given once it is finished: when the next one begins, when nothing was added to it
    for a second, or when the stream ends.

    A word begins at a text token that starts with a space. Its first token comes one step after the word ended:
    between (k - 1) x 80 ms, as measured on the released model, and k x 80 ms - 30 ms, on small trained ones.

    start_s: where token 0 lies in the whole sound. previous_end_s: that of the word before, which no word goes behind.
    """

    def __init__(self, tekken: Tekken, start_s: float = 0.0, previous_end_s: float = 0.0) -> None:
        self._tekken = tekken
        self._start_s = start_s
        self._previous_end_s = previous_end_s
        self._tokens = 0
        self._spelled = bytearray()
        self._began = 0
        self._silent = 0

    def push(self, token: int, audio_s: float) -> Word | None:
        """The word that this token finishes. `audio_s`: how long the whole sound is so far; no word ends after it."""
        piece = self._tekken.token_bytes(token)
        self._tokens += 1
        self._silent = 0 if piece else self._silent + 1
        found = None
        if piece.startswith(b" ") or (self._silent == _SETTLED_AFTER and _is_whole(self._spelled)):
            found = self.finish(audio_s)
        if piece:
            if not self._spelled:
                self._began = self._tokens - 1
            self._spelled.extend(piece)
        return found

    def finish(self, audio_s: float) -> Word | None:
        """The word that was begun, if there is one: no more of it comes."""
        text = self._spelled.decode("utf-8", "replace").strip()
        self._spelled.clear()
        if not text:
            return None
        previous = self._previous_end_s
        marked = self._start_s + (self._began - 0.5) * TOKEN_S
        end = min(max(marked, previous), max(audio_s, previous))
        self._previous_end_s = end
        return Word(text, max(previous, end - _SHORTEST_S - _LETTER_S * len(text)), end)


def words(tekken: Tekken, tokens: Sequence[int], audio_s: float) -> list[Word]:
    """The words of a whole transcript. `tokens` are all generated ids in order, special ones included: a token's index
    is its time."""
    finder = WordFinder(tekken)
    found = [finder.push(token, audio_s) for token in tokens]
    found.append(finder.finish(audio_s))
    return [word for word in found if word is not None]


def _is_whole(spelled: bytearray) -> bool:
    """Whether no character is left incomplete at the end."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(bytes(spelled))
    return not decoder.getstate()[0]
