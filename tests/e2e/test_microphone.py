"""Live captions: Chromium's fake microphone plays a recording, and its words appear while it is playing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from server.engine_build import WEB
from tests.conftest import LaunchChromium
from tests.e2e.demo_page import PATIENCE_MS, DemoPage
from tests.e2e.recordings import RATE, joined
from tests.server_process import ServerProcess

# Its voice was held out of the demo model's training.
SAMPLE = next(
    sample
    for sample in json.loads((WEB / "samples" / "samples.json").read_text())["samples"]
    if sample["file"].endswith("-rms.wav")
)
WORDS = SAMPLE["text"].split()
SILENCE_S = 2.0
Record = Callable[[str, object], None]
NOTE_LOUDEST = """meter => {
  window.loudest = 0;
  const note = () => { window.loudest = Math.max(window.loudest, meter.value); };
  new MutationObserver(note).observe(meter, { attributes: true });
}"""
# A permission that is asked for until the test grants it, with a microphone made of silence.
PENDING = """() => {
  const { mediaDevices } = navigator;
  mediaDevices.getUserMedia = () => new Promise((allow) => {
    delete mediaDevices.getUserMedia;
    window.allow = () => {
      window.late = new AudioContext().createMediaStreamDestination().stream;
      allow(late);
    };
  });
}"""
# What browsers do to hidden tabs: timers come once a second, nothing is drawn.
HIDDEN = """() => {
  const { setTimeout: later } = window;
  window.setTimeout = (work, ms, ...rest) => later(work, Math.max(1000, ms ?? 0), ...rest);
  window.requestAnimationFrame = () => 0;
}"""
ALLOWED_TOO_LATE = """async () => {
  allow();
  const [track] = late.getTracks();
  for (let i = 0; i < 200 && track.readyState !== "ended"; i++) await new Promise((go) => setTimeout(go, 50));
  return track.readyState;
}"""


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Silence first: the fake microphone begins to play before it is listened to."""
    path = tmp_path_factory.mktemp("microphone") / "speech.wav"
    path.write_bytes(joined([WEB / "samples" / SAMPLE["file"]], SILENCE_S))
    return path


@pytest.fixture(scope="module")
def context(launch_chromium: LaunchChromium, wav: Path) -> Iterator[BrowserContext]:
    microphone = f"--use-file-for-fake-audio-capture={wav}%noloop"
    with (
        launch_chromium("--use-fake-device-for-media-stream", microphone) as browser,
        browser.new_context(ignore_https_errors=True) as context,
    ):
        yield context


@pytest.fixture(scope="module")
def page(context: BrowserContext, site: ServerProcess) -> DemoPage:
    return DemoPage(context.new_page(), site.url)


def start(page: DemoPage) -> None:
    page["mic-start"].click()
    page.expect_status("Listening…")


def wait_for_its_end(page: DemoPage, wav: Path) -> None:
    """The recording has been said, but for the silence behind it."""
    seconds = (wav.stat().st_size - 44) / 2 / RATE - SILENCE_S
    enough = "|".join(f"0:{second:02d}" for second in range(int(seconds) + 1, 60))
    expect(page["mic-elapsed"]).to_have_text(re.compile(enough))


def test_a_microphone_that_is_refused_is_told_as_such(context: BrowserContext, page: DemoPage) -> None:
    context.grant_permissions([])  # with a list, what is not on it is denied instead of asked for
    page["mic-start"].click()
    page.expect_error("mic-refused")
    page.wait_until_idle()
    page.expect_status("It did not work.")
    expect(page["mic-start"]).to_be_visible()


def test_while_permission_is_pending_the_page_says_so_and_can_be_told_to_give_up(page: DemoPage) -> None:
    page.page.evaluate(PENDING)
    page["mic-start"].click()
    page.expect_status("Waiting for the microphone…")
    expect(page["mic-live"]).to_be_hidden()
    expect(page["mic-stop"]).to_have_text("Cancel")
    page["mic-stop"].click()
    page.expect_error("cancelled")
    page.wait_until_idle()
    page.expect_status("Cancelled.")
    expect(page["mic-start"]).to_be_enabled()
    assert page.page.evaluate(ALLOWED_TOO_LATE) == "ended"
    page.expect_status("Cancelled.")


