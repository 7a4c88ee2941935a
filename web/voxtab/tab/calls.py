"""Calls that take long, by the worker's number for each, so that one can be cancelled and the others go on."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from voxtab.errors import VoxtabError
from voxtab.tab.answers import ok, refused


class Call:
    """One under way. Its work asks `check` wherever it can stop; `on_cancel` wakes one that waits for more to do."""

    def __init__(self) -> None:
        self.cancelled = False
        self.on_cancel: Callable[[], None] = lambda: None

    def check(self) -> None:
        """Raises VoxtabError cancelled once that was asked for."""
        if self.cancelled:
            raise VoxtabError("cancelled", "Stopped, as asked.", "")

    async def breathe(self) -> None:
        """Lets others have a turn, a cancellation too, then checks for one."""
        await asyncio.sleep(0)
        self.check()


_running: dict[int, Call] = {}


def long_call(number: int, work: Callable[[Call], Awaitable[Any]]) -> Coroutine[Any, Any, str]:
    """The answer of `work`. The call is known at once, before its first step, so that no cancellation is missed."""
    call = _running[number] = Call()

    async def run() -> str:
        try:
            return ok(await work(call))
        except Exception as error:
            return refused(error)
        finally:
            del _running[number]

    return run()


def cancel(call: int) -> None:
    """Make a running call answer `cancelled` soon; nothing happens to one that has ended."""
    if (running := _running.get(call)) is not None:
        running.cancelled = True
        running.on_cancel()
