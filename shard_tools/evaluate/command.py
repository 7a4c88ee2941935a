"""`voxtab-shards eval`: finds the recordings, loads the model, measures, and reports what there is however it ends."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from shard_tools.evaluate.data_set import find_items
from shard_tools.evaluate.measure import FilesDone, LoadedEngine, load_engine, measure
from shard_tools.evaluate.normaliser import find_normaliser
from shard_tools.evaluate.report import FileResult, Report
from shard_tools.evaluate.report_tables import failure_lines, print_report
from shard_tools.output_check import check_output
from shard_tools.output_file import writing
from shard_tools.printable import printable
from shard_tools.progress import progress_bar
from voxtab import __version__
from voxtab.errors import VoxtabError
from voxtab.models.asr_state import AsrOptions

FAILED, ERROR, CANCELLED = 1, 2, 130


@dataclass(frozen=True)
class EvalOptions:
    """The command's options; see its --help."""

    delay_ms: int = 480
    normalize_peak: bool = False
    kv_cache: str = "f16"
    normaliser: str = "basic"
    audio: Path | None = None
    text_column: str | None = None
    limit: int | None = None
    as_json: bool = False
    output: Path | None = None
    force: bool = False


def run_eval(model: Path, data: Path, options: EvalOptions) -> int:
    """Measure and report; the exit code. Raises VoxtabError when there is nothing to report."""
    session = AsrOptions(delay_ms=options.delay_ms, cache=options.kv_cache)
    find_normaliser(options.normaliser)
    if options.limit is not None and options.limit < 1:
        raise VoxtabError("option-invalid", f"limit can't be {options.limit}.", "Use 1 or more.")
    items = find_items(data, options.audio, options.text_column)[: options.limit]
    if options.output is not None:
        recordings = [item.audio for item in items if isinstance(item.audio, Path)]
        check_output(options.output, [model, data, *recordings], options.force)
    with progress_bar("loading") as progress:
        loaded = load_engine(model, progress)
    results: list[FileResult] = []
    ended: VoxtabError | None = None
    try:
        with _recordings_bar() as done:
            for result in measure(
                loaded.engine, items, session, options.normaliser, options.normalize_peak, done
            ):
                results.append(result)
    except KeyboardInterrupt:
        ended = VoxtabError("cancelled", f"Cancelled after {len(results)} of {len(items)} recordings.")
    except VoxtabError as error:
        ended = error
    report = Report(
        results,
        options.normaliser,
        planned=len(items),
        stopped=ended.code if ended else None,
        about=_about(model, data, options, loaded),
    )
    _report(report, options)
    if ended is not None:
        print(printable(f"error[{ended.code}]: {ended}"), file=sys.stderr)
        return CANCELLED if ended.code == "cancelled" else ERROR
    return FAILED if report.failed else 0


def _about(model: Path, data: Path, options: EvalOptions, loaded: LoadedEngine) -> dict[str, Any]:
    return {
        "voxtab": __version__,
        "model": {"path": str(model), "name": loaded.name, "load_s": round(loaded.seconds, 3)},
        "adapter": loaded.engine.gpu.info.name,
        "data": str(data),
        "options": {
            "delay_ms": options.delay_ms,
            "normalize_peak": options.normalize_peak,
            "kv_cache": options.kv_cache,
            "limit": options.limit,
        },
    }


def _report(report: Report, options: EvalOptions) -> None:
    """To the file and to stdout, the one even if the other fails."""
    text = json.dumps(report.to_json(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    data = text.encode("utf-8", "backslashreplace")  # names of files that are no UTF-8, as JSON says them
    try:
        if options.output is not None:
            with writing(options.output, len(data)) as file:
                file.write(data)
    finally:
        if options.as_json:
            print(data.decode(), end="")
        else:
            print_report(report, Console(markup=False, highlight=False, emoji=False))
            model = report.about["model"]
            print(
                printable(
                    f"{model['name'] or 'The model'} loaded in {model['load_s']:.1f} s on {report.about['adapter']}"
                )
            )
        for line in failure_lines(report.failed):
            print(line, file=sys.stderr)


@contextmanager
def _recordings_bar() -> Iterator[FilesDone]:
    """A bar on stderr: recordings done, time taken and time left."""
    columns = (
        *(TextColumn("measuring"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}")),
        *(TimeElapsedColumn(), TimeRemainingColumn()),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("", total=0)
        yield lambda done, total: bars.update(task, completed=done, total=total)
