"""Notes what a browser context does behind the page's back: requests, console messages, refusals by the CSP."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, ConsoleMessage, Request

_REPORT_REFUSALS = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`refused by the CSP: ${event.violatedDirective} ${event.blockedURI}`));"""


class Watch:
    """Begins with the context's next page. Workers' requests and messages are among those noted."""

    def __init__(self, context: BrowserContext) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        """Errors and warnings on the console, and uncaught errors."""
        context.add_init_script(_REPORT_REFUSALS)
        context.on("request", self._requested)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))

    def _requested(self, request: Request) -> None:
        self.requests.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def foreign(self, origin: str) -> list[str]:
        """Requests that went elsewhere; blob: and data: go nowhere."""
        return [url for url in self.requests if not url.startswith((f"{origin}/", "blob:", "data:"))]

    def paths(self, origin: str, prefix: str) -> list[str]:
        """Paths asked of `origin` that begin with `prefix`, in order."""
        paths = [url.removeprefix(origin) for url in self.requests]
        return [path for path in paths if path.startswith(prefix)]
