"""The page with a model that writes and one that speaks, over HTTPS: from a checkpoint to a sound that is heard."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, expect

from shard_tools.quantize import quantize_checkpoint
from shard_tools.split import split_gguf
from tests.conftest import StartServer
from tests.e2e.conftest import publish
from tests.e2e.demo_page import DemoPage
from tests.e2e.watch import Watch
from tests.parity.golden import Expected

VOXTAB = str(Path(sys.executable).with_name("voxtab"))
LISTENER, SPEAKER = "asr-tiny-q4_0", "tts-tiny-q4_0"
# Random weights speak nonsense. This is 12 frames of it, far enough from ties that keys and values in f32 give the same.
TEXT, VOICE, STEPS, SEED = "Hello there!", "casual_male", 3, 4
LONG = "Hello there! It's 42 degrees. " * 30
RATE = 24_000
# Enough for the one that listens, too little for both.
LIMIT_MB = 30
# What comes out of the loudspeaker: the loudest sample so far, and how far the output's clock has run.
LISTEN_IN = """
window.heard = { peak: 0, time: 0 };
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to === this.context.destination) {
    const { context } = this;
    const analyser = new AnalyserNode(context, { fftSize: 32768 });
    const samples = new Float32Array(analyser.fftSize);
    connect.call(this, analyser);
    setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      window.heard = {
        peak: samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), window.heard.peak),
        time: context.currentTime,
      };
    }, 100);
  }
  return connect.call(this, to, ...rest);
};
"""


@dataclass(frozen=True)
class Spoken:
    codes: list[list[int]]
    sound: np.ndarray[Any, np.dtype[Any]]


class Visit:
    """The page, with the ear of its loudspeaker."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.context = browser.new_context(ignore_https_errors=True, locale="en-GB")
        self.context.add_init_script(LISTEN_IN)
        self.watch = Watch(self.context)
        self.url = url
        self.page = DemoPage(self.context.new_page(), url)


