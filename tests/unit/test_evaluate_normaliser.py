"""What `voxtab-shards eval` takes for the same words; transformers' copy of Whisper's rules is the truth."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.whisper.english_normalizer import BasicTextNormalizer, EnglishTextNormalizer

from shard_tools.evaluate.normaliser import find_normaliser
from voxtab.errors import VoxtabError

SENTENCES = [
    "Let's meet at 9:30, on the twenty-first of May!",
    "She'd paid $20 million, hasn't she? (laughs)",
    "Um, I'm gonna be there, Mr. Brown.",
    "One hundred and five thousand three hundred and forty two.",
    "Three point five percent [noise] of nineteen eighty four",
    "The window -- and the door -- are OPEN…",
]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_english_and_basic_agree_with_transformers(sentence: str) -> None:
    english = EnglishTextNormalizer({})
    assert find_normaliser("english")(sentence) == english(sentence).strip()
    basic = BasicTextNormalizer()
    assert find_normaliser("basic")(sentence) == basic(sentence).strip()


def test_english_numbers_and_spellings_are_the_same_however_they_are_written() -> None:
    rules = find_normaliser("english")
    assert rules("twenty one") == rules("21") == "21"
    assert rules("My favourite colour") == rules("my favorite color")


def test_basic_keeps_every_letter_and_mark_of_other_languages() -> None:
    rules = find_normaliser("basic")
    assert rules("Füße, ÄPFEL!") == "füße äpfel"
    assert rules("नमस्ते दुनिया।") == "नमस्ते दुनिया"


def test_letters_makes_each_one_a_word_wherever_spaces_were() -> None:
    rules = find_normaliser("letters")
    assert rules("你好,世界。") == rules("你 好 世 界") == "你 好 世 界"


def test_none_leaves_all_but_spaces() -> None:
    assert find_normaliser("none")(" It's  21,\nreally! ") == "It's 21, really!"


@pytest.mark.parametrize("name", ["english", "basic", "letters", "none"])
@settings(deadline=None)
@given(
    text=st.text(max_size=60)
    | st.lists(st.sampled_from(("minus", "one", "half", "oh", "3", "4.5", "£", "point", "²", "1/0"))).map(
        " ".join
    )
)
def test_any_text_gives_words_with_single_spaces(name: str, text: str) -> None:
    out = find_normaliser(name)(text)
    assert out == " ".join(out.split())


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(VoxtabError, match="english, basic, letters, none") as caught:
        find_normaliser("klingon")
    assert caught.value.code == "option-invalid"
