"""What tests share: a native adapter, a Chromium, a running server. What is missing fails, it never skips."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests import chromium
from tests.server_process import ServerProcess
from voxtab.errors import VoxtabError
from voxtab.gpu.native import NativeGpu, choose_adapter

DATA = Path(__file__).parent / "data"
LaunchChromium = Callable[..., Browser]
StartServer = Callable[..., ServerProcess]


@pytest.fixture(scope="session")
def data() -> Path:
    """The reference data: asr-tiny, asr-window, asr-words."""
    return DATA


@pytest.fixture(scope="session")
def native_adapter() -> Any:
    """wgpu's adapter."""
    try:
        return choose_adapter()
    except VoxtabError as error:
        pytest.fail(f"{error} `make test` installs one where it can.")


@pytest.fixture
def native_gpu(native_adapter: Any) -> NativeGpu:
    """A device of its own for one test."""
    return NativeGpu(native_adapter)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright's synchronous side. It holds this thread's event loop, so tests that use it come last."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def launch_chromium(playwright: Playwright) -> Iterator[LaunchChromium]:
    """launch_chromium(*flags) -> Browser with WebGPU on the software adapter, closed at the end."""
    with ExitStack() as open_browsers:
        yield lambda *flags: open_browsers.enter_context(chromium.launch(playwright, *flags))


@pytest.fixture(scope="session")
def browser(launch_chromium: LaunchChromium) -> Browser:
    """A Chromium without extra flags, shared by all tests that need no others."""
    return launch_chromium()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a fresh profile that trusts our certificates. An uncaught error on it fails the test."""
    uncaught: list[str] = []
    with browser.new_context(ignore_https_errors=True) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: uncaught.append(str(error)))
        yield page
    assert not uncaught, "uncaught on the page: " + "; ".join(uncaught)


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """start_server(*models_dirs, options=()) -> a running `voxtab-serve` on a free port; has `.url`."""
    with ExitStack() as running:

        def start(*models_dirs: Path, options: tuple[str, ...] = ()) -> ServerProcess:
            log = tmp_path_factory.mktemp("server") / "output.txt"
            return running.enter_context(ServerProcess(log, *models_dirs, options=options))

        yield start


# Where the time of a run goes, by folder: the summary ends with it.

_seconds: dict[str, float] = defaultdict(float)
_started = time.monotonic()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds["/".join(report.nodeid.split("/")[:2])] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("time by folder")
    for folder, seconds in _seconds.items():
        terminalreporter.line(f"{seconds:7.1f} s  {folder}")
    terminalreporter.line(f"{time.monotonic() - _started:7.1f} s  with collection")
