"""Errors of a command: one line on stderr, exit code 2; 130 after Ctrl-C."""

import functools
from collections.abc import Callable
from typing import ParamSpec

import typer
from rich.console import Console
from rich.markup import escape

from voxtab.errors import VoxtabError

P = ParamSpec("P")
_CANCELLED = 130


def reported(run: Callable[P, None]) -> Callable[P, None]:
    """The command, its VoxtabErrors told to people."""

    @functools.wraps(run)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            run(*args, **kwargs)
        except VoxtabError as error:
            Console(stderr=True).print(escape(f"error[{error.code}]: {error}"), style="red", highlight=False)
            raise typer.Exit(2) from error
        except KeyboardInterrupt:
            raise typer.Exit(_CANCELLED) from None

    return reporting
