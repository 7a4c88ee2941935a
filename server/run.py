"""Listens on a port and runs an application on uvicorn, with TLS or without."""

import errno
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from server.addresses import LOOPBACK, WILDCARDS, lan_addresses
from server.certificate import Certificate
from voxtab.errors import VoxtabError

SHUTDOWN_S = 1  # what a download in progress gets to finish after Ctrl-C


class Server(uvicorn.Server):
    """uvicorn's server on a socket that listens already; tells `on_start` once it answers."""

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        certificate: Certificate | None = None,
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            proxy_headers=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
            ssl_certfile=certificate.certificate if certificate else None,
            ssl_keyfile=certificate.key if certificate else None,
        )
        super().__init__(config)
        self._listener = listener
        self._on_start = on_start

    def serve_until_stopped(self) -> None:
        """Blocks until Ctrl-C, SIGTERM, or `should_exit`."""
        try:
            self.run(sockets=[self._listener])
        except KeyboardInterrupt:
            pass  # uvicorn has already shut down, and raises what stopped it once more
        finally:
            self._listener.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Connections that browsers hold open and downloads cut off are no errors when one quits.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets=sockets)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises VoxtabError saying why there is none."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise VoxtabError(
            "option-invalid", f"--host {host} is not an address: {error.strerror}.", "Try --host 127.0.0.1"
        ) from error
    try:
        # Lets a restarted server take over a port whose old connections linger; never a port in use.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from error
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> VoxtabError:
    if error.errno == errno.EADDRINUSE:
        return VoxtabError(
            "busy",
            f"Port {port} of {host} is in use by another program.",
            f"Stop it, or choose another port: voxtab-serve --port {port + 1 if port < 65535 else 0}",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return VoxtabError(
            "option-invalid",
            f"Port {port} may not be used by this user.",
            "Choose one above 1023: --port 8443",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return VoxtabError(
            "option-invalid",
            f"{host} is not an address of this machine.",
            "Use --host 127.0.0.1, or --host 0.0.0.0 for all its addresses.",
        )
    return VoxtabError("option-invalid", f"Cannot listen on port {port} of {host}: {error.strerror}.")


def addresses_of(listener: socket.socket, *, secure: bool) -> list[str]:
    """URLs of a listening socket, the one for this machine first; the rest are for other devices."""
    host, port = listener.getsockname()[:2]
    if host in WILDCARDS:
        v6 = listener.family == socket.AF_INET6
        others = [address for address in lan_addresses() if v6 or ":" not in address]
        hosts = ["localhost", *others]
    else:
        # 127.0.0.2 is this machine as well, but localhost does not lead there.
        hosts = ["localhost" if host in LOOPBACK else host]
    scheme = "https" if secure else "http"
    return [f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/" for host in hosts]


@contextmanager
def serving(
    app: ASGIApp, *, certificate: Certificate | None = None, host: str = "127.0.0.1", port: int = 0
) -> Iterator[str]:
    """Runs `app` in a thread, for programs and tests that embed it; gives its URL, stops it at the end."""
    listener = listen(host, port)
    url = addresses_of(listener, secure=certificate is not None)[0]
    started = threading.Event()
    server = Server(app, listener, certificate, on_start=started.set)
    thread = threading.Thread(target=server.serve_until_stopped, daemon=True)
    thread.start()
    try:
        while not started.wait(0.05):
            if not thread.is_alive():
                raise VoxtabError("internal", "The server did not start.", "Its log says why.")
        yield url
    finally:
        server.should_exit = True
        thread.join(SHUTDOWN_S + 5)
