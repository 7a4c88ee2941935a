"""Live captions in a tab that another one hides: the browser draws nothing then, and lets timers wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import CDPSession, Playwright

from server.engine_build import WEB
from tests import chromium
from tests.e2e.plain_tab import PlainTab
from tests.e2e.recordings import joined
from tests.server_process import ServerProcess

SAMPLE = json.loads((WEB / "samples" / "samples.json").read_text())["samples"][-1]
# By which Playwright has hidden pages go on as if they were seen.
_KEEPS_GOING = (
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
)
_COUNT = """
  window.ticks = window.frames_drawn = 0;
  setInterval(() => { ticks++; }, 20);
  (function draw() { frames_drawn++; requestAnimationFrame(draw); })();
"""
_WORDS = """[...document.querySelectorAll("[data-testid=word]")].map((word) => word.textContent).join(" ")"""


@pytest.fixture
def browser_session(playwright: Playwright, tmp_path: Path) -> Iterator[CDPSession]:
    """A Chromium whose microphone hears the sample after two seconds of silence."""
    wav = tmp_path / "speech.wav"
    wav.write_bytes(joined([WEB / "samples" / SAMPLE["file"]], 2.0))
    flags = (
        "--ignore-certificate-errors",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={wav}%noloop",
    )
    with playwright.chromium.launch(
        executable_path=chromium.find(playwright),
        args=[*chromium.FLAGS, *flags],
        ignore_default_args=list(_KEEPS_GOING),
    ) as browser:
        yield browser.new_browser_cdp_session()


def element(name: str) -> str:
    return f"document.querySelector('[data-testid={name}]')"


def test_a_hidden_tab_listens_on_and_writes_every_word(
    browser_session: CDPSession, site: ServerProcess
) -> None:
    page = PlainTab(browser_session, site.url, first=True)
    page.wait_for(f"{element('engine-state')}?.dataset.state === 'ready'")
    page.evaluate(f"{element('model-load')}.click()")
    page.wait_for(f"{element('model-state')}.dataset.state === 'loaded'")
    page.evaluate(_COUNT)
    page.wait_for("frames_drawn > 2 && ticks > 2")
    PlainTab(browser_session, "about:blank").bring_to_front()
    page.wait_for("document.visibilityState === 'hidden'")
    drawn, ticks, since_ms = page.evaluate("[frames_drawn, ticks, performance.now()]")
    page.evaluate(f"{element('mic-start')}.click()")
    page.wait_for(f"{_WORDS} === {json.dumps(SAMPLE['text'])}")
    page.evaluate(f"{element('mic-stop')}.click()")
    page.wait_for(f"{element('transcript')}.dataset.state === 'done'")
    assert page.evaluate(_WORDS) == SAMPLE["text"]
    assert page.evaluate("document.visibilityState") == "hidden"
    assert page.evaluate("frames_drawn") == drawn
    # Timers were held back: to one a second, where 50 were asked for.
    assert page.evaluate(f"(ticks - {ticks}) / (performance.now() - {since_ms})") < 10 / 1000
