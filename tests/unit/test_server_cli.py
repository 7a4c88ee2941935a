"""voxtab-serve as a process: what it prints, how it ends, and what it says when it cannot start."""

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from server.addresses import lan_addresses
from server.app import check_built
from server.certificate import ensure_certificate
from server.engine_build import WEB, build_engine
from server.run import addresses_of, listen
from tests.unit.server_site import write, write_shards
from voxtab.errors import VoxtabError

COMMAND = [str(Path(sys.executable).with_name("voxtab-serve"))]
START_S = 60
ADDRESS = re.compile(r"voxtab is at (\S+)")


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    build_engine(WEB)


class Running:
    """A started server: its process, the lines it has printed, its URL."""

    def __init__(self, options: Sequence[str], cwd: Path) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *options], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        stop = threading.Timer(START_S, self.process.kill)
        stop.start()
        self.lines: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if found := ADDRESS.search(line):
                self.url = found[1]
                break
        else:
            raise AssertionError(f"it ended: {self.lines}")
        stop.cancel()

    def get(self, path: str, context: ssl.SSLContext | None = None) -> bytes:
        address = urlsplit(self.url)
        host = address.hostname or ""
        if context:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, address.port, timeout=20, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, address.port, timeout=20)
        connection.request("GET", path)
        body = connection.getresponse().read()
        connection.close()
        return body

    def stop(self, number: int) -> tuple[int, str]:
        """Exit status after a signal, and the rest of the output."""
        self.process.send_signal(number)
        assert self.process.stdout is not None
        # Not communicate(): it would miss what the loop above has read ahead.
        rest = self.process.stdout.read()
        return self.process.wait(timeout=20), rest


@contextmanager
def running(cwd: Path, *options: str) -> Iterator[Running]:
    server = Running(["--port", "0", *options], cwd)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def refusal(cwd: Path, *options: str) -> tuple[int, str]:
    """Exit status and all output of a server that cannot start."""
    ended = subprocess.run([*COMMAND, *options], cwd=cwd, capture_output=True, text=True, timeout=START_S)
    return ended.returncode, ended.stdout + ended.stderr


def test_it_serves_over_https_on_a_free_port_and_quits_cleanly_on_ctrl_c(tmp_path: Path) -> None:
    write_shards(tmp_path / "given" / "speech", b"0123456789", 2)
    with running(tmp_path, "--models", str(tmp_path / "given")) as server:
        assert re.fullmatch(r"https://localhost:[0-9]+/", server.url)
        trusting = ssl.create_default_context(cafile=str(WEB.parent / "certs" / "voxtab.pem"))
        assert b"<html" in server.get("/", trusting)
        assert "speech" in [
            model["id"] for model in json.loads(server.get("/api/models", trusting))["models"]
        ]
        port = urlsplit(server.url).port
        # Browsers keep their connections open.
        idle = http.client.HTTPSConnection("localhost", port, timeout=20, context=trusting)
        idle.request("GET", "/api/health")
        idle.getresponse().read()
        assert server.stop(signal.SIGINT) == (0, "")
        idle.close()


def test_it_quits_on_ctrl_c_while_somebody_downloads(tmp_path: Path) -> None:
    os.truncate(write(tmp_path / "given" / "big.gguf", b""), 1 << 28)
    with running(tmp_path, "--http", "--models", str(tmp_path / "given")) as server:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port), timeout=20) as wire:
            wire.sendall(b"GET /models/big.gguf/big.gguf HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert wire.recv(12) == b"HTTP/1.1 200"
            assert server.stop(signal.SIGINT)[0] == 0


def test_models_in_the_current_folder_are_found_unasked(tmp_path: Path) -> None:
    write(tmp_path / "models" / "mine.gguf", "GGUF")
    with running(tmp_path, "--http") as server:
        assert b'"mine.gguf"' in server.get("/api/models")


def test_a_certificate_of_ones_own_is_used(tmp_path: Path) -> None:
    own = ensure_certificate(tmp_path, ["localhost", "voxtab.example"])
    with running(tmp_path, "--cert", str(own.certificate), "--key", str(own.key)) as server:
        trusting = ssl.create_default_context(cafile=str(own.certificate))
        assert b'"ok":true' in server.get("/api/health", trusting)


def test_on_all_addresses_it_prints_those_for_phones(tmp_path: Path) -> None:
    with running(tmp_path, "--http", "--host", "0.0.0.0") as server:
        port = urlsplit(server.url).port
        _, rest = server.stop(signal.SIGINT)
        assert server.url == f"http://localhost:{port}/"
        for address in lan_addresses():
            assert (f"http://{address}:{port}/" in rest) == (":" not in address)
        assert "microphone" in rest


def test_a_port_in_use_is_named_with_a_way_out(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        status, output = refusal(tmp_path, "--http", "--port", str(port))
    assert status == 1
    assert f"Port {port} of 127.0.0.1 is in use" in output
    assert f"--port {port + 1}" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--models", "absent"], "--models absent is not a folder"),
        (["--cert", "a.pem"], "--cert and --key belong together"),
        (["--key", "a.pem"], "--cert and --key belong together"),
        (["--http", "--cert", "a.pem", "--key", "b.pem"], "--http uses no certificate"),
        (["--cert", "a.pem", "--key", "b.pem"], "are not a certificate and its key"),
        (["--http", "--host", "203.0.113.1"], "203.0.113.1 is not an address of this machine"),
        (["--http", "--host", "not an address"], "--host not an address"),
        (["--port", "65536"], "65535"),
        (["--port", "x"], "--port"),
        (["--unknown"], "unknown"),
    ],
)
def test_options_that_cannot_be_used_are_explained(tmp_path: Path, options: list[str], message: str) -> None:
    status, output = refusal(tmp_path, *options)
    assert status in (1, 2)
    assert message in " ".join(re.sub("[│╭╮╰╯─]", " ", output).split())
    assert "Traceback" not in output


@pytest.mark.parametrize("missing", ["index.html.j2", "pyodide.mjs", "voxtab.zip", "engine.json"])
def test_what_was_not_built_is_named_with_the_command_that_builds_it(tmp_path: Path, missing: str) -> None:
    web, templates = tmp_path / "web", tmp_path / "templates"
    paths = [
        templates / "index.html.j2",
        web / "node_modules" / "pyodide" / "pyodide.mjs",
        web / "build" / "voxtab.zip",
        web / "build" / "engine.json",
    ]
    for path in paths:
        write(path, "")
    check_built(web, templates)
    next(path for path in paths if path.name == missing).unlink()
    with pytest.raises(VoxtabError, match="Run: make serve") as caught:
        check_built(web, templates)
    assert missing in caught.value.message


def test_addresses_are_written_as_browsers_want_them() -> None:
    for host, pattern in [("127.0.0.1", "localhost"), ("::1", "localhost"), ("localhost", "localhost")]:
        with listen(host, 0) as listener:
            port = listener.getsockname()[1]
            assert addresses_of(listener, secure=True) == [f"https://{pattern}:{port}/"]
    with listen("127.0.0.2", 0) as listener:  # loopback, but not where localhost leads
        port = listener.getsockname()[1]
        assert addresses_of(listener, secure=True) == [f"https://127.0.0.2:{port}/"]
    with listen("::", 0) as listener:
        port = listener.getsockname()[1]
        urls = addresses_of(listener, secure=False)
        assert urls[0] == f"http://localhost:{port}/"
        assert all(urlsplit(url).port == port for url in urls)
