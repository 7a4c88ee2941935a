"""Tekken, text to token ids: byte pairs merged by rank within each piece of the text.

An entry's place in the vocabulary is its rank. A piece that is an entry is one token; any other starts as its
single bytes (the first 256 entries), and as long as two neighbours joined are an entry, the two of the lowest
rank are, the leftmost of equals. What tiktoken does, which mistral-common encodes with.
"""

from heapq import heapify, heappop, heappush

from voxtab.formats.tekken_split import split

__all__ = ["TekkenEncoder"]

SINGLE_BYTES = [bytes([byte]) for byte in range(256)]


class TekkenEncoder:
    """Made from the bytes of all entries in order of their rank."""

    def __init__(self, entries: list[bytes], *, special_tokens: int) -> None:
        """Ids are ranks after `special_tokens`. ValueError if an entry is there twice or not every byte first."""
        self._ranks = {entry: rank for rank, entry in enumerate(entries)}
        self._special_tokens = special_tokens
        if entries[:256] != SINGLE_BYTES:
            raise ValueError("its first 256 entries are not the single bytes")
        if len(self._ranks) != len(entries):
            raise ValueError("it has an entry twice")

    def encode(self, text: str) -> list[int]:
        """Half of a surrogate pair, which no UTF-8 can hold, counts as U+FFFD."""
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        ranks: list[int] = []
        for piece in map(str.encode, split(text)):
            rank = self._ranks.get(piece)
            if rank is None:
                ranks += self._merged(piece)
            else:
                ranks.append(rank)
        return [rank + self._special_tokens for rank in ranks]

    def _merged(self, piece: bytes) -> list[int]:
        """Ranks of the parts of a piece. O(n log n) for n bytes: no merge looks at more than its neighbours."""
        ranks, size = self._ranks, len(piece)
        end = list(range(1, size + 1))  # where the part ends that starts here; 0 where none does any more
        before = list(range(-1, size))  # where the part starts that ends where this one starts
        pairs = [
            (rank, start, start + 2)
            for start in range(size - 1)
            if (rank := ranks.get(piece[start : start + 2])) is not None
        ]
        heapify(pairs)
        while pairs:  # the lowest rank first, the leftmost of equals; a pair may be gone when its turn comes
            _, start, stop = heappop(pairs)
            middle = end[start]
            if not start < middle < stop or end[middle] != stop:
                continue
            end[start], end[middle], before[stop] = stop, 0, start
            for left, right in ((before[start], stop), (start, end[stop] if stop < size else 0)):
                if left >= 0 and right and (rank := ranks.get(piece[left:right])) is not None:
                    heappush(pairs, (rank, left, right))
        merged, start = [], 0
        while start < size:
            merged.append(ranks[piece[start : end[start]]])
            start = end[start]
        return merged
