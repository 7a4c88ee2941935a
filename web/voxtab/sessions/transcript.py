"""The text and the words of a long session, in little more memory than the letters take."""

import sys
from array import array

from voxtab.sessions.words import Word


class Transcript:
    """Grows at its end only. A word is an object while it is looked at: a day has a hundred thousand of them."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._spelled = bytearray()
        self._spelled_ends = array("L")
        self._times = array("d")

    @property
    def text(self) -> str:
        return self._text.decode()

    @property
    def nbytes(self) -> int:
        """Of memory."""
        return sum(map(sys.getsizeof, (self._text, self._spelled, self._spelled_ends, self._times)))

    @property
    def length(self) -> int:
        """Of the text so far, for `text_between`."""
        return len(self._text)

    @property
    def end_s(self) -> float:
        """When the last word ended; 0 before the first."""
        return self._times[-1] if self._times else 0.0

    def text_between(self, start: int, end: int) -> str:
        """What was appended while the length went from `start` to `end`."""
        return self._text[start:end].decode()

    def append(self, text: str) -> None:
        self._text.extend(text.encode())

    def add(self, word: Word) -> None:
        self._spelled.extend(word.text.encode())
        self._spelled_ends.append(len(self._spelled))
        self._times.extend((word.start, word.end))

    def words(self) -> list[Word]:
        found = []
        begin = 0
        for k, end in enumerate(self._spelled_ends):
            text = self._spelled[begin:end].decode()
            found.append(Word(text, self._times[2 * k], self._times[2 * k + 1]))
            begin = end
        return found
