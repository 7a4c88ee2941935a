"""voxtab-shards demo-asr: the commands that make the embedded demo model."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from shard_tools.printable import printable
from voxtab.errors import VoxtabError

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def demo_asr() -> None:
    """Make the embedded demo model (needs the extra [train])."""


@app.command()
def data(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    seed: Annotated[int, typer.Option(help="The same seed and tools give the same bytes.")] = 1,
    hours: Annotated[float, typer.Option(help="Hours of speech to train on.")] = 11.0,
    processes: Annotated[int, typer.Option(help="Voices that speak at the same time.")] = 2,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Make the corpus with espeak-ng, flite and festival; an interrupted run goes on."""
    from shard_tools.demo.data import make_corpus

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with RichProgress(*columns, console=Console(stderr=True)) as bars:
            task = bars.add_task("speaking", total=None)
            made = make_corpus(
                folder,
                seed=seed,
                hours=hours,
                processes=processes,
                force=force,
                progress=lambda done, total: bars.update(task, completed=done, total=total),
            )
    except VoxtabError as error:
        typer.echo(printable(f"error[{error.code}]: {error}"), err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        typer.echo("cancelled: the same command goes on from here", err=True)
        raise typer.Exit(130) from error
    typer.echo(f"{folder} is finished." if made else f"{folder} is finished already: nothing to do.")


@app.command()
def train(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="What `demo-asr data` made.")],
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder; a run in it goes on.")],
    seed: Annotated[int, typer.Option(help="Of the first weights and of everything drawn.")] = 1,
    steps: Annotated[int, typer.Option(help="Optimizer steps in all.")] = 6000,
    batch: Annotated[int, typer.Option(help="Clips of 11.5 s a step.")] = 12,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    fuse: Annotated[
        bool, typer.Option(help="Compile the step: a quarter faster; needs a C++ compiler.")
    ] = False,
) -> None:
    """Train the model: 90 minutes on two CPU cores. Losses and word errors are drawn in RUN/curves.png."""
    from shard_tools.demo.train import TrainSettings
    from shard_tools.demo.train import train as train_model

    try:
        train_model(
            corpus,
            folder,
            TrainSettings(seed=seed, steps=steps, batch=batch),
            device=device,
            fuse=fuse,
            report=lambda entry: typer.echo(json.dumps(entry)),
        )
    except VoxtabError as error:
        typer.echo(printable(f"error[{error.code}]: {error}"), err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        typer.echo("cancelled: the same command goes on from here", err=True)
        raise typer.Exit(130) from error
