"""Words as a file of subtitles or text: the formats are the engine's, for the page as for the command."""

import json
from math import isfinite
from typing import Any

from voxtab.captions.files import transcript_file
from voxtab.errors import VoxtabError
from voxtab.sessions.words import Word
from voxtab.tab.answers import answer


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
    times = given.get("start"), given.get("end")
    if any(isinstance(time, bool) or not isinstance(time, int | float) for time in times):
        return False
    start, end = map(float, times)  # type: ignore[arg-type]
    return isfinite(end) and 0 <= start <= end
