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


# Two streams, stepped in turns.
_STEP = """async ([wav, delays, budget]) => {
  const pcm = await vox.decode(new File([tab.bytes(wav)], "recording.wav"));
  const open = (delayMs) => vox.listen({ delayMs, stepwise: true });
  const streams = await Promise.all(delays.map(open));
  const tokens = streams.map(() => []);
  const most = streams.map(() => 0);
  const stepAll = () => Promise.all(streams.map(async (live, k) => {
    const heard = await live.step(budget);
    tokens[k].push(...heard.tokens);
    most[k] = Math.max(most[k], heard.tokens.length);
  }));
  const half = pcm.length >> 1;
  for (const live of streams) live.feed(pcm.subarray(0, half));
  while (!streams.every((live) => live.idle)) await stepAll();
  const early = tokens.map((those) => those.length);
  for (const live of streams) {
    live.feed(pcm.subarray(half));
    live.close();
  }
  while (!streams.every((live) => live.done)) await stepAll();
  const texts = await Promise.all(streams.map(async (live) => (await live.result).text));
  return { tokens, most, early, texts };
}"""


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


def test_two_stepwise_streams_taking_turns_write_each_its_own_tokens(demo: Demo) -> None:
    delays = (240, 960)
    encoded = base64.b64encode(demo.wav).decode()
    got = demo.tab.page.evaluate(_STEP, [encoded, delays, 4])
    for k, delay_ms in enumerate(delays):
        whole = demo.whole[delay_ms]
        assert got["tokens"][k][: len(whole["tokens"])] == whole["tokens"]
        assert got["texts"][k] == whole["text"]
        assert 0 < got["early"][k] < len(whole["tokens"])
        assert got["most"][k] <= 4 * 2  # of one submit that a step makes, and of one before that it takes in


def test_steps_that_make_no_sense_are_refused(demo: Demo) -> None:
    refusals = demo.tab.page.evaluate(
        """async () => {
          const stepwise = await vox.listen({ stepwise: true });
          const steady = await vox.listen();
          const code = (promise) => promise.then(() => "none", (error) => error.code);
          const codes = [
            await code(stepwise.step(0)), await code(stepwise.step(1.5)), await code(steady.step()),
            await code(vox.listen({ stepwise: 1 })), await code(vox.listen({ segmentSeconds: 0.5 })),
          ];
          for (const live of [stepwise, steady]) live.close();
          while (!stepwise.done) await stepwise.step();
          await steady.result;
          return codes;
        }"""
    )
    assert refusals == ["option-invalid"] * 5
