"""Speech as Chromium plays it, recorded from the graph sample by sample while it is still being made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.tab import BARE_PAGE
from tests.server_process import ServerProcess

TAP = Path(__file__).with_name("tap_worklet.js")
RATE = 24000
FADE = 120
# How `make` is told what to do: a number adds that many seconds of a 440 Hz tone, a word is the player's method.
SETUP = """async (tap) => {
  const { SpeechPlayer } = await import("/app/speech_player.js");
  const { SpeechSound } = await import("/app/speech_sound.js");
  const errors = [];
  const states = [];
  const player = new SpeechPlayer({
    onChange: () => states.at(-1) !== player.state && states.push(player.state),
    onError: ({ code }) => errors.push(code),
  });
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const until = async (done, what) => {
    for (let i = 0; !done(); i++) {
      if (i > 3000) throw new Error(`never ${what}: ${player.state} at ${player.position}`);
      await wait(10);
    }
  };
  let sound = null;
  let heard = [];
  window.speech = {
    player, errors, states, until,
    begin() {
      sound = new SpeechSound();
      player.play(sound);
    },
    add(seconds) {
      const chunk = Float32Array.from({ length: Math.round(24000 * seconds) },
        (_, i) => 0.5 * Math.sin((2 * Math.PI * 440 * (sound.length + i)) / 24000));
      sound.add(chunk);
      player.add(chunk);
    },
    complete() {
      sound.complete = true;
      player.complete();
    },
    async listen() {
      await until(() => player.output || errors.length > 0, "opened");
      const { context } = player.output;
      await context.audioWorklet.addModule(tap);
      const node = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
      node.port.onmessage = ({ data }) => heard.push(...data);
      player.output.connect(node);
    },
    state: (state) => until(() => player.state === state, state),
    at: (seconds) => until(() => player.position >= seconds, `at ${seconds} s`),
    async rest() {
      const { context } = player.output;
      await until(() => context.state === "suspended", "at rest");
    },
    heard: () => heard,
  };
}"""
REFUSE_THE_RATE = """() => {
  const Real = window.AudioContext;
  window.AudioContext = class extends Real {
    constructor({ sampleRate, ...options }) {
      if (sampleRate) throw new DOMException("not this rate", "NotSupportedError");
      super({ ...options, sampleRate: 44100 });
    }
  };
}"""
DEAF = {
    "no contexts": "class { constructor() { throw new DOMException('none', 'InvalidStateError'); } }",
    "a context that never starts": "class extends AudioContext { resume() { return new Promise(() => {}); } }",
}


@pytest.fixture
def bare(browser: Browser, site: ServerProcess) -> Iterator[Page]:
    """A page with a player that was not used yet, `speech`, and with one click on it."""
    with browser.new_context(ignore_https_errors=True, bypass_csp=True) as context:  # for the tap
        page = context.new_page()
        page.goto(site.url + BARE_PAGE)
        page.evaluate(SETUP, f"data:text/javascript,{quote(TAP.read_text())}")
        page.mouse.click(5, 5)
        yield page


def tone(seconds: float, rate: int = RATE) -> np.ndarray[Any, np.dtype[np.float64]]:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)


def heard(page: Page) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What came out, from the first sound to the last."""
    samples = np.array(page.evaluate("speech.heard()"))
    sounding = np.flatnonzero(samples)
    return samples[sounding[0] : sounding[-1] + 1]


def steepest(samples: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """The largest step between neighbours, with silence before and after."""
    return float(np.abs(np.diff(samples, prepend=0, append=0)).max())


# The tone's own steepest step, and as much again for a fade across its peak.
NO_CLICK = 0.5 * 2 * np.pi * 440 / RATE + 0.5 / FADE


def test_sound_that_comes_in_pieces_is_heard_whole_and_without_a_click(bare: Page) -> None:
    bare.evaluate("""async () => {
      speech.begin();
      await speech.listen();
      for (const seconds of [0.08, 0.4, 0.4, 0.013, 0.4]) speech.add(seconds);
      await speech.state("playing");
      speech.add(0.3);
      speech.complete();
      await speech.state("ended");
      await speech.rest();
    }""")
    samples = heard(bare)
    expected = tone(1.593)[1 : 1 + len(samples)]  # the first sample of a sine is silent
    assert len(samples) >= 1.593 * RATE - 10
    assert np.abs(samples - expected)[FADE:-FADE].max() < 1e-6
    assert steepest(samples) < NO_CLICK
    assert bare.evaluate("[speech.player.gaps, speech.player.position, speech.errors]") == [0, 1.593, []]


def test_pausing_seeking_running_dry_and_stopping_do_not_click(bare: Page) -> None:
    bare.evaluate("""async () => {
      const { player } = speech;
      speech.begin();
      await speech.listen();
      speech.add(0.6);
      await speech.at(0.2);
      player.pause();
      await speech.rest();
      player.resume();
      await speech.state("playing");
      player.seek(0.1);
      await speech.state("playing");
      await speech.state("waiting"); // for it has run dry
      speech.add(1.0);
      await speech.state("playing");
      player.seek(1.2);
      await speech.at(1.3);
      player.stop();
      await speech.rest();
    }""")
    assert steepest(heard(bare)) < NO_CLICK
    assert bare.evaluate("[speech.player.state, speech.player.position]") == ["paused", 0]
    assert bare.evaluate("speech.errors") == []


def test_a_finished_sound_plays_again_and_from_where_one_likes(bare: Page) -> None:
    bare.evaluate("""async () => {
      speech.begin();
      speech.add(0.5);
      speech.complete();
      await speech.state("ended");
      await speech.rest();
      speech.player.resume();
      await speech.state("playing");
      await speech.state("ended");
      speech.player.seek(0.4);
      await speech.state("playing");
    }""")
    assert bare.evaluate("speech.player.position") >= 0.4


def test_an_output_that_refuses_the_rate_gets_the_same_sound_at_its_own(bare: Page) -> None:
    bare.evaluate(REFUSE_THE_RATE)
    bare.evaluate("""async () => {
      speech.begin();
      await speech.listen();
      for (let i = 0; i < 10; i++) speech.add(0.1);
      speech.complete();
      await speech.state("ended");
      await speech.rest();
    }""")
    samples = heard(bare)
    margin = 2 * FADE
    # Of the tone at the other rate; what is silent at its beginning is not among what was heard.
    expected = tone(1.1, 44100)
    skipped = min(
        range(200), key=lambda n: np.abs(samples - expected[n : n + len(samples)])[margin:-margin].max()
    )
    assert np.abs(samples - expected[skipped : skipped + len(samples)])[margin:-margin].max() < 1e-3
    assert abs(len(samples) - 44100) < 100
    assert bare.evaluate("speech.player.position") == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize("audio", DEAF)
def test_without_an_audio_output_that_is_told_and_play_tries_again(bare: Page, audio: str) -> None:
    bare.evaluate(f"() => {{ window.Real = AudioContext; window.AudioContext = {DEAF[audio]}; }}")
    bare.evaluate("""async () => {
      speech.begin();
      speech.add(0.5);
      await speech.until(() => speech.errors.length > 0, "told");
    }""")
    assert bare.evaluate("[speech.errors, speech.player.state]") == [["speaker-absent"], "paused"]
    bare.evaluate("""async () => {
      window.AudioContext = Real;
      speech.player.resume();
      await speech.state("playing");
      speech.complete();
      await speech.state("ended");
    }""")
    assert bare.evaluate("[speech.errors, speech.player.position]") == [["speaker-absent"], 0.5]
