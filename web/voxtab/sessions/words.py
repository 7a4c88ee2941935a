"""Word times: token k of a transcript stands for the sound around k x 80 ms, so every word has a time for free."""

from collections.abc import Sequence
from dataclasses import dataclass

from voxtab.formats.tekken import Tekken

TOKEN_S = 0.08

# Only ends are marked by the model. A start is the end less a usual length for so many letters, and never before the
# end of the word before.
_SHORTEST_S = 0.1
_LETTER_S = 0.06


@dataclass(frozen=True)
class Word:
    """Times in seconds from the start of the sound."""

    text: str
    start: float
    end: float

    def to_json(self) -> dict[str, str | float]:
        return {"text": self.text, "start": round(self.start, 3), "end": round(self.end, 3)}


def words(tekken: Tekken, tokens: Sequence[int], audio_s: float) -> list[Word]:
    """The words of a transcript. `tokens` are all generated ids in order, special ones included: a token's index is
    its time.

    A word begins at a text token that starts with a space. Its first token comes one step after the word ended:
    between (k - 1) x 80 ms, as measured on the released model, and k x 80 ms - 30 ms, on small trained ones.
    """
    groups: list[tuple[int, bytearray]] = []
    for k, token in enumerate(tokens):
        piece = tekken.token_bytes(token)
        if not piece:
            continue
        if not groups or piece.startswith(b" "):
            groups.append((k, bytearray()))
        groups[-1][1].extend(piece)
    found: list[Word] = []
    previous = 0.0
    for k, spelled in groups:
        text = spelled.decode("utf-8", "replace").strip()
        if not text:
            continue
        end = min(max((k - 0.5) * TOKEN_S, previous), max(audio_s, previous))
        start = max(previous, end - _SHORTEST_S - _LETTER_S * len(text))
        found.append(Word(text, start, end))
        previous = end
    return found
