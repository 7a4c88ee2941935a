"""Word times from token indices."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from voxtab.formats.tekken import Tekken
from voxtab.sessions.words import words

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
