"""Browsers and GPUs the page can't work with, or no longer: each is told by its code and with what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, expect

from tests.conftest import DATA, LaunchChromium, StartServer
from tests.e2e.demo_page import PATIENCE_MS, DemoPage
from tests.e2e.recordings import joined
from tests.server_process import ServerProcess

MODEL = "asr-words-q4_0"
RECORDING = DATA / "asr-words" / "kal.wav"
TEXT = "seven eight nine ten stop the music"

NO_WEBGPU = 'Object.defineProperty(navigator, "gpu", { value: undefined });'
SMALL_GPU = """
const real = Object.getOwnPropertyDescriptor(GPUDevice.prototype, "limits").get;
const small = (key) => key === "maxBufferSize" || key === "maxStorageBufferBindingSize";
Object.defineProperty(GPUDevice.prototype, "limits", {
  get() { return new Proxy(real.call(this), { get: (limits, key) => (small(key) ? 65536 : limits[key]) }); },
});
"""
# The worker's device gets a name it can be called by.
KEEP_DEVICE = """
const request = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (...rest) {
  globalThis.device = await request.apply(this, rest);
  return globalThis.device;
};
"""


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(ignore_https_errors=True) as context:
        yield context


def before_the_gpu_opens(context: BrowserContext, script: str) -> None:
    """Run `script` in the worker before its GPU layer."""

    def prefixed(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=script + response.text())

    context.route("**/worker/gpu.js", prefixed)


def expect_no_engine(context: BrowserContext, url: str, code: str) -> None:
    page = DemoPage(context.new_page(), url, wait=False)
    page.expect_error(code)
    expect(page["engine-state"]).to_have_attribute("data-state", "failed")


def test_an_address_that_is_not_secure_is_refused(
    launch_chromium: LaunchChromium, start_server: StartServer
) -> None:
    address = "192.0.2.1"  # of a network that is nobody's
    url = re.sub(r"//[^:]+", f"//{address}", start_server(options=("--http",)).url)
    with (
        launch_chromium(f"--host-resolver-rules=MAP {address} 127.0.0.1") as browser,
        browser.new_context() as context,
    ):
        expect_no_engine(context, url, "no-secure-context")


def test_a_browser_without_an_adapter_is_told_so(
    launch_chromium: LaunchChromium, site: ServerProcess
) -> None:
    with (
        launch_chromium("--disable-gpu", "--disable-software-rasterizer") as browser,
        browser.new_context(ignore_https_errors=True) as context,
    ):
        expect_no_engine(context, site.url, "no-adapter")


def test_a_browser_without_webgpu_is_told_so(context: BrowserContext, site: ServerProcess) -> None:
    before_the_gpu_opens(context, NO_WEBGPU)
    expect_no_engine(context, site.url, "no-webgpu")


def test_an_adapter_too_small_for_the_model_is_told_with_the_numbers(
    context: BrowserContext, site: ServerProcess
) -> None:
    before_the_gpu_opens(context, SMALL_GPU)
    page = DemoPage(context.new_page(), site.url)
    page.choose_model(MODEL)
    page["model-load"].click()
    page.expect_error("adapter-too-small")
    expect(page["error-message"]).to_contain_text(re.compile(r"\d+(\.\d+)? MB.*\d+(\.\d+)? MB"))


def test_a_lost_gpu_leaves_the_text_so_far_and_the_next_action_loads_the_model_again(
    context: BrowserContext, site: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before_the_gpu_opens(context, KEEP_DEVICE)
    page = DemoPage(context.new_page(), site.url)
    page.load(MODEL)
    long = tmp_path_factory.mktemp("lost") / "long.wav"
    long.write_bytes(joined(sorted((DATA / "asr-words").glob("*.wav")) * 4))
    page["audio-file"].set_input_files(long)
    expect(page["transcript"]).not_to_be_empty(timeout=PATIENCE_MS)
    (worker,) = page.page.workers
    worker.evaluate("device.destroy()")
    page.expect_error("device-lost")
    page.wait_until_idle()
    expect(page["transcript"]).to_have_attribute("data-state", "partial")
    expect(page["transcript"]).not_to_be_empty()
    page.transcribe(RECORDING)
    assert " ".join(page.words()) == TEXT
