"""voxtab-shards demo-asr: the commands that make the embedded demo model."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from shard_tools.printable import printable
from shard_tools.progress import progress_bar
from voxtab.errors import VoxtabError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

_TRAIN_EXTRA = ("matplotlib", "safetensors", "scipy", "torch")


@contextmanager
def _reporting() -> Iterator[None]:
    """Errors become one line on stderr and exit code 2, a package that is not installed too."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in _TRAIN_EXTRA:
            raise
        typer.echo(
            f"error[tool-missing]: {error.name} is not installed. Install it: pip install -e '.[train]'",
            err=True,
        )
        raise typer.Exit(2) from error
    except VoxtabError as error:
        typer.echo(printable(f"error[{error.code}]: {error}"), err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        typer.echo("cancelled: the same command goes on from here", err=True)
        raise typer.Exit(130) from error


@app.callback()
def demo_asr() -> None:
    """Make the embedded demo model; needs the extra called train."""


@app.command()
def data(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    seed: Annotated[int, typer.Option(help="The same seed and tools give the same bytes.")] = 1,
    hours: Annotated[float, typer.Option(help="Hours of speech to train on.")] = 11.0,
    processes: Annotated[int, typer.Option(help="Voices that speak at the same time.")] = 2,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Make the corpus with espeak-ng, flite and festival; an interrupted run goes on."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with _reporting(), RichProgress(*columns, console=Console(stderr=True)) as bars:
        from shard_tools.demo.data import make_corpus

        task = bars.add_task("speaking", total=None)
        made = make_corpus(
            folder,
            seed=seed,
            hours=hours,
            processes=processes,
            force=force,
            progress=lambda done, total: bars.update(task, completed=done, total=total),
        )
    typer.echo(f"{folder} is finished." if made else f"{folder} is finished already: nothing to do.")


@app.command()
def train(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="What `demo-asr data` made.")],
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder; a run in it goes on.")],
    seed: Annotated[int, typer.Option(help="Of the first weights and of everything drawn.")] = 1,
    steps: Annotated[int, typer.Option(help="Optimizer steps in all.")] = 6000,
    batch: Annotated[int, typer.Option(help="Clips of 11.5 s a step.")] = 12,
    rate: Annotated[float, typer.Option(help="The largest learning rate.")] = 0.004,
    initial: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Begin with the weights of another run.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    fuse: Annotated[
        bool, typer.Option(help="Compile the step: a quarter faster; needs a C++ compiler.")
    ] = False,
) -> None:
    """Train the model: 90 minutes on two CPU cores. Losses and word errors are drawn in RUN/curves.png."""
    with _reporting():
        from shard_tools.demo.train import TrainSettings
        from shard_tools.demo.train import train as train_model

        train_model(
            corpus,
            folder,
            TrainSettings(seed=seed, steps=steps, batch=batch, rate=rate),
            device=device,
            fuse=fuse,
            initial=initial,
            report=lambda entry: typer.echo(json.dumps(entry)),
        )


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="What `demo-asr train` left.")],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The model's folder, such as web/models/demo-asr.")
    ],
    checkpoint: Annotated[
        Path | None, typer.Option(help="Keep the weights in BF16 in this folder, laid out as Mistral's.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Quantize the run's latest weights to Q4_0 and write them as shards with a manifest."""
    with _reporting():
        from shard_tools.demo.export import export as export_model

        with progress_bar("quantizing") as progress:
            exported = export_model(run, out, checkpoint=checkpoint, force=force, progress=progress)
    typer.echo(f"{out}: {len(exported.manifest.shards)} shards, {exported.manifest.file.bytes:,} bytes")
    if not exported.state.finished:
        typer.echo(f"The run is not finished: step {exported.state.step}.", err=True)


@app.command()
def eval(  # noqa: A001  (the command's name)
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="What `demo-asr data` made.")],
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A folder of shards, or a .gguf file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The report; what it has is kept.")] = Path(
        "report.json"
    ),
    full_precision: Annotated[
        Path | None, typer.Option(help="The same weights: a checkpoint's folder, or a GGUF in f32.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="CONDITION", help="This condition; may be given again.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Begin the report anew.")] = False,
) -> None:
    """Measure the model under all conditions and hold it against its bars; an interrupted run goes on.

    Exit code: 0, also where bars are missed; 2 on errors, 130 if cancelled.
    """
    from shard_tools.demo.conditions import Condition
    from shard_tools.demo.evaluation import evaluate_demo
    from shard_tools.demo.verdicts import judge, print_verdicts, summary

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    stderr = Console(stderr=True, markup=False, highlight=False)
    with _reporting(), RichProgress(*columns, console=stderr) as bars:
        task = bars.add_task("loading", total=None)

        def watch(condition: Condition, done: float, total: int) -> None:
            bars.update(task, description=condition.title, completed=int(done), total=total)

        report = evaluate_demo(
            corpus,
            model,
            output,
            full_precision=full_precision,
            only=only or (),
            force=force,
            watch=watch,
            finished=lambda condition, entry: stderr.print(f"{condition.title}: {summary(entry)}"),
        )
    console = Console(markup=False, highlight=False)
    print_verdicts(judge(report["conditions"]), console)
    typer.echo(f"Measured on {report['about'].get('adapter')}; all numbers are in {output}.")


@app.command()
def card(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="What `demo-asr data` made.")],
    run: Annotated[Path, typer.Argument(metavar="RUN", help="What `demo-asr train` left.")],
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="What `demo-asr eval` wrote.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="What `demo-asr export` wrote.")],
    note: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=TEXT", help="Why a bar was missed, by its key; may be given again."),
    ] = None,
    notes: Annotated[Path | None, typer.Option(help="Notes as a JSON object.")] = None,
    trained_on: Annotated[str | None, typer.Option(help="The machine that trained, for the card.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Copy the training's curves here and show them in the card.")
    ] = None,
) -> None:
    """Write the model card, README.md in OUT. Bars that were missed need a note each."""
    with _reporting():
        from shard_tools.demo.card import read_notes, write_card

        verdicts = write_card(
            corpus,
            run,
            report,
            out,
            notes=read_notes(note or (), notes),
            trained_on=trained_on,
            picture=picture,
        )
    reached = sum(verdict.passed is True for verdict in verdicts)
    typer.echo(f"{out / 'README.md'}: {reached} of {len(verdicts)} bars reached")
