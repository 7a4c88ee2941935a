"""The speech card as a user works it, on the real page with a client that makes what the test tells it to."""

from __future__ import annotations

import io
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.server_process import ServerProcess

Samples = np.ndarray[Any, np.dtype[Any]]

PATIENCE_S = 60.0

FAKE = Path(__file__).with_name("fake_speaker.js")
TEXT = "Grüße! It was a bright cold day in April."
COUNT_CONTEXTS = """
window.contexts = 0;
window.AudioContext = class extends AudioContext { constructor(...args) { super(...args); window.contexts += 1; } };
"""
NO_AUDIO = (
    "window.AudioContext = class { constructor() { throw new DOMException('none', 'InvalidStateError'); } };"
)


def wait_until(page: Page, reached: Callable[[], object]) -> None:
    """Page.wait_for_function evaluates text in the page, which the page's policy forbids."""
    last = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < last, "it never came"
        page.wait_for_timeout(20)


class SpeakPage:
    """The page with fake_speaker.js in main.js's place, and the card shown."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(
            60_000
        )  # as for expect(): a server that has just started is still warming up
        self.page.route("**/app/main.js", _fake)
        self.page.goto(url)
        wait_until(self.page, lambda: self.page.evaluate("'panel' in window"))
        self.page.evaluate("panel.setShown(true)")

    def __getitem__(self, testid: str) -> Locator:
        return self.page.get_by_test_id(testid)

    def speak(self, text: str = TEXT) -> None:
        self["speak-text"].fill(text)
        self["speak"].click()

    def give(self, *seconds: float) -> None:
        """The client has made so much more."""
        for length in seconds:
            self.page.evaluate("(seconds) => fake.give(seconds)", length)

    def finish(self) -> None:
        self.page.evaluate("fake.finish()")

    def expect_status(self, text: str) -> None:
        expect(self["speak-status"]).to_have_text(text)

    def expect_error(self, code: str) -> None:
        expect(self["error"]).to_have_attribute("data-code", code)
        expect(self["error-message"]).not_to_be_empty()
        expect(self["error-hint"]).not_to_be_empty()
        self["error-dismiss"].click()

    def expect_playing(self, state: str) -> None:
        expect(self["speech-toggle"]).to_have_attribute("data-state", state)

    def position(self) -> float:
        return float(self["speech-seek"].input_value())

    def download(self) -> Samples:
        """What the WAV file that is offered holds."""
        with self.page.expect_download() as started:
            self["speech-download"].click()
        with wave.open(io.BytesIO(started.value.path().read_bytes())) as wav:
            assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, 24000)
            return np.frombuffer(wav.readframes(wav.getnframes()), "<i2")

    def drawn(self) -> int:
        """How many pixels of the waveform are not empty."""
        script = """(canvas) => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          resolve(data.filter((value, i) => i % 4 === 3 && value > 0).length);
        })))"""
        count: int = self["speech-waveform"].evaluate(script)
        return count


def _fake(route: Route) -> None:
    route.fulfill(body=FAKE.read_text(), content_type="text/javascript")


def tone(seconds: float) -> Samples:
    """What fake_speaker.js makes."""
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(24000 * seconds)) / 24000)


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(ignore_https_errors=True, locale="fr-CA") as context:
        context.add_init_script(COUNT_CONTEXTS)
        yield context


@pytest.fixture
def page(context: BrowserContext, site: ServerProcess) -> Iterator[SpeakPage]:
    uncaught: list[str] = []
    page = SpeakPage(context, site.url)
    page.page.on("pageerror", lambda error: uncaught.append(str(error)))
    yield page
    page.page.close()
    assert not uncaught


def test_the_card_is_not_there_before_a_model_that_speaks_is(page: SpeakPage) -> None:
    page.page.reload()
    wait_until(page.page, lambda: page.page.evaluate("'panel' in window"))
    expect(page["speech"]).to_be_hidden()


def test_a_text_is_spoken_as_asked_for_and_sounds_while_it_is_made(page: SpeakPage) -> None:
    assert page.page.evaluate("contexts") == 0
    page["voice-select"].select_option("neutral_male")
    page["speak-steps"].select_option("3")
    page["speak-guidance"].fill("1.5")
    page["speak-seed"].fill("42")
    page.speak()
    expect(page["speaking"]).to_be_visible()
    assert page.page.evaluate("fake.calls") == [
        {"text": TEXT, "options": {"voice": "neutral_male", "eulerSteps": 3, "guidance": 1.5, "seed": 42}}
    ]
    expect(page["speak"]).to_be_disabled()
    expect(page["speech-seek"]).to_be_disabled()
    assert page.drawn() == 0
    page.give(0.08, 0.4)
    page.expect_status("Speaking…")
    expect(page["speak-made"]).to_have_text("0.48 s of sound")
    some = page.drawn()
    assert some > 0
    wait_until(page.page, lambda: float(page["speech-seek"].input_value()) > 0.2)
    page.give(2)
    assert page.drawn() > some
    page.finish()
    page.expect_status("Done.")
    expect(page["speaking"]).to_be_hidden()
    figures = ["speech-stat-audio", "speech-stat-first", "speech-stat-rtf", "speech-stat-frames"]
    assert [page[figure].inner_text() for figure in figures] == ["2.48 s", "0.061 s", "0.5", "31"]
    page.expect_playing("ended")
    assert page.page.evaluate("contexts") == 1
    made = page.download()
    assert len(made) == round(2.48 * 24000)
    assert np.abs(made - 32768 * tone(2.48)).max() <= 0.51


def test_pause_play_stop_and_a_click_on_the_drawing(page: SpeakPage) -> None:
    for button in ("speech-toggle", "speech-stop", "speech-download"):
        expect(page[button]).to_be_disabled()
    page.speak()
    page.give(20)
    page.finish()
    page.expect_playing("playing")
    page["speech-toggle"].click()
    page.expect_playing("paused")
    expect(page["speech-toggle"]).to_have_text("Play")
    page.page.wait_for_timeout(300)
    held = page.position()
    box = page["speech-seek"].bounding_box()
    assert box is not None
    page.page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 10)
    assert page.position() == pytest.approx(15, abs=0.2)
    assert held < 15
    page.expect_playing("paused")
    page["speech-toggle"].click()
    page.expect_playing("playing")
    assert page.position() >= 14.8
    page["speech-seek"].focus()
    page.page.keyboard.press("Home")
    page.expect_playing("playing")
    assert page.position() < 14
    page["speech-stop"].click()
    page.expect_playing("paused")
    assert page.position() == 0
    expect(page["speech-stop"]).to_be_disabled()
    page.page.keyboard.press("Tab")
    assert page["speech-seek"].get_attribute("aria-valuetext") == "0:00 of 0:20"


def test_cancelling_keeps_the_text_and_what_was_made(page: SpeakPage) -> None:
    page.speak()
    page.give(0.4)
    page["speak-cancel"].click()
    page.expect_error("cancelled")
    page.expect_status("Cancelled. The sound so far is kept.")
    expect(page["speak-text"]).to_have_value(TEXT)
    assert len(page.download()) == 0.4 * 24000
    page.speak("Something else.")
    page.give(0.16)
    page.finish()
    page.expect_status("Done.")
    assert len(page.download()) == 0.16 * 24000


@pytest.mark.parametrize("before", [(), (0.4,)], ids=["at once", "midway"])
def test_a_failure_is_told_with_the_text_kept(page: SpeakPage, before: tuple[float, ...]) -> None:
    page.speak()
    page.give(*before)
    page.page.evaluate("fake.fail('device-lost', 'The graphics device was lost.')")
    page.expect_error("device-lost")
    expect(page["speak-text"]).to_have_value(TEXT)
    if before:
        page.expect_status("It did not work. The sound so far is kept.")
        expect(page["speech-download"]).to_be_enabled()
    else:
        page.expect_status("It did not work.")
        expect(page["speech-download"]).to_be_disabled()
        expect(page["speech-toggle"]).to_be_disabled()
    expect(page["speak"]).to_be_enabled()


REFUSED = {
    "no text": ("speak-text", " \n", "text-empty"),
    "too long a text": ("speak-text", "🎲" * 201, "text-too-long"),
    "no seed": ("speak-seed", "", "option-invalid"),
    "half a seed": ("speak-seed", "0.5", "option-invalid"),
    "a seed below zero": ("speak-seed", "-1", "option-invalid"),
    "too large a seed": ("speak-seed", str(2**32), "option-invalid"),
    "no guidance": ("speak-guidance", "", "option-invalid"),
    "far too much guidance": ("speak-guidance", "10.1", "option-invalid"),
}


def test_what_cannot_be_spoken_is_told_without_asking_for_it(page: SpeakPage) -> None:
    for field, value, code in REFUSED.values():
        page["speak-text"].fill(TEXT)
        before = page[field].input_value()
        page[field].fill(value)
        page["speak"].click()
        expect(page[field]).to_be_focused()
        page.expect_error(code)
        page[field].fill(before)
    assert page.page.evaluate("fake.calls") == []


def test_characters_are_counted_against_the_limit(page: SpeakPage) -> None:
    page["speak-text"].fill("🎲" * 200)
    expect(page["speak-count"]).to_have_text("200 of 200 characters")
    page["speak-text"].fill("🎲" * 203)
    expect(page["speak-count"]).to_have_text("3 too many for one go")
    expect(page["speak-count"]).to_have_attribute("data-state", "over")


def test_voices_are_grouped_by_language_and_the_licence_of_all_is_told(page: SpeakPage) -> None:
    groups = page["voice-select"].locator("optgroup")
    assert [group.get_attribute("label") for group in groups.all()] == [
        "French",
        "English",
    ]  # fr-CA reads here
    assert page["voice-select"].input_value() == "fr_male"
    expect(page["voice-licence"]).to_have_text(
        "Licence of the voices: CC BY-NC 4.0: give credit, no commercial use."
    )
    page["voice-select"].select_option("neutral_male")
    page.page.evaluate("panel.setModel(null)")
    expect(page["voice-select"]).to_be_disabled()
    expect(page["voice-select"]).to_contain_text("After loading")
    expect(page["voice-licence"]).to_be_hidden()
    voices = [{"name": name, "language": "en", "rows": 3} for name in ("casual_female", "neutral_male")]
    page.page.evaluate("(voices) => panel.setModel({ voices, voice_license: 'CC-BY-4.0' })", voices)
    assert page["voice-select"].input_value() == "neutral_male"
    expect(page["voice-licence"]).to_have_text("Licence of the voices: CC-BY-4.0.")
    page.page.evaluate("panel.setModel({ voices: [] })")
    expect(page["voice-select"]).to_be_disabled()
    expect(page["voice-licence"]).to_be_hidden()


def test_a_voice_that_is_known_only_once_the_model_is_loaded_is_the_one_that_is_picked_then(
    page: SpeakPage,
) -> None:
    page.page.evaluate("panel.setModel(null)")
    page.page.evaluate("""() => {
      fake.before = () => panel.setModel({ voices: [{ name: "fr_male", language: "fr", rows: 97 }] });
    }""")
    page.speak()
    assert page.page.evaluate("fake.calls[0].options.voice") == "fr_male"


def test_the_codes_are_there_for_those_who_look(page: SpeakPage) -> None:
    page.speak()
    page.give(0.16)
    expect(page["speech-details"]).to_be_hidden()
    page.finish()
    page["speech-details"].locator("summary").click()
    expect(page["speech-codes"]).to_have_text("100 2 3 101 2 3")
    page.speak()
    expect(page["speech-details"]).to_be_hidden()


def test_the_dice_gives_another_seed_each_time(page: SpeakPage) -> None:
    seeds = set()
    for _ in range(5):
        page["speak-dice"].click()
        seeds.add(int(page["speak-seed"].input_value()))
    assert len(seeds) == 5
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_without_an_audio_output_the_sound_can_still_be_downloaded(
    browser: Browser, site: ServerProcess
) -> None:
    with browser.new_context(ignore_https_errors=True) as context:
        context.add_init_script(NO_AUDIO)
        page = SpeakPage(context, site.url)
        page.speak()
        page.give(0.4)
        page.expect_error("speaker-absent")
        page.give(0.4)
        page.finish()
        page.expect_status("Done.")
        assert len(page.download()) == 0.8 * 24000
