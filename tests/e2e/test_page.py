"""The page over HTTPS with the model that knows 107 words: load, upload, read, copy, download, come again."""

from __future__ import annotations

import json
import re
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Error as PlaywrightError

from tests.conftest import DATA
from tests.e2e.demo_page import DemoPage
from tests.e2e.gate import Gate
from tests.e2e.watch import Watch
from tests.server_process import ServerProcess

MODEL = "asr-words-q4_0"
WORDS = DATA / "asr-words"
CASES: list[dict[str, Any]] = json.loads((WORDS / "expected.json").read_text())
EOS = 2
PERMISSIONS = ["clipboard-read", "clipboard-write"]


class Visit:
    """A page with the model loaded, watched since before it opened."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.context = browser.new_context(ignore_https_errors=True, permissions=PERMISSIONS)
        self.watch = Watch(self.context)
        self.url = url
        self.page = DemoPage(self.context.new_page(), url)
        self.page["normalise"].uncheck()  # the references heard the recordings as they are
        self.page.load(MODEL)


@pytest.fixture(scope="module")
def visit(browser: Browser, site: ServerProcess) -> Iterator[Visit]:
    visit = Visit(browser, site.url)
    yield visit
    visit.context.close()


@pytest.fixture(scope="module")
def page(visit: Visit) -> DemoPage:
    return visit.page


def recording(name: str) -> Path:
    return WORDS / name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_an_uploaded_recording_gives_the_references_tokens_and_words_on_screen(
    page: DemoPage, case: dict[str, Any]
) -> None:
    page.transcribe(recording(case["file"]))
    want = case["q4_0"]
    assert page.tokens() == [token for token in want["tokens"] if token != EOS]
    assert page["transcript"].inner_text().split() == want["text"].split()
    assert page.words() == want["text"].split()


@pytest.fixture(scope="module")
def transcribed(page: DemoPage) -> DemoPage:
    page.transcribe(recording("numbers.wav"))
    return page


def test_every_word_knows_when_it_was_said(transcribed: DemoPage) -> None:
    with wave.open(str(recording("numbers.wav"))) as sound:
        seconds = sound.getnframes() / sound.getframerate()
    words = transcribed["word"]
    times = words.evaluate_all("words => words.map(({dataset}) => [+dataset.start, +dataset.end])")
    assert len(times) > 3
    ends = 0.0
    for start, end in times:
        assert ends <= start < end <= seconds
        ends = end


def test_the_text_is_copied_and_downloaded(transcribed: DemoPage) -> None:
    text = " ".join(transcribed.words())
    assert text
    transcribed["copy"].click()
    expect(transcribed["status"]).to_have_text("Copied.")
    assert transcribed.page.evaluate("() => navigator.clipboard.readText()") == text
    with transcribed.page.expect_download() as download:
        transcribed["download"].click()
    assert download.value.suggested_filename == "numbers.txt"
    assert download.value.path().read_text() == f"{text}\n"


def test_the_page_tells_speed_adapter_and_gpu_memory(transcribed: DemoPage) -> None:
    for figure in ("stat-audio", "stat-time", "stat-rtf", "stat-tokens-per-s", "gpu-memory"):
        number = re.match(r"[\d.]+", transcribed[figure].inner_text())
        assert number is not None, figure
        assert float(number[0]) > 0, figure
    expect(transcribed["adapter"]).to_contain_text("swiftshader")


def test_what_was_dropped_can_be_heard(transcribed: DemoPage) -> None:
    expect(transcribed["sound-name"]).to_have_text("numbers.wav")
    expect(transcribed["player"]).to_be_visible()
    expect(transcribed["player"]).to_have_js_property("readyState", 4)
    with wave.open(str(recording("numbers.wav"))) as sound:
        seconds = sound.getnframes() / sound.getframerate()
    assert transcribed["player"].evaluate("player => player.duration") == pytest.approx(seconds, abs=0.01)


def test_loading_shows_bytes_and_percent_while_shards_are_still_to_come(visit: Visit) -> None:
    gate, page = Gate(visit.context, r"/asr-tiny-f32/shard-ac$"), visit.page
    page.choose_model("asr-tiny-f32")
    page["model-load"].click()
    expect(page["model-percent"]).to_have_text("66%")
    expect(page["model-bytes"]).to_have_text("4.3 MB of 6.5 MB")
    expect(page["model-state"]).to_have_attribute("data-state", "loading")
    expect(page["model-cancel"]).to_be_visible()
    gate.open()
    page.wait_until_idle()
    page.expect_no_error()
    expect(page["model-state"]).to_have_attribute("data-state", "loaded")
    expect(page["model-loading"]).to_be_hidden()


def test_the_second_visit_loads_from_the_browser_and_asks_for_no_shard(visit: Visit, page: DemoPage) -> None:
    shards = f"/models/{MODEL}/shard-"
    before = visit.watch.paths(visit.url, shards)
    assert len(before) == len(set(before)) >= 3
    page.page.reload()
    page.wait_until_ready()
    page.load(MODEL)
    expect(page["model-state"]).to_contain_text("every byte verified")
    assert visit.watch.paths(visit.url, shards) == before


def test_a_visit_asks_nobody_else_and_gives_no_cause_for_complaint(visit: Visit) -> None:
    assert visit.watch.paths(visit.url, "/pyodide/")
    assert visit.watch.paths(visit.url, "/models/")
    assert visit.watch.foreign(visit.url) == []
    assert visit.watch.complaints == []


def test_the_watch_would_notice_a_stranger(browser: Browser, site: ServerProcess) -> None:
    with browser.new_context(ignore_https_errors=True) as context:
        watch = Watch(context)
        page = context.new_page()
        page.goto(site.url + "/app/icon.svg")
        with context.expect_console_message(lambda message: message.text.startswith("refused by the CSP")):
            page.evaluate("() => fetch('https://stranger.invalid/').catch(() => null)")
        with context.expect_console_message(lambda message: "404" in message.text):
            page.evaluate("() => fetch('/there/is/no/such/page')")
        assert len(watch.complaints) >= 2
        with pytest.raises(PlaywrightError):
            page.goto("https://stranger.invalid/")
        assert watch.foreign(site.url) == ["https://stranger.invalid/"]
