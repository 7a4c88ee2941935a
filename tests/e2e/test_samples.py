"""The page as a fresh clone serves it: one click on a sample, and what was said is on the screen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from playwright.sync_api import Browser, expect

from server.engine_build import WEB
from tests.e2e.demo_page import DemoPage
from tests.e2e.gate import Gate
from tests.e2e.recordings import RATE
from tests.e2e.watch import Watch
from tests.server_process import ServerProcess

FOLDER = WEB / "samples"
SAMPLES: list[dict[str, Any]] = json.loads((FOLDER / "samples.json").read_text())["samples"]
MODEL = "demo-asr"
Record = Callable[[str, object], None]


class Visit:
    """A visitor who did nothing yet: the page is still starting when the first test begins."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.context = browser.new_context(ignore_https_errors=True)
        self.watch = Watch(self.context)
        self.url = url
        self.page = DemoPage(self.context.new_page(), url, wait=False)


@pytest.fixture(scope="module")
def visit(browser: Browser, site: ServerProcess) -> Iterator[Visit]:
    visit = Visit(browser, site.url)
    yield visit
    visit.context.close()


@pytest.fixture(scope="module")
def page(visit: Visit) -> DemoPage:
    return visit.page


def seconds(path: Path) -> float:
    return float(soundfile.info(path).duration)


def duration(page: DemoPage) -> float:
    """Seconds of what the page's player would play."""
    expect(page["player"]).to_be_visible()
    expect(page["player"]).to_have_js_property("readyState", 4)
    length: float = page["player"].evaluate("player => player.duration")
    return length


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["file"])
def test_one_click_on_a_sample_writes_what_was_said(
    page: DemoPage, sample: dict[str, Any], record_property: Record
) -> None:
    page.try_sample(sample["file"])
    assert page.words() == sample["text"].split()
    expect(page["said-text"]).to_have_text(sample["text"])
    expect(page["model-state"]).to_have_attribute("data-state", "loaded")
    assert duration(page) == pytest.approx(seconds(FOLDER / sample["file"]), abs=0.01)
    rtf = float(page["stat-rtf"].inner_text())
    assert rtf > 0
    record_property("rtf", rtf)


def test_a_recording_as_quiet_as_a_hundredth_gives_the_same_words(page: DemoPage, tmp_path: Path) -> None:
    sample = SAMPLES[0]
    sound, rate = soundfile.read(FOLDER / sample["file"])
    assert rate == RATE
    soundfile.write(tmp_path / "quiet.wav", 0.01 * sound / abs(sound).max(), rate, subtype="PCM_16")
    expect(page["normalise"]).to_be_checked()
    page.transcribe(tmp_path / "quiet.wav")
    assert page.words() == sample["text"].split()
    expect(page["said"]).to_be_hidden()


def test_the_page_says_what_the_demo_model_knows_and_how_to_get_one_that_knows_more(page: DemoPage) -> None:
    description = json.loads((WEB / "models" / MODEL / "manifest.json").read_text())["model"]["description"]
    expect(page["model-description"]).to_have_text(description)
    expect(page["demo-note"]).to_contain_text("voxtab-shards fetch mistralai/Voxtral-Mini-4B-Realtime-2602")
    page.choose_model("asr-tiny-q4_0")
    expect(page["demo-note"]).to_be_hidden()
    page.choose_model(MODEL)
    expect(page["demo-note"]).to_be_visible()


def test_a_click_on_a_sample_can_be_taken_back_while_the_model_loads(visit: Visit) -> None:
    gate, page = Gate(visit.context, r"/asr-tiny-f32/shard-ac$"), visit.page
    page.choose_model("asr-tiny-f32")
    page.sample(SAMPLES[0]["file"]).click()
    expect(page["status"]).to_have_text("Loading the model first…")
    expect(page["model-percent"]).to_have_text("66%")
    expect(page.sample(SAMPLES[1]["file"])).to_be_disabled()
    page["model-cancel"].click()
    page.expect_error("cancelled")
    page.wait_until_idle()
    expect(page["status"]).to_have_text("Cancelled.")
    gate.open()
    page.choose_model(MODEL)
    page.try_sample(SAMPLES[0]["file"])
    assert page.words() == SAMPLES[0]["text"].split()


def test_all_this_asks_nobody_else_and_gives_no_cause_for_complaint(visit: Visit) -> None:
    assert len(visit.watch.paths(visit.url, "/samples/")) > len(SAMPLES)
    assert visit.watch.foreign(visit.url) == []
    assert visit.watch.complaints == []


def test_a_sample_that_is_not_there_is_told_and_the_others_still_work(visit: Visit) -> None:
    missing, page = SAMPLES[0]["file"], visit.page
    visit.context.route(f"**/samples/{missing}", lambda route: route.fulfill(status=404))
    page.sample(missing).click()
    page.expect_error("audio-undecodable")
    expect(page["error-message"]).to_contain_text(missing)
    page.wait_until_idle()
    page.try_sample(SAMPLES[1]["file"])


@pytest.mark.parametrize("body", ["", '{"format": "voxtab-samples", "version": 2}'])
def test_without_a_list_of_samples_the_page_says_so_and_does_without(
    browser: Browser, site: ServerProcess, body: str
) -> None:
    with browser.new_context(ignore_https_errors=True) as context:
        context.route("**/samples/samples.json", lambda route: route.fulfill(body=body))
        page = DemoPage(context.new_page(), site.url, wait=False)
        expect(page["sample-note"]).to_contain_text("No samples to try: samples.json is not usable")
        expect(page["sample"]).to_have_count(0)
        expect(page["audio-file"]).to_be_enabled()
        page.expect_no_error()
