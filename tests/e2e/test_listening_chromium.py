"""Streams in Chromium: however the sound is fed, they write what a transcription of the whole file does."""

from __future__ import annotations

import base64
import random
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.tab import Tab
from tests.parity.golden import SETS, Expected

DELAYS_MS = (240, 480, 960)
# Both of the demo model's windows, 1.3 s and 3.8 s, wrap in it.
SAMPLE = Path(__file__).parents[2] / "web" / "samples" / "kitchen-slt.wav"
_DRAW = random.Random(1)
# Samples of one piece after another, and milliseconds between them.
FEEDS: dict[str, tuple[list[int], list[int]]] = {
    "80 ms": ([1280], [0]),
    "random sizes": ([_DRAW.choice([1, 13, 500, 1279, 1281, 4000, 30_000]) for _ in range(40)], [0]),
    "delayed": ([1280], [_DRAW.choice([0, 0, 0, 5, 120]) for _ in range(40)]),
}
feeds = pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS.keys())

_LISTEN = """async ([wav, delayMs, sizes, waits]) => {
  const pcm = await vox.decode(new File([tab.bytes(wav)], "recording.wav"));
  const live = await vox.listen({ delayMs });
  const tokens = [];
  const following = (async () => { for await (const news of live) tokens.push(...news.tokens); })();
  for (let at = 0, k = 0; at < pcm.length; at += sizes[k % sizes.length], k++) {
    live.feed(pcm.subarray(at, at + sizes[k % sizes.length]));
    if (waits[k % waits.length]) await new Promise((resolve) => setTimeout(resolve, waits[k % waits.length]));
  }
  const result = await live.close();
  await following;
  return { ...result, tokens };
}"""


def listen(tab: Tab, wav: bytes, delay_ms: int, feed: tuple[list[int], list[int]]) -> dict[str, Any]:
    """What a stream gave, and the tokens of all its segments."""
    found: dict[str, Any] = tab.page.evaluate(_LISTEN, [base64.b64encode(wav).decode(), delay_ms, *feed])
    return found


@pytest.fixture(scope="module", params=SETS)
def golden(request: pytest.FixtureRequest, tab: Tab, data: Path) -> tuple[Tab, Path]:
    tab.load(f"{request.param}-q4_0")
    return tab, data / request.param


@feeds
@pytest.mark.parametrize("delay_ms", DELAYS_MS)
def test_golden_tokens_come_out_however_the_sound_is_fed(
    golden: tuple[Tab, Path], delay_ms: int, feed: Any
) -> None:
    """asr-window ends the stream in the middle; what a stream writes after that is its own."""
    tab, checkpoint = golden
    want = Expected(checkpoint, "q4_0").transcript(delay_ms)
    got = listen(tab, (checkpoint / "input.wav").read_bytes(), delay_ms, feed)
    assert got["tokens"][: len(want)] == want
    assert len(got["segments"]) > 1 or len(got["tokens"]) == len(want)


class Demo:
    """The demo model in a tab, and what it makes of the whole sample."""

    def __init__(self, tab: Tab) -> None:
        tab.load("demo-asr")
        self.tab = tab
        self.wav = SAMPLE.read_bytes()
        self.whole = {delay: tab.transcribe(self.wav, delayMs=delay) for delay in DELAYS_MS}


@pytest.fixture(scope="module")
def demo(tab: Tab) -> Demo:
    return Demo(tab)


@feeds
@pytest.mark.parametrize("delay_ms", DELAYS_MS)
def test_the_demo_model_writes_what_it_writes_of_the_whole_file(demo: Demo, delay_ms: int, feed: Any) -> None:
    whole = demo.whole[delay_ms]
    got = listen(demo.tab, demo.wav, delay_ms, feed)
    assert got["tokens"][: len(whole["tokens"])] == whole["tokens"]
    assert (got["text"], got["words"]) == (whole["text"], whole["words"])
    assert whole["text"].startswith("good morning")
