"""A browser that refuses its private file system, as some do in private windows: everything works, nothing is kept."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.conftest import DATA
from tests.e2e.before_gpu import before_the_gpu_opens
from tests.e2e.demo_page import DemoPage
from tests.server_process import ServerProcess

MODEL = "asr-words-q4_0"
NO_STORAGE = """
StorageManager.prototype.getDirectory = async () => { throw new DOMException("refused", "SecurityError"); };
"""


def test_without_private_files_the_page_loads_and_transcribes_and_says_that_nothing_is_kept(
    browser: Browser, site: ServerProcess
) -> None:
    with browser.new_context(ignore_https_errors=True) as context:
        before_the_gpu_opens(context, NO_STORAGE)
        page = DemoPage(context.new_page(), site.url)
        expect(page["cache-size"]).to_have_text("no model")
        page.load(MODEL)
        expect(page["model-note"]).to_contain_text(
            "Not kept in this browser: it offers no fast local storage."
        )
        page.transcribe(DATA / "asr-words" / "kal.wav")
        assert " ".join(page.words()) == "seven eight nine ten stop the music"
        assert len(page.page.workers) == 1
