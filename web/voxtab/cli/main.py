"""`voxtab`: speech to text and text to speech on this machine's GPU."""

import typer

from voxtab import __version__
from voxtab.cli.bench import bench
from voxtab.cli.listen import listen
from voxtab.cli.speak import speak, voices
from voxtab.cli.transcribe import transcribe

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def voxtab() -> None:
    """Voxtral on your own GPU. The same engine runs in a browser tab: voxtab-serve."""


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


for command in (transcribe, listen, speak, voices):
    app.command()(command)
app.add_typer(bench, name="bench")
