"""Long texts are cut into utterances where a speaker would breathe, and no character of them is lost."""

from hypothesis import given
from hypothesis import strategies as st

from voxtab.sessions.sentences import utterances


def test_sentences_that_fit_share_an_utterance() -> None:
    assert utterances("One. Two! Three? Four.", 100) == ["One. Two! Three? Four."]


def test_the_cut_is_at_a_sentence_end() -> None:
    assert utterances("The first sentence. The second one.", 25) == ["The first sentence.", "The second one."]


def test_quotes_and_brackets_stay_with_their_sentence() -> None:
    assert utterances('He said "go." (She went.) All left.', 16) == [
        'He said "go."',
        "(She went.)",
        "All left.",
    ]


def test_a_point_inside_a_number_or_behind_an_abbreviation_ends_nothing() -> None:
    assert utterances("Dr. Smith paid 3.50 to J. Doe. Then he left.", 32) == [
        "Dr. Smith paid 3.50 to J. Doe.",
        "Then he left.",
    ]


def test_a_line_break_ends_a_sentence() -> None:
    assert utterances("A title\nThe first words", 16) == ["A title", "The first words"]


def test_marks_of_other_scripts_end_sentences() -> None:
    assert utterances("今日は。明日も。", 4) == ["今日は。", "明日も。"]
    assert utterances("यह एक है। यह दो है।", 10) == ["यह एक है।", "यह दो है।"]
    assert utterances("هل هذا؟ نعم هذا.", 9) == ["هل هذا؟", "نعم هذا."]


def test_a_long_sentence_is_cut_at_its_pauses_and_a_long_word_anywhere() -> None:
    assert utterances("one two, three four five; six", 14) == ["one two,", "three four", "five; six"]
    assert utterances("abcdefghij", 4) == ["abcd", "efgh", "ij"]


def test_white_space_alone_is_nothing_to_say() -> None:
    assert utterances(" \n\t ", 10) == []


@given(st.text(alphabet="ab. \n,;!?。”\u00a0é", max_size=200), st.integers(1, 40))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, longest: int) -> None:
    pieces = utterances(text, longest)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < len(piece) <= longest and piece == piece.strip() for piece in pieces)


@given(st.text(max_size=300))
def test_any_text_can_be_cut(text: str) -> None:
    assert "".join("".join(utterances(text, 30)).split()) == "".join(text.split())
