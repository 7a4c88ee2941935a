"""Loading a model natively, with a progress bar."""

from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from voxtab.cli.model_files import open_model
from voxtab.gpu.native import NativeGpu
from voxtab.sessions.engine import Engine


async def loaded_engine(model: Path, console: Console) -> Engine:
    """The model at `model` on the best adapter; `console` shows how far it is. Raises VoxtabError."""
    engine = Engine(NativeGpu())
    with Progress(
        TextColumn("{task.description}"),
        *(BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()),
        console=console,
        transient=True,
    ) as bars:
        bar = bars.add_task("loading", total=None)
        source = open_model(model, lambda done, total: bars.update(bar, completed=done, total=total))
        await engine.load(source, source.tekken)
    return engine
