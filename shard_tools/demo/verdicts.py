"""Holds measured conditions against the bars, from what the report says of every recording."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from shard_tools.demo.conditions import BARS, Bar

Entry = Mapping[str, Any]
"""A condition of the report; see evaluation.py."""


@dataclass(frozen=True)
class Verdict:
    """value: what counts; with a baseline, the difference of `measured` and `against`. words: those said.

    passed: None where something was not measured.
    """

    bar: Bar
    value: float | None = None
    measured: float | None = None
    against: float | None = None
    words: int = 0

    @property
    def enough(self) -> bool:
        return self.words >= self.bar.least_words

    @property
    def passed(self) -> bool | None:
        return None if self.value is None else self.value <= self.bar.most + 1e-12 and self.enough


def judge(conditions: Mapping[str, Entry], bars: Sequence[Bar] = BARS) -> list[Verdict]:
    """A verdict for every bar, in order."""
    return [_judge(bar, conditions) for bar in bars]


def _judge(bar: Bar, conditions: Mapping[str, Entry]) -> Verdict:
    entry = conditions.get(bar.condition)
    baseline = conditions.get(bar.baseline) if bar.baseline else None
    if entry is None or (bar.baseline and baseline is None):
        return Verdict(bar)
    files = [file for file in entry["files"] if file["group"].startswith(bar.groups)]
    words = sum(file["said_words"] for file in files)
    measured = _MEASURES[bar.measure](files)
    if measured is None or baseline is None:
        return Verdict(bar, measured, measured, None, words)
    against = _MEASURES[bar.measure](_same(files, baseline))
    return Verdict(bar, None if against is None else measured - against, measured, against, words)


def _same(files: Iterable[Entry], baseline: Entry) -> list[Entry]:
    """The baseline's results of the same recordings."""
    names = {file["recording"] for file in files}
    return [file for file in baseline["files"] if file["recording"] in names]


def word_errors(files: Iterable[Entry]) -> int:
    return sum(file["substitutions"] + file["insertions"] + file["deletions"] for file in files)


def _wer(files: Sequence[Entry]) -> float | None:
    words = sum(file["words"] for file in files)
    return word_errors(files) / words if words else None


def _per_minute(files: Sequence[Entry]) -> float | None:
    seconds = sum(file["seconds"] for file in files)
    return sum(file["insertions"] for file in files) * 60 / seconds if seconds else None


def _per_word(files: Sequence[Entry]) -> float | None:
    said = sum(file["said_words"] for file in files)
    return sum(file["insertions"] for file in files) / said if said else None


_MEASURES: Mapping[str, Callable[[Sequence[Entry]], float | None]] = {
    "wer": _wer,
    "false_words_per_minute": _per_minute,
    "false_words_per_word": _per_word,
}


def shown(verdict: Verdict, value: float | None) -> str:
    """A value of this verdict's bar with its unit; the difference of two word error rates is in points."""
    if value is None:
        return "-"
    if verdict.bar.measure == "wer":
        return f"{100 * value:.1f} %"
    return f"{value:.2f} {'/min' if verdict.bar.measure == 'false_words_per_minute' else '/word'}"


def shown_limit(verdict: Verdict) -> str:
    """The bar itself."""
    if verdict.bar.baseline:
        return f"{100 * verdict.bar.most:+g} points"
    return shown(verdict, verdict.bar.most)


def shown_value(verdict: Verdict) -> str:
    """What is held against it."""
    if verdict.bar.baseline and verdict.value is not None:
        return f"{100 * verdict.value:+.1f} points"
    return shown(verdict, verdict.value)


def shown_outcome(verdict: Verdict) -> str:
    if verdict.passed is None:
        return "not measured"
    if verdict.passed:
        return "reached"
    return "missed" if verdict.enough else f"missed: fewer than {verdict.bar.least_words:,} words"


def print_verdicts(verdicts: Iterable[Verdict], console: Console) -> None:
    """A table for 90 columns."""
    table = Table(box=None)
    table.add_column("bar", no_wrap=True)
    for column in ("words", "measured", "against", "counts", "at most"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for verdict in verdicts:
        table.add_row(
            verdict.bar.key,
            f"{verdict.words:,}" if verdict.words else "-",
            shown(verdict, verdict.measured),
            shown(verdict, verdict.against),
            shown_value(verdict),
            shown_limit(verdict),
            shown_outcome(verdict),
        )
    console.print(table)


def summary(entry: Entry) -> str:
    """A measured condition in a line."""
    total = entry["total"]
    rtf = f"RTF {total['rtf']:.2f}"
    if total["words"]:
        errors = word_errors([total])
        return f"WER {100 * total['wer']:.1f} % ({errors} of {total['words']:,} words), {rtf}"
    return f"{total['silent_words']} false words in {total['silent_s'] / 60:.1f} min, {rtf}"
