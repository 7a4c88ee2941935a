"""mistral-common, the reference for Tekken, in an environment of its own.

It needs pydantic 2 and the pyodide-build of Python 3.11 needs pydantic 1, so it cannot live beside the other test
tools. `make test` installs it into .venv/mistral-common; the tests ask a process there (mistral_encode.py),
one line of JSON for a question and one for the answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Final

# tiktoken splits and merges for mistral-common, by the Unicode tables that it was built with.
REQUIREMENTS: Final = ("mistral-common==1.13.1", "tiktoken==0.14.0")
ENVIRONMENT: Final = Path(__file__).parents[1] / ".venv" / "mistral-common"
PYTHON: Final = str(ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
SCRIPT: Final = Path(__file__).with_name("mistral_encode.py")
INSTALLED: Final = """
import sys
from importlib.metadata import version
sys.exit(any(version(name) != wanted for name, _, wanted in (arg.partition("==") for arg in sys.argv[1:])))
"""


def installed() -> bool:
    """True when the environment starts and has these very versions."""
    if not Path(PYTHON).exists():
        return False
    return (
        subprocess.run(
            [PYTHON, "-I", "-c", INSTALLED, *REQUIREMENTS], capture_output=True, check=False
        ).returncode
        == 0
    )


def install() -> None:
    """Make the environment anew. Raises CalledProcessError; what went wrong has been printed by then."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--clear", ENVIRONMENT], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", PYTHON]
    subprocess.run([*pip, "install", "--quiet", *REQUIREMENTS], check=True)


class MistralCommon:
    """A running process with mistral-common. Use it as a context."""

    def __init__(self) -> None:
        """Raises RuntimeError if it is not installed."""
        if not Path(PYTHON).exists():
            raise RuntimeError(f"mistral-common is not at {ENVIRONMENT}; `make test` installs it")
        self._process = subprocess.Popen(
            [PYTHON, "-I", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii"
        )
        self.full_vocabulary = Path(self._answer())
        """The real tekken.json of 150 000 entries that comes with it (240911)."""

    def encode(self, vocabulary: Path, texts: list[str]) -> list[list[int]]:
        """The tokens of each text by a tekken.json."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps([str(vocabulary), texts]) + "\n")
        self._process.stdin.flush()
        tokens: list[list[int]] = self._answer()
        return tokens

    def _answer(self) -> Any:
        assert self._process.stdout
        if line := self._process.stdout.readline():
            return json.loads(line)
        raise RuntimeError(f"{SCRIPT.name} ended with status {self._process.wait()}; its error stands above")

    def __enter__(self) -> MistralCommon:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()  # closes its input, which ends it
