"""The demo model's vocabulary, and the words outside it. Phonemes are flite's own, kept in tests/data."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shard_tools.demo.foreign import Filter, choose_foreign, read_dictionary
from shard_tools.demo.frequent import FREQUENT
from shard_tools.demo.pronunciation import british, plain
from shard_tools.demo.words import VOCABULARY, WORDS
from voxtab.errors import VoxtabError

PHONES: dict[str, tuple[str, ...]] = {
    word: tuple(phones.split())
    for word, phones in json.loads(
        (Path(__file__).parents[1] / "data" / "demo-phones.json").read_text("utf-8")
    )["phones"].items()
}


def spelled(word: str) -> tuple[str, ...]:
    """A pronunciation for any word: flite's, or one phoneme for each letter."""
    return PHONES.get(word, tuple(f"{letter}~" for letter in word))


def test_the_vocabulary_has_150_to_160_words_each_of_one_theme() -> None:
    listed = [word for words in VOCABULARY.values() for word in words]
    assert 150 <= len(listed) <= 160
    assert len(set(listed)) == len(listed)
    assert tuple(sorted(listed)) == WORDS
    assert all(word.isascii() and word.isalpha() and word.islower() for word in listed)


def test_the_vocabulary_counts_and_names_days_and_months_but_not_may() -> None:
    assert len(VOCABULARY["weekday"]) == 7
    assert len(VOCABULARY["month"]) == 11
    assert len(VOCABULARY["colour"]) == 10
    assert len(VOCABULARY["digit"]) + len(VOCABULARY["teen"]) + len(VOCABULARY["tens"]) == 28
    assert "may" not in WORDS


@pytest.mark.parametrize("sound_of", [plain, british])
def test_no_two_words_sound_the_same(sound_of: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
    by_sound: dict[tuple[str, ...], list[str]] = {}
    for word in WORDS:
        by_sound.setdefault(sound_of(PHONES[word]), []).append(word)
    assert [words for words in by_sound.values() if len(words) > 1] == []


def test_no_word_is_a_single_phoneme() -> None:
    assert [word for word in WORDS if len(PHONES[word]) < 2] == []


def test_dropping_r_makes_paws_sound_like_pores() -> None:
    assert plain(PHONES["paws"]) != plain(PHONES["pores"])
    assert british(PHONES["paws"]) == british(PHONES["pores"])


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("seven", "of the vocabulary"),
        ("won", "sounds like one"),
        ("knight", "sounds like night"),
        ("paws", "sounds like pause"),
        ("daw", "sounds like door without r"),
        ("someone", "contains one"),
        ("sevenfold", "contains seven"),
        ("tonight", "contains night"),
        ("plays", "inflection"),
        ("closing", "inflection that drops its e"),
        ("mountains", "inflection"),
        ("minute", "stem of minutes"),
        ("loud", "stem of louder"),
    ],
)
def test_a_word_that_could_be_heard_as_the_vocabulary_is_not_foreign(word: str, why: str) -> None:
    assert why
    assert not Filter(PHONES.__getitem__).accepts(word)


@pytest.mark.parametrize("word", ["horse", "tiger", "relax", "under", "sun"])
def test_another_word_is_foreign(word: str) -> None:
    assert Filter(PHONES.__getitem__).accepts(word)


def test_a_foreign_word_may_contain_a_vocabulary_word_of_two_phonemes() -> None:
    phones = {"on": ("aa1", "n"), "ponder": ("p", "aa1", "n", "d", "er0")}
    assert Filter(phones.__getitem__, ["on"]).accepts("ponder")


def test_frequent_words_are_plain() -> None:
    assert len(set(FREQUENT)) == len(FREQUENT) > 1000
    assert all(word.isascii() and word.isalpha() and word.islower() for word in FREQUENT)


def dictionary() -> list[str]:
    """Made-up words, enough to choose from."""
    letters = "bdgklmnprstvz"
    return [a + x + b + y for a in letters for x in "aeiou" for b in letters for y in "aeiou"]


def test_test_words_are_other_words_than_those_of_training_and_half_of_them_frequent() -> None:
    foreign = choose_foreign(dictionary(), spelled)
    assert len(foreign.test) == 300
    assert len(foreign.training) == 3000
    assert len(set(foreign.training) | set(foreign.test)) == 3300
    assert sum(word in set(FREQUENT) for word in foreign.test) == 150
    assert set(WORDS) & {*foreign.training, *foreign.test} == set()


def test_no_training_word_sounds_like_a_test_word() -> None:
    def merged(word: str) -> tuple[str, ...]:
        return plain(spelled(word.replace("z", "s")))

    foreign = choose_foreign(dictionary() * 2, merged)
    assert {merged(word) for word in foreign.training} & {merged(word) for word in foreign.test} == set()


def test_the_choice_of_foreign_words_is_always_the_same() -> None:
    assert choose_foreign(dictionary(), spelled) == choose_foreign(dictionary(), spelled)


def test_a_dictionary_that_is_too_small_is_refused() -> None:
    with pytest.raises(VoxtabError, match="too few") as caught:
        choose_foreign(["bada", "bide"], spelled)
    assert caught.value.code == "tool-missing"


def test_only_plain_words_of_3_to_10_letters_are_read_from_the_dictionary(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text("Aaron\ncan't\nox\nhorse\ncafé\nmultinational\nbrr\ntiger\n", "utf-8")
    assert read_dictionary(path) == ["horse", "tiger"]


def test_a_missing_dictionary_names_its_package(tmp_path: Path) -> None:
    with pytest.raises(VoxtabError, match="apt install wamerican") as caught:
        read_dictionary(tmp_path / "none")
    assert caught.value.code == "tool-missing"


@given(st.lists(st.sampled_from(["t", "er1", "er0", "n", "aa1", "r", "ax0", "ix0"]), max_size=8).map(tuple))
def test_stress_never_tells_sounds_apart(phones: tuple[str, ...]) -> None:
    bare = tuple(phone.rstrip("012") for phone in phones)
    assert plain(bare) == plain(phones)
    assert british(bare) == british(phones)
