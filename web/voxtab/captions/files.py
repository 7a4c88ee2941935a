"""A transcript as TXT, SRT, WebVTT or JSON.

The JSON: {"format": "voxtab-transcript", "version": 1, "text", "words": [{"text", "start", "end"}], "segments":
[{"start", "end", "delay_ms", "text"}]}; times in seconds from the start of the sound.
"""

import json
from collections.abc import Sequence
from typing import Final

from voxtab.captions.cues import Cue, cues, joined
from voxtab.errors import VoxtabError
from voxtab.sessions.listening import Segment
from voxtab.sessions.words import Word

FORMATS: Final = ("txt", "srt", "vtt", "json")

_FORMAT: Final = "voxtab-transcript"
_VERSION: Final = 1
_PARAGRAPH_S: Final = 2.0  # of silence


def transcript_file(kind: str, words: Sequence[Word], segments: Sequence[Segment] = ()) -> str:
    """The contents of a file of this kind, one of FORMATS; `words` are in the order of their times. Raises VoxtabError
    option-invalid."""
    if kind == "txt":
        return _txt(words)
    if kind == "srt":
        return _srt(cues(words))
    if kind == "vtt":
        return _vtt(cues(words))
    if kind == "json":
        return _json(words, segments)
    raise VoxtabError("option-invalid", f"{kind!r} is no kind of transcript.", f"Use {', '.join(FORMATS)}.")


def _txt(words: Sequence[Word]) -> str:
    """A paragraph for what was said without a long silence."""
    paragraphs: list[list[Word]] = []
    for word in words:
        if not paragraphs or word.start - paragraphs[-1][-1].end >= _PARAGRAPH_S:
            paragraphs.append([])
        paragraphs[-1].append(word)
    return "\n\n".join(map(joined, paragraphs)) + "\n" if paragraphs else ""


def _srt(found: Sequence[Cue]) -> str:
    def block(number: int, cue: Cue) -> str:
        text = "\n".join(cue.lines).replace("-->", "->")  # the one thing that has a meaning there
        return f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{text}\n"

    return "\n".join(block(number, cue) for number, cue in enumerate(found, 1))


def _vtt(found: Sequence[Cue]) -> str:
    def block(cue: Cue) -> str:
        text = "\n".join(cue.lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f"\n{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{text}\n"

    return "WEBVTT\n" + "".join(map(block, found))


def _json(words: Sequence[Word], segments: Sequence[Segment]) -> str:
    made = {
        "format": _FORMAT,
        "version": _VERSION,
        "text": joined(words),
        "words": [word.to_json() for word in words],
        "segments": [segment.to_json() for segment in segments],
    }
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def _time(seconds: float, point: str) -> str:
    """00:00:00,000 in SRT, 00:00:00.000 in WebVTT."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{thousandths:03}"
