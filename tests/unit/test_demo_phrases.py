"""What the demo model's voices say: seeded, balanced, and tests that training never hears."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shard_tools.demo.phrases import TEMPLATES, PhraseSource, PhraseText, kept_for_tests
from shard_tools.demo.words import WORDS

FOREIGN = tuple(f"w{a}{b}" for a in "abcdefghij" for b in "abcdefghij")


def said(seed: int, count: int, training: bool = True) -> list[PhraseText]:
    source = PhraseSource(np.random.default_rng(seed), FOREIGN, training)
    phrases = []
    for _ in range(count):
        phrases.append(source.draw())
        source.said(phrases[-1])
    return phrases


@pytest.fixture(scope="module")
def many() -> list[PhraseText]:
    return said(1, 8000)


@pytest.fixture(scope="module")
def tests_only() -> list[PhraseText]:
    return said(1, 1500, training=False)


def test_the_same_seed_gives_the_same_phrases() -> None:
    assert said(5, 50) == said(5, 50)
    assert said(5, 50) != said(6, 50)


def test_every_vocabulary_word_is_said_about_equally_often(many: list[PhraseText]) -> None:
    counts = Counter(word for phrase in many for word in phrase.words)
    usual = float(np.median([counts[word] for word in WORDS]))
    assert min(counts[word] for word in WORDS) > 0.8 * usual
    # The sentences need these; everything else is near the middle.
    often = {word for word in WORDS if counts[word] > 1.6 * usual}
    assert often <= {
        "the",
        "is",
        "my",
        "and",
        "please",
        "what",
        "this",
        "how",
        "today",
        "turn",
        "test",
        "hello",
    }


def test_about_a_fifth_of_training_words_are_foreign(many: list[PhraseText]) -> None:
    known = [known for phrase in many for known in phrase.known]
    assert 0.18 < 1 - np.mean(known) < 0.25


def test_some_training_phrases_are_wholly_foreign_and_most_are_not_at_all(many: list[PhraseText]) -> None:
    assert 0.04 < np.mean([not any(phrase.known) for phrase in many]) < 0.1
    assert 0.4 < np.mean([all(phrase.known) for phrase in many]) < 0.75


def test_phrases_have_1_to_9_words_mostly_up_to_6(many: list[PhraseText]) -> None:
    lengths = [len(phrase.words) for phrase in many]
    assert min(lengths) == 1
    assert max(lengths) == 9
    assert np.mean([length <= 6 for length in lengths]) > 0.9


def test_some_phrases_pause_but_never_at_the_end(many: list[PhraseText]) -> None:
    assert 0.08 < np.mean([any(phrase.pauses) for phrase in many]) < 0.25
    assert not any(phrase.pauses[-1] for phrase in many)


def test_a_pause_is_a_comma_in_the_text() -> None:
    assert PhraseText(("yes", "please"), (True, False)).text == "yes, please"


def test_known_words_are_those_of_the_vocabulary() -> None:
    assert PhraseText(("yes", "tiger"), (False, False)).known == (True, False)


def test_no_word_sequence_of_the_tests_is_ever_one_of_training(
    many: list[PhraseText], tests_only: list[PhraseText]
) -> None:
    training = {phrase.words for phrase in many if len(phrase.words) > 1}
    assert training & {phrase.words for phrase in tests_only} == set()
    assert not any(kept_for_tests(words) for words in training)
    assert all(kept_for_tests(phrase.words) for phrase in tests_only if len(phrase.words) > 1)


def test_tests_say_vocabulary_words_alone(tests_only: list[PhraseText]) -> None:
    assert all(all(phrase.known) for phrase in tests_only)
    assert {word for phrase in tests_only for word in phrase.words} == set(WORDS)


def test_test_phrases_are_about_as_long_as_those_of_training(
    many: list[PhraseText], tests_only: list[PhraseText]
) -> None:
    training = np.mean([len(phrase.words) for phrase in many])
    assert np.mean([len(phrase.words) for phrase in tests_only]) == pytest.approx(training, rel=0.15)


def test_foreign_phrases_are_short_and_hold_no_vocabulary_word() -> None:
    source = PhraseSource(np.random.default_rng(3), FOREIGN, False)
    phrases = [source.draw_foreign() for _ in range(200)]
    assert {word for phrase in phrases for word in phrase.words} <= set(FOREIGN)
    assert {len(phrase.words) for phrase in phrases} == {1, 2, 3}


def test_every_template_can_be_said() -> None:
    source = PhraseSource(np.random.default_rng(4), FOREIGN, True)
    starts = {template.split()[0] for template in TEMPLATES if not template.startswith("{")}
    heard = {source.draw().words[0] for _ in range(6000)}
    assert starts <= heard


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**63 - 1), st.booleans())
def test_any_seed_gives_phrases_of_words_with_as_many_pauses(seed: int, training: bool) -> None:
    for phrase in said(seed, 20, training):
        assert len(phrase.words) == len(phrase.pauses) == len(phrase.known) > 0
        assert set(phrase.words) <= {*WORDS, *FOREIGN, "a", "i", "colour"}
