"""Subtitles and text files of words: as others read them, and as people like to read them."""

from __future__ import annotations

import html
import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.subtitles import read_subtitles
from voxtab.captions.cues import LINE_LENGTH, LINES, LONGEST_S, SHORTEST_S, Cue, cues, joined
from voxtab.captions.files import FORMATS, transcript_file
from voxtab.errors import VoxtabError
from voxtab.sessions.listening import Segment
from voxtab.sessions.words import Word

TEXTS = [
    "I",
    "word",
    "over.",
    "really?",
    "so,",
    "a&b",
    "<i>up</i>",
    "-->",
    "été",
    "extraordinarily",
    "日本語" * 40,
]


@st.composite
def spoken(draw: st.DrawFn) -> list[Word]:
    """Words one after the other, with and without pauses, some without a time of their own."""
    words = []
    at = draw(st.sampled_from([0.0, 0.32, 359_000.0]))
    for _ in range(draw(st.integers(1, 30))):
        start = at + draw(st.sampled_from([0.0, 0.0, 0.08, 0.9, 4.0]))
        at = start + draw(st.sampled_from([0.0, 0.08, 0.4, 1.2]))
        words.append(Word(draw(st.sampled_from(TEXTS)), start, at))
    return words


def said(text: str, start: float = 0.0, seconds: float = 0.3) -> list[Word]:
    return [Word(word, start + k * seconds, start + (k + 1) * seconds) for k, word in enumerate(text.split())]


def lines(found: list[Cue]) -> list[tuple[str, ...]]:
    return [cue.lines for cue in found]


def as_read(found: list[Cue]) -> list[tuple[float, float, str]]:
    return [(round(cue.start, 3), round(cue.end, 3), "\n".join(cue.lines)) for cue in found]


@settings(deadline=None)
@given(spoken())
def test_cues_hold_all_words_in_two_lines_one_after_the_other(words: list[Word]) -> None:
    found = cues(words)
    letters = "".join(line for cue in found for line in cue.lines)
    assert letters.replace(" ", "") == "".join(word.text for word in words)
    assert all(1 <= len(cue.lines) <= LINES for cue in found)
    assert all(0 < len(line) <= LINE_LENGTH for cue in found for line in cue.lines)
    assert all(cue.start < cue.end for cue in found)
    assert all(before.end <= after.start for before, after in pairwise(found))


@settings(deadline=None)
@given(spoken())
def test_srt_is_what_a_library_reads(words: list[Word]) -> None:
    want = [(start, end, text.replace("-->", "->")) for start, end, text in as_read(cues(words))]
    assert read_subtitles("srt", transcript_file("srt", words)) == want


@settings(deadline=None)
@given(spoken())
def test_webvtt_is_what_a_strict_library_reads(words: list[Word]) -> None:
    got = [
        (start, end, html.unescape(text))
        for start, end, text in read_subtitles("vtt", transcript_file("vtt", words))
    ]
    assert got == as_read(cues(words))


def test_a_pause_and_a_sentence_end_begin_a_new_cue() -> None:
    words = said("this one ends. This too", 0, 0.4) + said("after a pause", 5)
    assert lines(cues(words)) == [("this one ends.",), ("This too",), ("after a pause",)]


def test_a_full_cue_ends_at_a_comma_in_its_second_half() -> None:
    text = "if there is a place to breathe in the second half of what is shown, then it is taken there"
    assert [" ".join(cue.lines) for cue in cues(said(text, seconds=0.2))] == [
        "if there is a place to breathe in the second half of what is shown,",
        "then it is taken there",
    ]


def test_lines_are_about_as_long_as_each_other() -> None:
    text = "a line that is a little longer than allowed now"
    assert lines(cues(said(text))) == [("a line that is a little", "longer than allowed now")]


def test_a_cue_stays_long_enough_to_be_read_where_there_is_time() -> None:
    alone, before, after = cues([Word("yes", 1.0, 1.2), Word("no", 3.0, 3.1), Word("never", 3.95, 4.1)])
    assert alone.end == alone.start + SHORTEST_S
    assert before.end == pytest.approx(after.start - 0.08)
    assert after.end == after.start + SHORTEST_S


def test_slow_speech_does_not_stand_for_long() -> None:
    found = cues(said("one two three four five six seven", seconds=1.5))
    assert all(cue.end - cue.start <= LONGEST_S for cue in found)


def test_punctuation_written_late_goes_to_its_word() -> None:
    assert joined([Word("Hello", 0, 0.4), Word("?", 1.5, 1.6), Word("Yes", 2, 2.3)]) == "Hello? Yes"


def test_text_has_a_paragraph_for_each_long_silence() -> None:
    words = said("one two", 0) + said("three", 1.5) + said("four", 9)
    assert transcript_file("txt", words) == "one two three\n\nfour\n"


def test_json_has_words_and_segments_with_their_times() -> None:
    words = said("one two")
    made = json.loads(transcript_file("json", words, [Segment(0.0, 2.0, 480, "one two")]))
    assert made == {
        **{"format": "voxtab-transcript", "version": 1, "text": "one two"},
        "words": [{"text": "one", "start": 0.0, "end": 0.3}, {"text": "two", "start": 0.3, "end": 0.6}],
        "segments": [{"start": 0.0, "end": 2.0, "delay_ms": 480, "text": "one two"}],
    }


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_said_is_a_file_too(kind: str) -> None:
    assert (
        transcript_file(kind, []).strip()
        == {
            **{"txt": "", "srt": "", "vtt": "WEBVTT"},
            "json": transcript_file("json", []).strip(),
        }[kind]
    )


def test_other_kinds_are_refused() -> None:
    with pytest.raises(VoxtabError, match="docx"):
        transcript_file("docx", [])
