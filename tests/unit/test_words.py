"""Word times from token indices."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from voxtab.formats.tekken import Tekken
from voxtab.sessions.words import WordFinder, words

PIECES = [b" one", b" two", b"teen", b" ", b"\xe2\x82", b"\xac", b".", b" caf", b"\xc3\xa9"]
TEKKEN = Tekken([base64.b64encode(piece).decode() for piece in PIECES])
ONE, TWO, TEEN, SPACE, EURO1, EURO2, DOT, CAF, E = range(1000, 1009)
PAD, WORD = 32, 33


def test_a_word_ends_half_a_step_before_its_first_token() -> None:
    found = words(TEKKEN, [PAD] * 9 + [WORD, ONE, PAD, PAD, WORD, TWO, TEEN], 2.0)
    assert [word.text for word in found] == ["one", "twoteen"]
    assert [round(word.end, 3) for word in found] == [0.76, 1.08]
    assert found[0].start < found[0].end <= found[1].start < found[1].end


def test_pieces_without_a_leading_space_belong_to_the_word_before() -> None:
    found = words(TEKKEN, [ONE, DOT, CAF, E, PAD, SPACE, TWO, DOT], 1.0)
    assert [word.text for word in found] == ["one.", "café", "two."]


def test_a_character_split_over_tokens_stays_whole() -> None:
    assert [word.text for word in words(TEKKEN, [ONE, PAD, EURO1, PAD, EURO2], 1.0)] == ["one€"]


@given(
    st.lists(st.sampled_from([ONE, TWO, TEEN, SPACE, EURO1, DOT, PAD, WORD, 2]), max_size=60), st.floats(0, 5)
)
def test_times_never_go_back_and_the_words_are_the_text(tokens: list[int], audio_s: float) -> None:
    found = words(TEKKEN, tokens, audio_s)
    edges = [edge for word in found for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert all(edge >= 0 for edge in edges)
    assert "".join(word.text for word in found) == "".join(TEKKEN.decode(tokens).split())


def test_a_word_is_finished_by_the_next_one_or_by_a_second_without_text() -> None:
    finder = WordFinder(TEKKEN)
    given = [finder.push(token, 9.0) for token in [ONE, PAD, TEEN, TWO, *[PAD] * 11]]
    assert [word.text if word else None for word in given] == [*[None] * 3, "oneteen", *[None] * 11]
    settled = finder.push(PAD, 9.0)
    assert settled is not None
    assert settled.text == "two"
    assert finder.push(PAD, 9.0) is None
    assert finder.finish(9.0) is None


def test_a_word_waits_for_the_rest_of_its_last_character() -> None:
    finder = WordFinder(TEKKEN)
    assert [finder.push(token, 9.0) for token in [ONE, EURO1, *[PAD] * 20, EURO2]] == [None] * 23
    word = finder.finish(9.0)
    assert word is not None
    assert word.text == "one€"


def test_words_of_a_later_segment_have_times_of_the_whole_stream() -> None:
    finder = WordFinder(TEKKEN, start_s=100.0, previous_end_s=100.7)
    finder.push(ONE, 101.0)
    finder.push(TWO, 101.0)
    word = finder.finish(101.0)
    assert word is not None
    assert (round(word.start, 3), round(word.end, 3)) == (100.7, 100.7)
