"""Browsers and GPUs the page can't work with: each is told by its code and with what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.conftest import LaunchChromium, StartServer
from tests.e2e.before_gpu import before_the_gpu_opens
from tests.e2e.demo_page import DemoPage
from tests.server_process import ServerProcess

MODEL = "asr-words-q4_0"

NO_WEBGPU = 'Object.defineProperty(navigator, "gpu", { value: undefined });'
SMALL_GPU = """
const real = Object.getOwnPropertyDescriptor(GPUDevice.prototype, "limits").get;
const small = (key) => key === "maxBufferSize" || key === "maxStorageBufferBindingSize";
Object.defineProperty(GPUDevice.prototype, "limits", {
  get() { return new Proxy(real.call(this), { get: (limits, key) => (small(key) ? 65536 : limits[key]) }); },
});
"""


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(ignore_https_errors=True) as context:
        yield context


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
