"""`voxtab-serve` as a user starts it: a process of its own, on a free port, over HTTPS."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[1]
ADDRESS = re.compile(r"https?://(?:127\.0\.0\.1|localhost):\d+")
START_SECONDS = 60.0


class ServerProcess:
    """A context manager around the process. `url` is the address it printed, without a slash at the end."""

    url: str

    def __init__(self, log: Path, *models_dirs: Path, options: tuple[str, ...] = ()) -> None:
        """log: a file for what the server prints; options: further words of `voxtab-serve`."""
        self.log = log
        self._command = [
            str(Path(sys.executable).with_name("voxtab-serve")),
            *("--port", "0"),
            *(word for folder in models_dirs for word in ("--models", str(folder))),
            *options,
        ]

    def __enter__(self) -> ServerProcess:
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        self.url = self._printed_address()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _printed_address(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if found := ADDRESS.search(self.output()):
                return found.group()
            if self._process.poll() is not None:
                raise RuntimeError(f"{self._command} ended with {self._process.returncode}:\n{self.output()}")
            time.sleep(0.05)
        self.__exit__(None, None, None)
        raise TimeoutError(
            f"{self._command} printed no address within {START_SECONDS:.0f} s:\n{self.output()}"
        )

    def output(self) -> str:
        """All it has printed so far."""
        return self.log.read_text(errors="replace")
