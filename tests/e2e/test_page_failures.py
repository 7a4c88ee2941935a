"""What goes wrong is told with its code, and the page works on: after each failure the good model still transcribes."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import gguf
import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import DATA, StartServer
from tests.e2e.before_gpu import KEEP_DEVICE, before_the_gpu_opens
from tests.e2e.conftest import publish
from tests.e2e.demo_page import PATIENCE_MS, DemoPage
from tests.e2e.gate import Gate
from tests.e2e.recordings import joined
from tests.e2e.watch import Watch
from tests.parity.tts_gguf import write_tts_gguf

GOOD = "asr-words-q4_0"
RECORDING = DATA / "asr-words" / "kal.wav"
TEXT = "seven eight nine ten stop the music"
NO_MICROPHONE = """() => {
  navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("none", "NotFoundError"); };
}"""
# Folders of the browser's private files with files in them, but not the one that vouches for the others.
HALF_WRITTEN = """async () => {
  const found = [];
  const look = async (folder, path) => {
    const files = [];
    for await (const [name, entry] of folder.entries()) {
      if (entry.kind === "directory") await look(entry, `${path}/${name}`);
      else files.push(name);
    }
    if (files.length > 0 && !files.includes("verified.json")) found.push(path);
  };
  await look(await navigator.storage.getDirectory(), "");
  return found;
}"""


class Visit:
    """The page on a server with a good model and ones that are not."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.context = browser.new_context(ignore_https_errors=True)
        self.watch = Watch(self.context)
        before_the_gpu_opens(self.context, KEEP_DEVICE)
        self.page = DemoPage(self.context.new_page(), url)


@pytest.fixture(scope="module")
def visit(
    browser: Browser, data: Path, start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Visit]:
    root = tmp_path_factory.mktemp("models")
    publish(data / "asr-words", "q4_0", root)
    (publish(data / "asr-tiny", "q4_0", root) / "shard-ab").unlink()
    _flip_a_byte(publish(data / "asr-window", "q4_0", root) / "shard-ab")
    publish(data / "asr-words", "f32", root)
    visit = Visit(browser, start_server(root).url)
    yield visit
    visit.context.close()
    assert not [complaint for complaint in visit.watch.complaints if complaint.startswith("uncaught")]


@pytest.fixture
def page(visit: Visit) -> Iterator[DemoPage]:
    """The page before the failure; after it, it must still load the good model and transcribe."""
    yield visit.page
    visit.page.load(GOOD)
    visit.page.transcribe(RECORDING)
    assert " ".join(visit.page.words()) == TEXT


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording that takes a while."""
    path = tmp_path_factory.mktemp("recordings") / "long.wav"
    path.write_bytes(joined(sorted((DATA / "asr-words").glob("*.wav")) * 4))
    return path


@pytest.fixture(scope="module")
def speaker(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF that speaks."""
    return write_tts_gguf(data / "tts-tiny", tmp_path_factory.mktemp("speaker") / "speaker.gguf", "q4_0")


def _flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)


def fail_to_load(page: DemoPage, model: str, code: str) -> None:
    """It is not there then; the one before is, if the header told already that this one won't be."""
    page.choose_model(model)
    page["model-load"].click()
    page.expect_error(code)
    page.wait_until_idle()
    expect(page["model-loading"]).to_be_hidden()
    expect(page["model-state"]).to_have_text(
        re.compile(f"No model is loaded|Loaded: {GOOD.rpartition('-')[0]},")
    )


def fail_to_open(page: DemoPage, path: Path, code: str) -> None:
    """The same with a file of the user's own that is refused before anything was loaded from it."""
    before = page["model-state"].inner_text()
    page["model-files"].set_input_files(path)
    page.expect_error(code)
    page.wait_until_idle()
    expect(page["model-state"]).to_have_text(before)


def test_a_shard_the_server_lacks_is_named(page: DemoPage) -> None:
    fail_to_load(page, "asr-tiny-q4_0", "shard-missing")
    expect(page["error-message"]).to_contain_text("shard-ab")


def test_a_shard_with_one_byte_altered_is_refused(page: DemoPage) -> None:
    fail_to_load(page, "asr-window-q4_0", "shard-altered")
    expect(page["error-message"]).to_contain_text("shard-ab")


