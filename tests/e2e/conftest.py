"""What the end-to-end tests share: the reference checkpoints as a server offers them, and tabs that use them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from shard_tools.quantize import quantize_checkpoint
from shard_tools.split import split_gguf
from tests.conftest import StartServer
from tests.e2e.before_gpu import KEEP_DEVICE, before_the_gpu_opens
from tests.e2e.python_entries import count_python_entries
from tests.e2e.tab import Tab
from tests.e2e.worker_python import expose_python
from tests.parity.tts_gguf import write_tts_gguf
from tests.server_process import ServerProcess

HERE = Path(__file__).parent

# Playwright's own 5 s are too few for a software adapter on a busy machine; what holds at once is not slowed.
expect.set_options(timeout=60_000)


def publish(checkpoint: Path, weights: str, root: Path, least_shards: int = 3) -> Path:
    """Quantize `checkpoint` as the reference did and split it: a folder below `root`, named after both."""
    gguf = root / f"{checkpoint.name}-{weights}.gguf"
    if checkpoint.name.startswith("tts"):
        write_tts_gguf(checkpoint, gguf, weights)
    else:
        quantize_checkpoint(checkpoint, gguf, "f32" if weights == "f32" else "q4_0", scales="absmax")
    split_gguf(gguf, gguf.with_suffix(""), shard_bytes=gguf.stat().st_size // least_shards)
    gguf.unlink()
    return gguf.with_suffix("")


# The longest first: whole files go to whichever process is free, and none shall be left with a long one at the end.
LONGEST = (
    *("test_page_failures.py", "test_tuning_chromium.py", "test_page.py", "test_listening_chromium.py"),
    *("test_parity_chromium.py", "test_kernels_tint.py", "test_microphone.py", "test_samples.py"),
    *("test_speak_page.py", "test_speak_panel.py", "test_captions.py", "test_sessions_chromium.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        if item.path.parent != HERE:
            return -1
        return LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST)

    items.sort(key=turn)


@pytest.fixture(scope="session")
def site(data: Path, start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> ServerProcess:
    """A server with demo-asr, which comes with voxtab and is the default, and the models asr-tiny-f32, asr-tiny-q4_0,
    asr-window-f32, asr-window-q4_0, tts-tiny-f32, tts-tiny-q4_0 and asr-words-q4_0."""
    root = tmp_path_factory.mktemp("models")
    for name in ("asr-tiny", "asr-window", "tts-tiny"):
        for weights in ("f32", "q4_0"):
            publish(data / name, weights, root)
    publish(data / "asr-words", "q4_0", root)
    return start_server(root)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures that tests recorded; they depend on the machine, so none is asserted."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "rtf":
                terminalreporter.line(f"RTF {value:5.2f}  {report.nodeid}")
            if name.startswith("sound to word"):
                terminalreporter.line(f"{name} {value}  {report.nodeid}")


@pytest.fixture(scope="session")
def tab(browser: Browser, site: ServerProcess) -> Iterator[Tab]:
    """voxtab.js, started, on a bare page of `site`. Shared, for starting takes seconds; each test loads its model."""
    with browser.new_context(ignore_https_errors=True) as context:
        count_python_entries(context)
        expose_python(context)
        before_the_gpu_opens(context, KEEP_DEVICE)
        yield Tab(context.new_page(), site.url)
