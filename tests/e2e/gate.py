"""Holds requests back, so that a test can look at what is on the way."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Route


class Gate:
    """Requests of the context whose URL matches `pattern` wait until `open()`."""

    def __init__(self, context: BrowserContext, pattern: str) -> None:
        self._context = context
        self._pattern = re.compile(pattern)
        self._held: list[Route] = []
        self._is_open = False
        context.route(self._pattern, self._arrived)

    def _arrived(self, route: Route) -> None:
        if self._is_open:
            route.continue_()
        else:
            self._held.append(route)

    def open(self) -> None:
        """Let those that wait and those to come pass."""
        self._is_open = True
        for route in self._held:
            route.continue_()
        self._held.clear()
