"""Loading a model natively, with a progress bar."""

from pathlib import Path
from typing import Annotated

import typer
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
from voxtab.cli.tuning_file import TuningFolder, cache_folder
from voxtab.gpu.native import NativeGpu
from voxtab.sessions.engine import Engine
from voxtab.tuning.tuner import Tuner

Tuning = Annotated[
    bool, typer.Option(help="At the first use of a large model, choose by measuring how this GPU computes.")
]


async def loaded_engine(model: Path, console: Console, tuning: bool) -> Engine:
    """The model at `model` on the best adapter; `console` shows how far it is. Raises VoxtabError."""
    tuner = Tuner(TuningFolder(cache_folder())) if tuning else None
    engine = Engine(NativeGpu(), tuner=tuner)
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
