"""Subtitle files as webvtt-py reads them."""

from __future__ import annotations

import io

import webvtt


def read_subtitles(kind: str, contents: str) -> list[tuple[float, float, str]]:
    """(start, end, text as it stands there) of each cue of an SRT or WebVTT file, the latter read strictly."""
    parsed = webvtt.WebVTT.from_buffer(io.BytesIO(contents.encode()), format=kind, strict=kind == "vtt")
    return [(_seconds(cue.start), _seconds(cue.end), cue.raw_text) for cue in parsed.captions]


def _seconds(time: str) -> float:
    """Of hours:minutes:seconds.thousandths."""
    hours, minutes, rest = time.split(":")
    return round(int(hours) * 3600 + int(minutes) * 60 + float(rest), 3)
