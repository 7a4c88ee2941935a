"""Words as a file of subtitles or text: the formats are the engine's, for the page as for the command."""

import json
from typing import Any, TypeGuard

from voxtab.captions.files import transcript_file
from voxtab.errors import VoxtabError
from voxtab.sessions.words import Word
from voxtab.tab.answers import answer

_LATEST_S = 1e9  # thirty years


def captions(words_json: str, kind: str) -> str:
    """The words [{text, start, end}], in the order of their times, as a file of this kind, one of FORMATS; ok: its
    contents."""
    return answer(lambda: transcript_file(kind, _words(json.loads(words_json))))


def _words(given: Any) -> list[Word]:
    """Raises VoxtabError option-invalid."""
    if isinstance(given, list) and all(map(_is_word, given)):
        return [Word(word["text"], float(word["start"]), float(word["end"])) for word in given]
    raise VoxtabError(
        "option-invalid", "These are no words.", "Pass [{ text, start, end }], times in seconds."
    )


def _is_word(given: Any) -> bool:
    if not isinstance(given, dict) or not isinstance(given.get("text"), str):
        return False
    start, end = given.get("start"), given.get("end")
    return _is_number(start) and _is_number(end) and 0 <= start <= end <= _LATEST_S


def _is_number(given: Any) -> TypeGuard[float]:
    return isinstance(given, int | float) and not isinstance(given, bool)
