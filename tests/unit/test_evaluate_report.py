"""Sums, JSON and tables of `voxtab-shards eval`."""

from __future__ import annotations

import io
import json

from rich.console import Console

from shard_tools.evaluate.report import FileResult, Report
from shard_tools.evaluate.report_tables import failure_lines, print_report, summary
from shard_tools.evaluate.score import Counts
from voxtab.errors import VoxtabError

GOOD = FileResult(
    "a.wav", "slt", "one two three four", "one two tree", 4.0, 1.0, Counts(2, 1, 0, 1), Counts(12, 0, 0, 6)
)
OTHER = FileResult("b.wav", "ked", "five", "five", 2.0, 0.2, Counts(1), Counts(4))
SILENCE = FileResult("c.wav", "ked", "", "hello you", 30.0, 3.0, Counts(0, 0, 2, 0), Counts(0, 0, 9, 0))
BAD = FileResult("d.wav", "slt", "lost", error=VoxtabError("audio-empty", "d.wav holds no sound.", "Record."))


def printed(report: Report, width: int = 80) -> str:
    out = io.StringIO()
    print_report(report, Console(file=out, width=width, markup=False, highlight=False, emoji=False))
    return out.getvalue()


def test_totals_are_sums_and_failures_count_nowhere_else() -> None:
    total = Report([GOOD, OTHER, SILENCE, BAD], "basic", planned=4).total
    assert (total.files, total.failed) == (3, 1)
    assert total.words == Counts(3, 1, 2, 1)
    assert total.wer == 4 / 5
    assert total.cer == 15 / 22
    assert total.rtf == 4.2 / 36.0
    assert total.false_words_per_minute == 4.0


def test_silence_alone_has_false_words_a_minute_in_place_of_a_rate() -> None:
    report = Report([SILENCE], "basic", planned=1)
    assert report.total.wer is None
    assert report.total.cer is None
    assert report.total.false_words_per_minute == 4.0
    assert "WER" not in summary(report)
    assert "4.00 false words a minute" in summary(report)
    assert report.to_json()["total"]["wer"] is None


def test_speech_alone_has_no_false_words_a_minute() -> None:
    assert Report([GOOD], "basic", planned=1).total.false_words_per_minute is None


def test_groups_are_summed_in_the_order_they_came() -> None:
    groups = Report([GOOD, OTHER, SILENCE, BAD], "basic", planned=4).by_group
    assert list(groups) == ["slt", "ked"]
    assert (groups["slt"].wer, groups["slt"].failed) == (2 / 4, 1)
    assert groups["ked"].words == Counts(1, 0, 2, 0)
    assert Report([FileResult("a", "", "")], "basic", planned=1).by_group == {}


def test_json_says_all_of_it() -> None:
    report = Report([GOOD, BAD], "basic", planned=3, stopped="cancelled", about={"data": "set"})
    said = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert said["partial"] is True
    assert (said["planned"], said["stopped"], said["about"]) == (3, "cancelled", {"data": "set"})
    assert said["files"] == [
        {
            **{
                "name": "a.wav",
                "group": "slt",
                "reference": "one two three four",
                "hypothesis": "one two tree",
            },
            **{
                "seconds": 4.0,
                "processing_s": 1.0,
                "rtf": 0.25,
                "words": 4,
                "substitutions": 1,
                "insertions": 0,
            },
            **{"deletions": 1, "wer": 0.5, "characters": 18, "cer": 0.333333},
        }
    ]
    assert [failure["code"] for failure in said["failed"]] == ["audio-empty"]
    assert said["groups"]["slt"]["wer"] == said["total"]["wer"] == 0.5


def test_a_report_of_nothing_can_be_said_too() -> None:
    report = Report([], "basic", planned=2, stopped="cancelled")
    assert report.partial
    assert report.to_json()["total"]["rtf"] is None
    assert "0 of 2 recordings" in printed(report)


def test_tables_show_every_recording_group_and_fault_in_80_columns() -> None:
    report = Report([GOOD, OTHER, SILENCE, BAD], "basic", planned=5)
    text = printed(report)
    assert all(len(line) <= 80 for line in text.splitlines())
    lines = [line.strip("│").split("│") for line in text.splitlines() if "│" in line]
    rows = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}
    assert rows["a.wav"] == ["4.0", "4", "1", "0", "1", "50.0 %", "0.25"]
    assert rows["c.wav"] == ["30.0", "0", "0", "2", "0", "-", "0.10"]
    assert rows["d.wav"][-2:] == ["failed", ""]
    assert rows["ked"] == ["2", "32.0", "1", "200.0 %", "225.0 %", "4.00", "0.10"]
    assert "written: one two tree" in text
    assert "WER 80.0 % (4 of 5 words: 1 substituted, 2 inserted, 1 deleted)" in summary(report)
    assert "1 of 4 recordings failed" in summary(report)
    assert "partial: 4 of 5" in summary(report)
    assert failure_lines(report.failed) == ["d.wav: error[audio-empty]: d.wav holds no sound. Record."]


def test_texts_and_names_reach_the_terminal_as_printable_text_of_bounded_length() -> None:
    evil = "\x1b[31m\u202e[bold]\udcff " * 1000
    result = FileResult(evil, evil, evil, evil, 1.0, 1.0, Counts(0, 9, 0, 0), Counts(0, 9, 0, 0))
    text = printed(Report([result, OTHER], "basic", planned=2), width=400)
    text += "\n".join(failure_lines([FileResult(evil, "", "", error=VoxtabError("audio-empty", "\x1b"))]))
    assert text.replace("\n", "").isprintable()
    assert "[bold]" in text
    assert max(map(len, printed(Report([result], "basic", planned=1), width=400).splitlines())) < 250
