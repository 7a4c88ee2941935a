"""What the page hands over as words is checked before it becomes a file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from voxtab.captions.files import FORMATS, transcript_file
from voxtab.sessions.words import Word
from voxtab.tab.captions import captions

WORDS = [Word("hello", 0.1, 0.5), Word("world", 0.6, 1.0)]


@pytest.mark.parametrize("kind", FORMATS)
def test_the_files_are_the_engines(kind: str) -> None:
    given = json.dumps([word.to_json() for word in WORDS])
    assert json.loads(captions(given, kind)) == {"ok": transcript_file(kind, WORDS)}


@pytest.mark.parametrize(
    "given",
    [
        {},
        ["hello"],
        [{"text": "hello"}],
        [{"text": 1, "start": 0, "end": 1}],
        [{"text": "hello", "start": 1, "end": 0}],
        [{"text": "hello", "start": -1, "end": 0}],
        [{"text": "hello", "start": 0, "end": float("inf")}],
        [{"text": "hello", "start": float("nan"), "end": 1}],
        [{"text": "hello", "start": True, "end": 1}],
        [{"text": "hello", "start": 0, "end": 10**400}],
    ],
)
def test_what_is_no_list_of_words_is_refused(given: Any) -> None:
    assert json.loads(captions(json.dumps(given), "srt"))["error"]["code"] == "option-invalid"


def test_an_unknown_format_is_refused() -> None:
    assert json.loads(captions("[]", "docx"))["error"]["code"] == "option-invalid"