def test_a_file_that_is_no_gguf_is_refused(page: DemoPage, tmp_path: Path) -> None:
    path = tmp_path / "letter.gguf"
    path.write_text("Dear Sir or Madam,\n" * 100)
    fail_to_open(page, path, "not-gguf")


def test_a_gguf_of_another_model_is_refused(page: DemoPage, tmp_path: Path) -> None:
    path = tmp_path / "llama.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    fail_to_open(page, path, "not-voxtral")


def test_without_a_model_that_speaks_there_is_no_speech_card_but_a_way_to_get_one(page: DemoPage) -> None:
    expect(page["speech"]).to_be_hidden()
    expect(page["speech-model"]).to_be_hidden()
    expect(page["speech-model-howto"]).to_contain_text("mistralai/Voxtral-4B-TTS-2603")
    expect(page["speech-model-howto"]).to_contain_text("CC BY-NC 4.0")


def test_files_of_a_model_that_speaks_bring_the_speech_card_and_leave_the_other_model(
    page: DemoPage, speaker: Path
) -> None:
    page.load(GOOD)
    page["model-files"].set_input_files(speaker)
    expect(page["speech-model-state"]).to_have_attribute("data-state", "loaded", timeout=PATIENCE_MS)
    page.wait_until_idle()
    page.expect_no_error()
    expect(page["model-state"]).to_have_attribute("data-state", "loaded")
    expect(page["model-select"]).to_have_value(GOOD)
    expect(page["speech"]).to_be_visible()
    expect(page["voice-select"].locator("option")).to_have_count(2)
    page["speech-model-unload"].click()
    expect(page["speech-model-state"]).to_have_attribute("data-state", "none")


def test_loading_can_be_cancelled_half_way(visit: Visit, page: DemoPage) -> None:
    gate = Gate(visit.context, r"/asr-words-f32/shard-ac$")
    page.choose_model("asr-words-f32")
    page["model-load"].click()
    expect(page["model-percent"]).to_have_text("66%")
    assert len(page.page.evaluate(HALF_WRITTEN)) == 1
    page["model-cancel"].click()
    page.expect_error("cancelled")
    page.wait_until_idle()
    expect(page["model-state"]).to_have_attribute("data-state", "none")
    expect(page["model-loading"]).to_be_hidden()
    assert page.page.evaluate(HALF_WRITTEN) == []
    gate.open()
    page.load("asr-words-f32")


def test_transcribing_can_be_cancelled_half_way(page: DemoPage, long: Path) -> None:
    page.load(GOOD)
    page["audio-file"].set_input_files(long)
    page["transcribe-cancel"].click()
    page.expect_error("cancelled")
    page.wait_until_idle()
    expect(page["transcript"]).to_have_attribute("data-state", "partial")


def test_files_without_decodable_sound_are_refused(page: DemoPage, tmp_path: Path) -> None:
    noise = random.Random(7).randbytes(20_000)
    files = {
        "noise.mp3": (noise, "audio-undecodable"),
        "noise.wav": (b"RIFF" + noise[:4] + b"WAVE" + noise, "audio-undecodable"),
        "nothing.wav": (b"", "audio-empty"),
    }
    for name, (data, code) in files.items():
        path = tmp_path / name
        path.write_bytes(data)
        page["audio-file"].set_input_files(path)
        page.expect_error(code)
        page.wait_until_idle()
        page["error-dismiss"].click()
        page.expect_no_error()


def test_a_microphone_that_is_not_there_is_told_as_such(page: DemoPage) -> None:
    page.page.evaluate(NO_MICROPHONE)  # the machine of the test may have one
    page["mic-start"].click()
    page.expect_error("mic-absent")
    page.wait_until_idle()
    expect(page["status"]).to_have_text("It did not work.")


def test_a_lost_gpu_leaves_the_text_so_far_and_the_next_action_loads_the_model_again(
    page: DemoPage, long: Path
) -> None:
    page.load(GOOD)
    page["audio-file"].set_input_files(long)
    expect(page["transcript"]).to_have_attribute("data-state", "running")
    expect(page["transcript"]).not_to_be_empty(timeout=PATIENCE_MS)
    (worker,) = page.page.workers
    worker.evaluate("device.destroy()")
    page.expect_error("device-lost")
    page.wait_until_idle()
    expect(page["transcript"]).to_have_attribute("data-state", "partial")
    expect(page["transcript"]).not_to_be_empty()
    page.transcribe(RECORDING)
    assert " ".join(page.words()) == TEXT
