"""A pytest plugin that puts Firefox in Chromium's place, where the tests need nothing that only Chromium has:

python -m pytest -p tests.firefox tests/e2e/test_samples.py tests/e2e/test_page.py tests/e2e/test_parity_chromium.py

No part of `make test`. Firefox is the one on PATH, or FIREFOX; Playwright drives it by WebDriver BiDi. It wants a Vulkan
driver (Mesa's lavapipe will do) and, where sound is played or heard, an audio output (a null sink will do). Chromium's
flags do nothing to it, and it calls its adapter by no name.
"""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Playwright

from tests import chromium

# Off on Linux, where Firefox also refuses adapters it does not know.
PREFERENCES: dict[str, str | float | bool] = {
    "dom.webgpu.enabled": True,
    "gfx.webgpu.ignore-blocklist": True,
    "media.autoplay.default": 0,  # sound without a click
}


def launch(playwright: Playwright, *_flags: str) -> Browser:
    """In the place of chromium.launch."""
    executable = os.environ.get("FIREFOX") or shutil.which("firefox") or shutil.which("firefox-esr")
    if executable is None:
        raise RuntimeError("No Firefox was found on PATH. FIREFOX names one that lies elsewhere.")
    return playwright.firefox.launch(
        channel="moz-firefox", executable_path=executable, firefox_user_prefs=PREFERENCES
    )


chromium.launch = launch