def test_words_appear_while_they_are_said(
    context: BrowserContext, page: DemoPage, record_property: Record
) -> None:
    context.grant_permissions(["microphone"])  # refused before: the page need not be loaded again
    page.load("demo-asr")
    page["mic-level"].evaluate(NOTE_LOUDEST)
    start(page)
    expect(page["word"]).to_have_text(WORDS, timeout=PATIENCE_MS)
    expect(page["mic-stop"]).to_be_visible()  # it listens still
    expect(page["mic-device"]).to_contain_text("Fake")
    assert 0.6 < page.page.evaluate("loudest") <= 1
    for share in ("p50", "p95"):
        record_property(f"sound to word, {share}", page[f"stat-{share}"].inner_text())
    page["mic-stop"].click()
    page.wait_until_idle()
    page.expect_no_error()
    expect(page["transcript"]).to_have_attribute("data-state", "done")
    assert page.words() == WORDS
    assert float(page["stat-rtf"].inner_text()) > 0
    times = page["word"].evaluate_all("(words) => words.map(({ dataset }) => [+dataset.start, +dataset.end])")
    assert times == sorted(times)
    assert 0 < times[0][0] < times[-1][1] < SILENCE_S + 4


def test_what_was_said_before_a_pause_is_written_in_it(page: DemoPage, wav: Path) -> None:
    page["delay"].fill("11")
    expect(page["delay-shown"]).to_have_text("960 ms")
    page["mic-keep"].check()
    start(page)
    wait_for_its_end(page, wav)
    page["mic-pause"].click()
    expect(page["word"]).to_have_text(WORDS, timeout=PATIENCE_MS)
    page.expect_status("Paused.")
    page["mic-pause"].click()
    page.expect_status("Listening…")
    page["mic-stop"].click()
    page.wait_until_idle()
    page.expect_no_error()
    assert page.words() == WORDS


def test_its_words_are_exported_with_their_times(page: DemoPage) -> None:
    files = {}
    for kind in ("txt", "srt", "vtt", "json"):
        page["download-format"].select_option(kind)
        with page.page.expect_download() as started:
            page["download"].click()
        assert started.value.suggested_filename.endswith(f".{kind}")
        files[kind] = started.value.path().read_text()
    assert files["txt"].split() == WORDS
    assert [word["text"] for word in json.loads(files["json"])["words"]] == WORDS
    assert re.match(r"1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n", files["srt"])
    assert re.match(r"WEBVTT\n\n", files["vtt"])
    cues = page.page.evaluate(
        """(vtt) => new Promise((resolve, reject) => {
          const track = document.createElement("track");
          track.src = URL.createObjectURL(new Blob([vtt], { type: "text/vtt" }));
          track.addEventListener("error", () => reject(new Error("the browser can't read it")));
          track.addEventListener("load", () => resolve([...track.track.cues].map(({ text }) => text)));
          document.createElement("video").append(track);
          track.track.mode = "hidden";
        })""",
        files["vtt"],
    )
    assert " ".join(cues).split() == WORDS


def test_kept_sound_can_be_played_and_transcribed_again(page: DemoPage) -> None:
    expect(page["player"]).to_have_js_property("readyState", 4)
    heard = float(page["stat-audio"].inner_text().split()[0])
    assert page["player"].evaluate("(player) => player.duration") == pytest.approx(heard, rel=0.01)
    page["delay"].fill("5")
    page["transcribe-again"].click()
    page.wait_until_idle()
    page.expect_no_error()
    assert page.words() == WORDS
    page["mic-keep"].uncheck()


def test_with_timers_and_drawing_held_back_as_in_a_hidden_tab_stop_still_writes_the_last_word(
    page: DemoPage, wav: Path
) -> None:
    page["delay"].fill("11")
    page.page.evaluate(HIDDEN)
    start(page)
    wait_for_its_end(page, wav)
    page["mic-stop"].click()
    page.wait_until_idle()
    page.expect_no_error()
    assert page.words() == WORDS
