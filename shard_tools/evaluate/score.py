"""Word and character errors: the alignment with the fewest edits, as jiwer finds it."""

from dataclasses import dataclass

import jiwer


@dataclass(frozen=True)
class Counts:
    """Edits that make a reference of a hypothesis. Counts add up over recordings; rates do not."""

    hits: int = 0
    substitutions: int = 0
    insertions: int = 0
    deletions: int = 0

    @property
    def reference(self) -> int:
        """Words or characters that should have been written."""
        return self.hits + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        return self.substitutions + self.insertions + self.deletions

    @property
    def rate(self) -> float | None:
        """Errors per reference word or character (above 1 when much is inserted); None when there is none of these."""
        return self.errors / self.reference if self.reference else None

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
        )


def count_words(reference: str, hypothesis: str) -> Counts:
    """Words are what spaces separate; both texts are normalised already."""
    return _counts(jiwer.process_words(reference, hypothesis))


def count_characters(reference: str, hypothesis: str) -> Counts:
    """A space between words is a character too, as in jiwer's CER."""
    return _counts(jiwer.process_characters(reference, hypothesis))


def _counts(output: "jiwer.WordOutput | jiwer.CharacterOutput") -> Counts:
    return Counts(output.hits, output.substitutions, output.insertions, output.deletions)
