"""Word and character errors of `voxtab-shards eval`."""

from __future__ import annotations

from functools import cache

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shard_tools.evaluate.score import Counts, count_characters, count_words


# From jiwer's documentation, the usual textbook pair, and what is easily got wrong.
@pytest.mark.parametrize(
    ("reference", "hypothesis", "counts"),
    [
        ("hello world", "hello duck", Counts(1, 1, 0, 0)),
        ("the cat sat on the mat", "the cat sit on mat", Counts(4, 1, 0, 1)),
        ("turn it on", "please turn it on", Counts(3, 0, 1, 0)),
        ("", "", Counts()),
        ("", "two words", Counts(0, 0, 2, 0)),
        ("two words", "", Counts(0, 0, 0, 2)),
        ("a a a", "a", Counts(1, 0, 0, 2)),
    ],
)
def test_words_are_counted_as_by_hand(reference: str, hypothesis: str, counts: Counts) -> None:
    assert count_words(reference, hypothesis) == counts


def test_kitten_and_sitting_differ_in_three_characters() -> None:
    assert count_characters("kitten", "sitting") == Counts(4, 2, 1, 0)
    assert count_characters("kitten", "sitting").rate == 3 / 6


def test_a_rate_without_a_reference_is_none_and_not_a_division_by_zero() -> None:
    assert count_words("", "what").rate is None
    assert count_words("no", "what was that").rate == 3.0


WORDS = st.lists(st.sampled_from("abcd"), max_size=8).map(" ".join)


@given(WORDS, WORDS)
def test_errors_are_the_fewest_edits(reference: str, hypothesis: str) -> None:
    wanted, written = reference.split(), hypothesis.split()

    @cache
    def edits(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        same = edits(i - 1, j - 1) + (wanted[i - 1] != written[j - 1])
        return min(same, edits(i - 1, j) + 1, edits(i, j - 1) + 1)

    counts = count_words(reference, hypothesis)
    assert counts.errors == edits(len(wanted), len(written))
    assert counts.reference == len(wanted)
    assert counts.hits + counts.substitutions + counts.insertions == len(written)


@given(st.lists(st.tuples(WORDS.filter(bool), WORDS), min_size=1, max_size=5))
def test_sums_give_the_rates_that_jiwer_gives_for_all_at_once(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    assert sum((count_words(*pair) for pair in pairs), Counts()).rate == jiwer.wer(references, hypotheses)
    assert sum((count_characters(*pair) for pair in pairs), Counts()).rate == jiwer.cer(
        references, hypotheses
    )
