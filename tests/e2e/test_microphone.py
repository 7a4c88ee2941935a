"""The microphone: Chromium's fake one plays a recording, the page records and transcribes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from server.engine_build import WEB
from tests.conftest import LaunchChromium
from tests.e2e.demo_page import DemoPage
from tests.e2e.recordings import RATE, joined
from tests.server_process import ServerProcess

# Its voice was held out of the demo model's training.
SAMPLE = next(
    sample
    for sample in json.loads((WEB / "samples" / "samples.json").read_text())["samples"]
    if sample["file"].endswith("-rms.wav")
)
SILENCE_S = 1.0
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
ALLOWED_TOO_LATE = """async () => {
  allow();
  const [track] = late.getTracks();
  for (let i = 0; i < 200 && track.readyState !== "ended"; i++) await new Promise((go) => setTimeout(go, 50));
  return track.readyState;
}"""


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Silence first: the fake microphone loses its first samples."""
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


def test_a_microphone_that_is_refused_is_told_as_such(context: BrowserContext, page: DemoPage) -> None:
    context.grant_permissions([])  # with a list, what is not on it is denied instead of asked for
    page["mic-record"].click()
    page.expect_error("mic-refused")
    page.wait_until_idle()
    expect(page["status"]).to_have_text("Nothing was recorded.")
    expect(page["mic-record"]).to_be_visible()


def test_while_permission_is_pending_the_page_says_so_and_stop_gives_up(page: DemoPage) -> None:
    page.page.evaluate(PENDING)
    page["mic-record"].click()
    expect(page["status"]).to_have_text("Waiting for the microphone…")
    expect(page["mic-live"]).to_be_hidden()
    expect(page["mic-stop"]).to_have_text("Cancel")
    page["mic-stop"].click()
    page.expect_error("cancelled")
    page.wait_until_idle()
    expect(page["status"]).to_have_text("Cancelled.")
    expect(page["mic-record"]).to_be_enabled()
    assert page.page.evaluate(ALLOWED_TOO_LATE) == "ended"
    expect(page["mic-live"]).to_be_hidden()
    expect(page["status"]).to_have_text("Cancelled.")


def test_a_recording_heard_by_the_microphone_gives_its_words(
    context: BrowserContext, page: DemoPage, wav: Path
) -> None:
    context.grant_permissions(["microphone"])
    page["mic-level"].evaluate(NOTE_LOUDEST)
    page["mic-record"].click()
    expect(page["status"]).to_have_text("Recording…")
    seconds = (wav.stat().st_size - 44) / 2 / RATE
    enough = "|".join(f"0:{second:02d}" for second in range(int(seconds) + 1, 60))
    expect(page["mic-elapsed"]).to_have_text(re.compile(enough), timeout=55_000)
    expect(page["mic-device"]).to_contain_text("Fake")
    assert 0.6 < page.page.evaluate("loudest") <= 1
    page["mic-stop"].click()
    page.wait_until_idle()
    page.expect_no_error()
    expect(page["transcript"]).to_have_attribute("data-state", "done")
    assert page.words() == SAMPLE["text"].split()
    expect(page["player"]).to_have_js_property("readyState", 4)
    recorded = float(page["stat-audio"].inner_text().split()[0])
    assert recorded >= int(seconds)
    assert page["player"].evaluate("player => player.duration") == pytest.approx(recorded, rel=0.01)