@pytest.fixture(scope="module")
def models(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both models as a user makes them: quantized, split, below one folder."""
    root = tmp_path_factory.mktemp("models")
    publish(data / "asr-tiny", "q4_0", root)
    gguf = root / f"{SPEAKER}.gguf"
    quantize_checkpoint(data / "tts-tiny", gguf)
    split_gguf(gguf, root / SPEAKER)
    gguf.unlink()
    return root


@pytest.fixture(scope="module")
def native(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Spoken:
    """What `voxtab speak` makes of the same text."""
    wav = tmp_path_factory.mktemp("native") / "speech.wav"
    options = {"--voice": VOICE, "--euler-steps": STEPS, "--seed": SEED, "--output": wav}
    command = [VOXTAB, "speak", TEXT, "--json", "--model", models / SPEAKER, *chain(*options.items())]
    told = subprocess.run([str(word) for word in command], capture_output=True, check=True)
    return Spoken(json.loads(told.stdout)["codes"], soundfile.read(wav)[0])


@pytest.fixture(scope="module")
def visit(native: Spoken, browser: Browser, models: Path, start_server: StartServer) -> Iterator[Visit]:
    visit = Visit(browser, start_server(models).url)
    yield visit
    visit.context.close()


@pytest.fixture(scope="module")
def page(visit: Visit) -> DemoPage:
    return visit.page


def speak(page: DemoPage, text: str, seed: int = SEED) -> None:
    """Type it and press Ctrl+Enter."""
    page["speak-text"].fill(text)
    page["speak-steps"].select_option(str(STEPS))
    page["speak-seed"].fill(str(seed))
    page["speak-text"].press("Control+Enter")


def wait_until(page: DemoPage, reached: Callable[[], object]) -> None:
    for _ in range(3000):
        if reached():
            return
        page.page.wait_for_timeout(20)
    raise AssertionError("it never came")


def heard(page: DemoPage) -> dict[str, float]:
    found: dict[str, float] = page.page.evaluate("heard")
    return found


def test_a_limit_of_memory_lets_one_model_in_and_tells_which_to_unload_for_the_other(page: DemoPage) -> None:
    page["memory-limit"].evaluate("input => input.closest('details').open = true")
    page["memory-limit"].fill(str(LIMIT_MB))
    page["memory-limit"].press("Tab")
    page.load(LISTENER)
    expect(page["speech-model-state"]).to_have_attribute("data-state", "none")
    page["speech-model-load"].click()
    page.expect_error("adapter-too-small")
    expect(page["error-message"]).to_contain_text("MB are missing")
    expect(page["error-hint"]).to_contain_text("asr-tiny")
    page.wait_until_idle()
    expect(page["model-state"]).to_have_attribute("data-state", "loaded")
    expect(page["speech-model-state"]).to_have_attribute("data-state", "none")


def test_one_click_unloads_it_and_loads_the_other(page: DemoPage) -> None:
    expect(page["error-offer"]).to_have_text("Unload asr-tiny and try again")
    page["error-offer"].click()
    expect(page["speech-model-state"]).to_have_attribute("data-state", "loaded")
    page.wait_until_idle()
    page.expect_no_error()
    expect(page["model-state"]).to_have_attribute("data-state", "none")


def test_the_limit_is_remembered(visit: Visit) -> None:
    again = DemoPage(visit.context.new_page(), visit.url, wait=False)
    expect(again["memory-limit"]).to_have_value(str(LIMIT_MB))
    again.page.close()


def test_without_a_limit_both_are_loaded_side_by_side(page: DemoPage) -> None:
    page["speech-model-unload"].click()
    expect(page["speech-model-state"]).to_have_attribute("data-state", "none")
    page.wait_until_idle()
    page["memory-limit"].fill("")
    page["memory-limit"].press("Tab")
    page.load(LISTENER)
    alone = page["gpu-memory"].inner_text()
    expect(page["voice-select"]).to_be_disabled()
    page["speech-model-load"].click()
    expect(page["speech-model-state"]).to_have_attribute("data-state", "loaded")
    page.wait_until_idle()
    page.expect_no_error()
    expect(page["model-state"]).to_have_attribute("data-state", "loaded")
    assert page["gpu-memory"].inner_text() != alone
    expect(page["voice-select"]).to_be_enabled()
    expect(page["voice-licence"]).to_contain_text("CC BY-NC 4.0")


def test_a_typed_text_gives_the_native_runs_codes_and_is_heard(page: DemoPage, native: Spoken) -> None:
    assert len(native.codes) >= 10
    page["voice-select"].select_option(VOICE)
    speak(page, TEXT)
    page.wait_until_idle()
    page.expect_no_error()
    expect(page["speak-status"]).to_have_text("Done.")
    page["speech-details"].locator("summary").click()
    expect(page["speech-codes"]).not_to_be_empty()
    lines = page["speech-codes"].inner_text().splitlines()
    assert [[int(code) for code in line.split()] for line in lines] == native.codes
    assert page["speech-stat-frames"].inner_text() == str(len(native.codes))
    expect(page["speech-toggle"]).to_have_attribute("data-state", "ended")
    seconds, peak = len(native.sound) / RATE, float(np.abs(native.sound).max())
    wait_until(page, lambda: heard(page)["peak"] > 0.5 * peak)
    assert heard(page)["time"] > seconds


def test_the_downloaded_wav_is_the_codes_sound(page: DemoPage, native: Spoken) -> None:
    with page.page.expect_download() as download:
        page["speech-download"].click()
    assert download.value.suggested_filename == "hello-there.wav"
    sound, rate = soundfile.read(download.value.path())
    assert rate == RATE
    assert np.abs(native.sound).max() > 0.01
    np.testing.assert_allclose(sound, native.sound, atol=1e-3)


def test_both_models_work_beside_each_other(page: DemoPage, data: Path) -> None:
    page["normalise"].uncheck()  # the reference heard the recording as it is
    page.transcribe(data / "asr-tiny" / "input.wav")
    assert page.tokens() == Expected(data / "asr-tiny", "q4_0").transcript(480)
    expect(page["speech-model-state"]).to_have_attribute("data-state", "loaded")


def test_text_that_is_dragged_is_the_browsers_and_files_are_the_pages(page: DemoPage) -> None:
    taken = """(target, kind) => {
      const dataTransfer = new DataTransfer();
      if (kind === "file") dataTransfer.items.add(new File(["x"], "x.wav"));
      else dataTransfer.setData("text/plain", "x");
      const event = new DragEvent("dragover", { dataTransfer, bubbles: true, cancelable: true });
      return !target.dispatchEvent(event);
    }"""
    assert page["speak-text"].evaluate(taken, "text") is False
    assert page["speak-text"].evaluate(taken, "file") is True


def test_making_and_playing_stop_midway_and_what_was_made_is_kept(page: DemoPage) -> None:
    speak(page, LONG, seed=0)
    expect(page["speech-toggle"]).to_have_attribute("data-state", "playing")
    page["speech-stop"].click()
    expect(page["speech-toggle"]).to_have_attribute("data-state", "paused")
    assert page["speech-seek"].input_value() == "0"
    expect(page["speaking"]).to_be_visible()
    page["speak-cancel"].click()
    page.expect_error("cancelled")
    page.wait_until_idle()
    expect(page["speak-status"]).to_have_text("Cancelled. The sound so far is kept.")
    expect(page["speech-details"]).to_be_hidden()
    expect(page["speech-download"]).to_be_enabled()


def test_a_voice_the_model_lacks_is_told_with_the_ones_it_has(page: DemoPage) -> None:
    page["voice-select"].evaluate("select => select.add(new Option('Nobody', 'nobody', true, true))")
    speak(page, TEXT)
    page.expect_error("voice-unknown")
    expect(page["error-hint"]).to_contain_text(VOICE)
    page.wait_until_idle()
    expect(page["speak-text"]).to_have_value(TEXT)


def test_a_model_that_is_not_loaded_is_when_something_is_to_be_spoken(page: DemoPage, native: Spoken) -> None:
    page["speech-model-unload"].click()
    expect(page["speech-model-state"]).to_have_attribute("data-state", "none")
    expect(page["voice-select"]).to_be_disabled()
    page.wait_until_idle()
    speak(page, TEXT)
    page.wait_until_idle()
    page.expect_no_error()
    expect(page["speech-model-state"]).to_have_attribute("data-state", "loaded")
    expect(page["speech-stat-frames"]).to_have_text(str(len(native.codes)))


def test_nobody_else_was_asked_and_nothing_was_complained_about(visit: Visit) -> None:
    assert visit.watch.foreign(visit.url) == []
    assert visit.watch.complaints == []
