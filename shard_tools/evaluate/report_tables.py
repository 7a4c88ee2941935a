"""A report for people: every recording, every group, what was misheard, and one line of totals."""

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shard_tools.evaluate.report import FileResult, Report
from shard_tools.evaluate.score import Counts
from shard_tools.printable import printable

_WORST: Final = 10
_LONGEST_TEXT: Final = 200
_LONGEST_NAME: Final = 100
_NUMBERS: Final = ("words", "sub", "ins", "del", "WER")


def print_report(report: Report, console: Console) -> None:
    """Texts and names are printed without control characters or markup, cut to a length that can be read."""
    _print_files(report, console)
    _print_groups(report, console)
    _print_worst(report, console)
    console.print(Text(summary(report)))


def summary(report: Report) -> str:
    """The totals in a line or two."""
    total = report.total
    words = total.words
    parts = []
    if words.reference:
        parts.append(
            f"WER {_percent(total.wer)} ({words.errors:,} of {words.reference:,} words: {words.substitutions:,}"
            f" substituted, {words.insertions:,} inserted, {words.deletions:,} deleted)"
        )
        parts.append(f"CER {_percent(total.cer)}")
    if total.false_words_per_minute is not None:
        parts.append(
            f"{total.false_words_per_minute:.2f} false words a minute in {total.silent_s / 60:.1f} min without speech"
        )
    if total.rtf is not None:
        parts.append(f"RTF {total.rtf:.3f} ({total.processing_s:.1f} s for {total.seconds:.1f} s of sound)")
    if total.failed:
        parts.append(f"{total.failed} of {len(report.results)} recordings failed")
    if report.partial:
        parts.append(f"partial: {len(report.results)} of {report.planned} recordings were tried")
    return "; ".join(parts) or "Nothing was measured"


def _print_files(report: Report, console: Console) -> None:
    table = _table("file", "seconds", *_NUMBERS, "RTF")
    for result in report.results:
        name = Text(_line(result.name, _LONGEST_NAME))
        if result.error is not None:
            table.add_row(name, *[""] * len(_NUMBERS), "failed", "")
        else:
            rtf = result.processing_s / result.seconds
            table.add_row(name, f"{result.seconds:.1f}", *_numbers(result.words), f"{rtf:.2f}")
    console.print(table)


def _print_groups(report: Report, console: Console) -> None:
    groups = report.by_group
    if len(groups) < 2:
        return
    table = _table("group", "files", "seconds", "words", "WER", "CER", "false/min", "RTF")
    for name, totals in groups.items():
        table.add_row(
            Text(_line(name, _LONGEST_NAME) or "(none)"),
            str(totals.files),
            f"{totals.seconds:.1f}",
            f"{totals.words.reference:,}",
            _percent(totals.wer),
            _percent(totals.cer),
            _fixed(totals.false_words_per_minute),
            _fixed(totals.rtf),
        )
    console.print(table)


def _print_worst(report: Report, console: Console) -> None:
    """What was said and what was written, where they differ most."""
    wrong = sorted(report.results, key=lambda result: -result.words.errors)[:_WORST]
    for result in wrong:
        if result.words.errors:
            console.print(Text(_line(result.name, _LONGEST_NAME), style="bold"))
            console.print(Text(f"  said:    {_line(result.reference, _LONGEST_TEXT)}"))
            console.print(Text(f"  written: {_line(result.hypothesis, _LONGEST_TEXT)}"))


def _table(first: str, *others: str) -> Table:
    table = Table()
    table.add_column(first, overflow="fold", min_width=12)
    for other in others:
        table.add_column(other, justify="right", no_wrap=True)
    return table


def _numbers(words: Counts) -> list[str]:
    edits = (words.substitutions, words.insertions, words.deletions)
    return [f"{words.reference:,}", *(f"{count:,}" for count in edits), _percent(words.rate)]


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.1f} %"


def _fixed(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _line(text: str, longest: int) -> str:
    shown = printable(" ".join(text[: 2 * longest].split()))
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."


def failure_lines(failed: list[FileResult]) -> list[str]:
    """One printable line for each recording that failed."""
    return [
        printable(f"{result.name}: error[{result.error.code}]: {result.error}")
        for result in failed
        if result.error is not None
    ]
