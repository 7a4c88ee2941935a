"""Which hosts are answered, and the headers on every answer.

The page needs cross-origin isolation (COOP and COEP, hence CORP on all it loads), WebAssembly and a
microphone, and nothing from anybody else. `wasm-unsafe-eval` lets Pyodide compile; `unsafe-eval` is not
needed.
"""

import ipaddress
import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "connect-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=(), display-capture=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


def error_response(status: int, code: str, message: str, hint: str = "") -> JSONResponse:
    """An error as all of voxtab writes it: {"error": {"code", "message", "hint"}}."""
    return JSONResponse({"error": {"code": code, "message": message, "hint": hint}}, status)


class SecurityHeaders:
    """ASGI middleware: SECURITY_HEADERS on every response that passes, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class KnownHosts:
    """ASGI middleware: refuses requests whose Host is neither an address nor one of `names`.

    A page elsewhere can point its own name at 127.0.0.1 and so read from here as if same-origin (DNS
    rebinding); it needs a name for that, so bare addresses are always fine. `*.example.org` admits one
    label for the star.
    """

    def __init__(self, app: ASGIApp, *, names: Iterable[str]) -> None:
        self.app = app
        self.names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self.knows(Headers(scope=scope).get("host", "")):
            await self.app(scope, receive, send)
            return
        refusal = error_response(
            421,
            "option-invalid",
            "This server does not go by the name in the address.",
            "Open it as localhost or by its IP address, or start it with --cert for that name.",
        )
        await refusal(scope, receive, send)

    def knows(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1].lower().rstrip(".")
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name in self.names or f"*.{name.partition('.')[2]}" in self.names
        return True
