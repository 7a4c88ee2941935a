"""Captions as a user works them, on the real page with a client that hears what the test tells it to."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.server_process import ServerProcess

HERE = Path(__file__).parent
RATE = 16000
BLOCK = 1280
PATIENCE_S = 60.0
Said = dict[str, Any]


def wait_until(page: Page, reached: Callable[[], object]) -> None:
    """Page.wait_for_function evaluates text in the page, which the page's policy forbids."""
    last = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < last, "it never came"
        page.wait_for_timeout(20)


def word(text: str, end: float) -> Said:
    return {"text": text, "start": end - 0.3, "end": end}


class CaptionsPage:
    """The page with fake_listener.js in main.js's place, and a microphone that hears a tone."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page = context.new_page()
        self.page.route("**/app/main.js", _fake)
        self.page.goto(url)
        wait_until(self.page, lambda: self.page.evaluate("'fake' in window"))

    def __getitem__(self, testid: str) -> Locator:
        return self.page.get_by_test_id(testid)

    def start(self) -> None:
        self["mic-start"].click()
        self.expect_status("Listening…")

    def hear(self, seconds: float) -> None:
        """Wait until so much sound has reached the client."""
        wait_until(self.page, lambda: self.fed() >= seconds)

    def fed(self) -> float:
        seconds: float = self.page.evaluate("fake.seconds")
        return seconds

    def say(self, text: str, words: list[Said] | None = None, heard: float = 0.0) -> None:
        """The client has heard so much more."""
        self.page.evaluate(
            "([text, words, heard]) => fake.say(text, words, heard)", [text, words or [], heard]
        )

    def finish(self) -> None:
        """The client has written the last words."""
        wait_until(self.page, lambda: self.page.evaluate("fake.live.closed"))
        self.page.evaluate("fake.finish()")
        self.expect_idle()

    def stop(self) -> None:
        self["mic-stop"].click()
        self.finish()

    def expect_idle(self) -> None:
        expect(self["mic-start"]).to_be_enabled()

    def expect_status(self, text: str) -> None:
        expect(self["status"]).to_have_text(text)

    def expect_error(self, code: str) -> None:
        expect(self["error"]).to_have_attribute("data-code", code)
        expect(self["error-message"]).not_to_be_empty()
        expect(self["error-hint"]).not_to_be_empty()
        self["error-dismiss"].click()

    def announced(self) -> list[str]:
        return self["captions-announced"].locator("p").all_inner_texts()


def _fake(route: Route) -> None:
    route.fulfill(body=(HERE / "fake_listener.js").read_text(), content_type="text/javascript")


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(ignore_https_errors=True) as context:
        context.add_init_script((HERE / "microphone_stream.js").read_text())
        yield context


@pytest.fixture(scope="module")
def opened(context: BrowserContext, site: ServerProcess) -> Iterator[CaptionsPage]:
    uncaught: list[str] = []
    page = CaptionsPage(context, site.url)
    page.page.on("pageerror", lambda error: uncaught.append(str(error)))
    yield page
    page.page.close()
    assert not uncaught


@pytest.fixture
def page(opened: CaptionsPage) -> Iterator[CaptionsPage]:
    """Whatever a test before it did, nothing is listened to, and nothing is after it."""
    yield opened
    opened.expect_idle()


def test_text_is_only_appended_and_words_learn_their_times(page: CaptionsPage) -> None:
    page.start()
    page.hear(1)
    page.say(" turn on")
    page.say(" the", [word("turn", 0.5), word("on", 0.9)], 1.2)
    expect(page["word"]).to_have_text(["turn", "on"])
    expect(page["transcript"]).to_have_text("turn on the")
    kept = page["word"].first.element_handle()
    page.say(" li", [word("the", 1.3)], 1.5)
    page.say("ght", [], 1.8)
    expect(page["transcript"]).to_have_text("turn on the light")
    assert kept.evaluate("(span) => span.isConnected")
    expect(page["stat-p50"]).to_be_visible()
    page["mic-stop"].click()
    page.expect_status("Writing the last words…")
    page.say("", [word("light", 1.9)], 2.4)
    page.finish()
    page.expect_status("Done.")
    assert page["word"].evaluate_all("(spans) => spans.map((span) => span.dataset.end)") == [
        "0.50",
        "0.90",
        "1.30",
        "1.90",
    ]
    expect(page["stat-rtf"]).to_have_text("0.25")


def test_a_screen_reader_is_told_whole_words_some_at_a_time(page: CaptionsPage) -> None:
    page.start()
    region = page["captions-announced"]
    assert region.get_attribute("aria-live") == "polite"
    assert page["transcript"].get_attribute("aria-live") is None
    page.say(" one two thr", [word("one", 1), word("two", 1.5)], 2)
    page.say("ee", [], 2.5)
    expect(page["transcript"]).to_have_text("one two three")
    assert page.announced() == []
    page.say("", [word("three", 2)], 3)
    page.say("", [], 3.6)  # silence
    expect(region.locator("p")).to_have_text(["one two three"])
    for k in range(7):
        page.say(f" w{k}", [word(f"w{k}", 4 + k)], 4.2 + k)
    expect(region.locator("p")).to_have_text(["one two three", "w0 w1 w2 w3 w4 w5"])
    page.stop()
    assert page.announced() == ["one two three", "w0 w1 w2 w3 w4 w5", "w6"]


@pytest.mark.parametrize("only_at_48k", [False, True], ids=["any rate", "its own rate only"])
def test_sound_arrives_at_16_khz_in_blocks_of_80_ms_without_a_seam(
    page: CaptionsPage, only_at_48k: bool
) -> None:
    page.page.evaluate("(only) => { microphone.onlyAt48k = only; }", only_at_48k)
    page["normalise"].uncheck()
    page.start()
    page.hear(1.5)
    page.stop()
    page["normalise"].check()
    assert page.page.evaluate("microphone.rate") == (48000 if only_at_48k else RATE)
    lengths = page.page.evaluate("fake.blocks")
    assert set(lengths[:-1]) == {BLOCK}
    assert lengths[-1] <= BLOCK  # what was said last before the click
    sound = np.array(page.page.evaluate("fake.samples"))[BLOCK:-BLOCK]
    assert np.abs(sound).max() == pytest.approx(0.5, abs=0.01)
    # A sine follows from the two samples before each; a sample lost or doubled would not.
    follows = 2 * np.cos(2 * np.pi * 500 / RATE) * sound[1:-1] - sound[:-2]
    assert np.abs(sound[2:] - follows).max() < 0.001


def test_a_quiet_microphone_is_brought_up(page: CaptionsPage) -> None:
    page.start()
    page.hear(0.4)
    page.stop()
    sound = np.array(page.page.evaluate("fake.samples"))
    assert np.abs(sound[BLOCK * 2 :]).max() == pytest.approx(0.95, abs=0.05)


def test_a_pause_writes_what_was_said_and_hears_nothing_more(page: CaptionsPage) -> None:
    page.start()
    page.hear(0.5)
    page["mic-pause"].click()
    page.expect_status("Paused.")
    expect(page["mic-pause"]).to_have_text("Resume")
    wait_until(
        page.page,
        lambda: page.page.evaluate("fake.blocks").count(BLOCK) < len(page.page.evaluate("fake.blocks")),
    )
    page.page.wait_for_timeout(100)
    blocks = page.page.evaluate("fake.blocks")
    silence = round((0.48 + 11 * 0.08) * RATE)
    assert blocks[-1] == silence
    sound = np.array(page.page.evaluate("fake.samples"))
    assert not sound[-silence:].any()
    assert np.abs(sound[-silence - 200 : -silence]).max() > 0.1
    held = page.fed()
    page.page.wait_for_timeout(300)
    assert page.fed() == held
    page["mic-pause"].click()
    page.expect_status("Listening…")
    page.hear(held + 0.3)
    page.stop()


def test_another_delay_while_listening_goes_to_the_session(page: CaptionsPage) -> None:
    page["delay"].focus()
    values = []
    page.page.keyboard.press("Home")
    for _ in range(16):
        values.append(page["delay-shown"].inner_text())
        page.page.keyboard.press("ArrowRight")
    assert values == [*(f"{80 * k} ms" for k in range(1, 13)), "1.04 s", "1.12 s", "1.2 s", "2.4 s"]
    page.start()
    assert page.page.evaluate("fake.options") == {"delayMs": 2400}
    page["delay"].focus()
    page.page.keyboard.press("Home")
    # The slider may have come to rest at 2400 only after the session was opened with that.
    wait_until(page.page, lambda: page.page.evaluate("fake.delays.filter((ms) => ms !== 2400)") == [80])
    page["delay"].fill("5")
    wait_until(page.page, lambda: page.page.evaluate("fake.delays.slice(-2)") == [80, 480])
    page.stop()


def test_an_unplugged_microphone_is_told_and_its_words_are_written(page: CaptionsPage) -> None:
    page.start()
    page.say(" hello")
    page.hear(0.3)
    page.page.evaluate("microphone.unplug()")
    expect(page["error"]).to_have_attribute("data-code", "mic-absent")
    page.say(" world", [word("hello", 0.4)], 1)
    page.say("", [word("world", 0.9)], 1.5)
    page.finish()
    page.expect_error("mic-absent")
    assert page["word"].all_inner_texts() == ["hello", "world"]
    page.start()
    page.hear(0.3)
    page.stop()
    expect(page["error"]).to_be_hidden()


def test_when_too_much_sound_waits_it_ends_and_says_so(page: CaptionsPage) -> None:
    page.start()
    page.page.evaluate("fake.backlog = 6.5")
    page.say(" slow", [], 1)
    page.expect_status("The GPU is behind: what is said waits, and is written later.")
    page.page.evaluate("fake.backlog = 0.5")
    page.expect_status("Listening…")
    page.page.evaluate("fake.full = true")
    expect(page["error"]).to_have_attribute("data-code", "backlog-full")
    page.page.evaluate("fake.full = false")
    fed = page.fed()
    page.say(" motion", [word("slow", 1)], 3)
    page.finish()
    assert page.fed() == fed  # nothing came behind the gap
    page.expect_error("backlog-full")
    expect(page["transcript"]).to_have_text("slow motion")
    assert page["word"].all_inner_texts() == ["slow", "motion"]


def test_a_lost_gpu_leaves_the_text_so_far(page: CaptionsPage) -> None:
    page.start()
    page.say(" so far", [word("so", 1)], 1.6)
    page.page.evaluate("fake.fail('device-lost')")
    page.expect_error("device-lost")
    page.expect_status("It did not work. The text so far is kept.")
    expect(page["transcript"]).to_have_attribute("data-state", "partial")
    assert page["word"].all_inner_texts() == ["so", "far"]
    assert page.page.evaluate("microphone.track.readyState") == "ended"


def test_the_end_is_followed_until_the_reader_scrolls_away(page: CaptionsPage) -> None:
    page.start()

    def lines(first: int) -> None:
        for k in range(first, first + 8):
            page.say(" many words" * 20, [word("many", 5.0 * k)], 5.0 * k)

    box = page["transcript"]
    at_end = "(box) => box.scrollTop + box.clientHeight >= box.scrollHeight - 2"
    lines(1)
    wait_until(page.page, lambda: box.evaluate("(box) => box.scrollHeight > 2 * box.clientHeight"))
    assert box.evaluate(at_end)
    expect(page["captions-latest"]).to_be_hidden()
    box.hover()
    page.page.mouse.wheel(0, -200)
    expect(page["captions-latest"]).to_be_visible()
    there = box.evaluate("(box) => box.scrollTop")
    lines(9)
    wait_until(page.page, lambda: box.evaluate("(box) => box.scrollHeight > 4 * box.clientHeight"))
    assert box.evaluate("(box) => box.scrollTop") == there
    page["captions-latest"].click()
    assert box.evaluate(at_end)
    expect(page["captions-latest"]).to_be_hidden()
    assert box.locator("> p").count() >= 16  # a paragraph for every pause
    page.stop()


def test_of_a_long_text_only_the_words_near_what_is_seen_are_elements(page: CaptionsPage) -> None:
    page.start()
    box, said = page["transcript"], [word(f"w{k}", 0.4 * (k + 1)) for k in range(6000)]
    text = "".join(f" {one['text']}" for one in said)
    page.say(text[:9000])
    page.say(text[9000:], said, 2400)
    wait_until(page.page, lambda: 100 <= page["word"].count() < 4000)
    assert page["word"].last.inner_text() == "w5999"
    assert (box.text_content() or "").split() == text.split()
    # Over what is text alone: the selection stays the reader's when its ends become words.
    box.evaluate("(box) => getSelection().selectAllChildren(box.firstElementChild)")
    box.evaluate("(box) => { box.scrollTop = 0; }")
    first = page["word"].first
    expect(first).to_have_text("w0")
    assert page.page.evaluate("getSelection().toString()").split() == text.split()[:100]
    assert first.get_attribute("data-start") == "0.10"
    wait_until(page.page, lambda: page["word"].count() < 4000)
    page.stop()
    with page.page.expect_download() as started:
        page["download"].click()
    assert json.loads(started.value.path().read_text()) == said


def test_text_whose_words_are_not_settled_yet_is_broken_and_joined_again(page: CaptionsPage) -> None:
    page.start()
    for k in range(0, 600, 20):
        page.say("".join(f" w{i}" for i in range(k, k + 20)))
    box = page["transcript"]
    wait_until(page.page, lambda: box.locator("p").count() >= 3)
    said = [word(f"w{k}", 0.4 * (k + 1)) for k in range(600)]
    page.say("", said, 240)
    expect(page["word"]).to_have_count(600)
    assert box.locator("p").count() == 6  # of a hundred words
    assert (box.text_content() or "").split() == [one["text"] for one in said]
    page.stop()


def test_large_type_and_high_contrast(page: CaptionsPage) -> None:
    box = page["transcript"]
    size = "(box) => parseFloat(getComputedStyle(box).fontSize)"
    before: float = box.evaluate(size)
    page["large-type"].click()
    assert box.evaluate(size) > 1.5 * before
    page["high-contrast"].click()
    colours = box.evaluate("(box) => [getComputedStyle(box).color, getComputedStyle(box).backgroundColor]")
    assert colours == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
    expect(page["high-contrast"]).to_have_attribute("aria-pressed", "true")
    for button in ("large-type", "high-contrast"):
        page[button].click()
    assert box.evaluate(size) == before


def test_kept_sound_is_played_from_the_word_that_is_clicked(page: CaptionsPage) -> None:
    expect(page["mic-keep"]).not_to_be_checked()
    page["mic-keep"].check()
    page.start()
    expect(page["mic-keep"]).to_be_disabled()
    page.say(" first second", [word("first", 0.5), word("second", 1)], 1)
    page.hear(1.2)
    expect(page["mic-kept"]).to_contain_text("kB kept")
    page.stop()
    samples = page.page.evaluate("fake.samples.length")
    assert page.page.evaluate("fake.kept.file.size") == 44 + 2 * samples
    expect(page["player"]).to_have_js_property("readyState", 4)
    page["word"].last.click()
    wait_until(page.page, lambda: not page["player"].evaluate("(player) => player.paused"))
    assert page["player"].evaluate("(player) => player.currentTime") >= 0.7
    page["mic-keep"].uncheck()
    page.start()
    expect(page["player"]).to_be_hidden()  # it was another sound
    page.stop()
    assert page.page.evaluate("fake.kept") is None


def test_words_are_handed_out_while_more_are_still_coming(page: CaptionsPage) -> None:
    page.start()
    expect(page["download"]).to_be_disabled()
    page.say(" one two", [word("one", 1)], 1.5)
    for kind in ("txt", "srt", "vtt", "json"):
        page["download-format"].select_option(kind)
        with page.page.expect_download() as started:
            page["download"].click()
        assert re.fullmatch(rf"captions [-\d ]+\.{kind}", started.value.suggested_filename)
        assert json.loads(started.value.path().read_text()) == [word("one", 1)]
    page.stop()
