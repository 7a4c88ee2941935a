"""Progress of long work: a function of (bytes done, bytes in all), and a bar for the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as RichProgress

Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """The progress nobody watches."""


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A bar on stderr with bytes, rate and remaining time."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
