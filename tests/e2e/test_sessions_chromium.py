"""Both models and several sessions in one worker, on one device: each gets its own, and is told what it can't have."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.tab import Floats, Tab
from voxtab.errors import VoxtabError

TEXT, VOICE = "Hello there! It's 42 degrees — très bien.", "neutral_female"
HEARS, SPEAKS = "asr-words-q4_0", "tts-tiny-f32"
SAID = "seven eight nine ten stop the music"

# Of memory: tts-tiny at the worst moment of its loading takes 28 MB, asr-words 9 MB.
ENOUGH_FOR_ONE = 32_000_000
ALL_AT_ONCE = """async ([wav, noise, words, voice]) => {
  const pcm = await vox.decode(new File([tab.bytes(wav)], "kal.wav"));
  const live = await vox.listen({ delayMs: 480 });
  const heard = [];
  const following = (async () => { for await (const news of live) heard.push(news); })();
  for (let at = 0; at < pcm.length; at += 1280) live.feed(pcm.subarray(at, at + 1280));
  const busy = await vox.load("asr-tiny-q4_0").then(() => "loaded", ({ code }) => code);
  const [one, other, speech, listened] = await Promise.all([
    tab.transcribe(wav, {}), tab.transcribe(wav, { delayMs: 960 }), tab.speak(words, noise, { voice }), live.close(),
  ]);
  await following;
  return { one, other, speech, listened, heard, busy };
}"""
DURING_A_LOAD = """async (model) => {
  const codes = (promise) => promise.then(() => "done", ({ code }) => code);
  let loading;
  await new Promise((begun) => { loading = codes(vox.load(model, { onProgress: begun })); });
  const others = [vox.transcribe(new Float32Array(1600)), vox.speak("Hello.").result, vox.listen(), vox.unload()];
  return [await Promise.all(others.map(codes)), await loading];
}"""
CANCELS = """async () => {
  const signal = AbortSignal.timeout(200);
  const asked = await vox.speak("Hello there. ".repeat(40), { signal }).result.then(() => "done", ({ code }) => code);
  const left = vox.speak("Hello there. ".repeat(40));
  for await (const chunk of left) break;
  return [asked, await left.stats.then(() => "done", ({ code }) => code)];
}"""
LOSES = """async () => {
  const live = await vox.listen();
  live.feed(new Float32Array(1600));
  const lost = new Promise((resolve) => vox.addEventListener("devicelost", resolve, { once: true }));
  window.ended = Promise.all([live.result.catch(({ code }) => code), lost]).then(([code]) => [code, vox.loaded]);
}"""
LIVE_LIMITS = """async () => {
  const refusal = (work) => { try { work(); return "none"; } catch ({ code }) { return code; } };
  const refused = (promise) => promise.then(() => "none", ({ code }) => code);
  const live = await vox.listen();
  const ended = live.result.catch(({ code }) => code);
  const wrong = [refusal(() => live.feed([1, 2])), refusal(() => live.feed(new Float32Array(16000 * 301))),
    await refused(live.setDelay(100)), await refused(live.setDelay("480"))];
  live.feed(new Float32Array([0, NaN]));
  await live.setDelay(960);
  wrong.push(refusal(() => live.feed(new Float32Array(80))));
  const closing = live.close();
  wrong.push(refusal(() => live.feed(new Float32Array(80))));
  const { segments, text } = await closing;
  const cancelled = await vox.listen({ signal: AbortSignal.timeout(300) });
  return { wrong, delays: segments.map((segment) => segment.delay_ms), text,
    cancelled: await refused(cancelled.result), options: await refused(vox.listen({ delayMs: 100 })) };
}"""


@pytest.fixture(scope="module")
def both(tab: Tab) -> Iterator[Tab]:
    """One model of each task."""
    tab.load(HEARS)
    tab.load(SPEAKS)
    yield tab
    tab.page.evaluate("() => { vox.setMemoryLimit(null); return vox.unload(); }")


@pytest.fixture(scope="module")
def expected(data: Path) -> dict[str, Any]:
    return dict(np.load(data / "tts-tiny" / "expected.npz"))


@pytest.fixture(scope="module")
def wav(data: Path) -> bytes:
    return (data / "asr-words" / "kal.wav").read_bytes()


def golden_codes(tab: Tab, expected: dict[str, Any]) -> bool:
    spoken = tab.speak(TEXT, expected["x0"][:4], voice=VOICE, eulerSteps=3)
    return bool(spoken["codes"] == expected["f32/steps3/codes"][:4].tolist())


def test_a_model_says_what_it_has(both: Tab) -> None:
    loaded = both.page.evaluate("() => vox.loaded")
    assert {task: model["name"] for task, model in loaded.items()} == {
        "speech-to-text": "asr-words",
        "text-to-speech": "tts-tiny",
    }
    speaks = loaded["text-to-speech"]
    assert (speaks["steps"], speaks["text_limit"], speaks["voice_license"]) == (7, 10_000, "CC-BY-NC-4.0")
    assert speaks["gpu_bytes"] > loaded["speech-to-text"]["gpu_bytes"]
    assert both.page.evaluate("() => [vox.voices, vox.voiceLicence]") == [
        [
            {"name": "casual_male", "language": "en", "rows": 13},
            {"name": "neutral_female", "language": "en", "rows": 19},
        ],
        "CC-BY-NC-4.0",
    ]


def test_sessions_at_once_give_each_its_own(both: Tab, wav: bytes, expected: dict[str, Any]) -> None:
    """Two transcriptions, a stream and a speech take turns on the device; a load is refused meanwhile."""
    alone = {delay: both.transcribe(wav, delayMs=delay)["tokens"] for delay in (480, 960)}
    noise = base64.b64encode(expected["x0"].astype("<f4").tobytes()).decode()
    words = [base64.b64encode(wav).decode(), noise, TEXT, VOICE]
    found = both.page.evaluate(ALL_AT_ONCE, words)
    assert found["busy"] == "busy"
    assert (found["one"]["tokens"], found["other"]["tokens"]) == (alone[480], alone[960])
    assert found["speech"]["codes"] == expected["f32/steps7/codes"].tolist()
    listened, heard = found["listened"], found["heard"]
    assert listened["text"] == SAID
    assert "".join(news["text"] for news in heard).strip() == SAID
    assert [word for news in heard for word in news["words"]] == listened["words"]
    assert [word["text"] for word in listened["words"]] == SAID.split()
    assert heard[-1]["fedSeconds"] >= heard[-1]["heardSeconds"] > 2
    assert heard[-1]["backlogSeconds"] == 0
    assert listened["stats"]["segments"] == len(listened["segments"]) == 1


def test_while_a_model_is_loaded_everything_else_is_refused(both: Tab) -> None:
    assert both.page.evaluate(DURING_A_LOAD, HEARS) == [["busy"] * 4, "done"]


def test_what_does_not_fit_beside_the_other_is_refused_and_nothing_is_unloaded(
    both: Tab, wav: bytes, expected: dict[str, Any]
) -> None:
    both.page.evaluate("(bytes) => vox.setMemoryLimit(bytes)", ENOUGH_FOR_ONE)
    with pytest.raises(VoxtabError) as refused:
        both.load("tts-tiny-q4_0")
    assert refused.value.code == "adapter-too-small"
    assert "MB are missing" in refused.value.message
    assert "Unload 'asr-words'" in refused.value.hint
    assert both.transcribe(wav)["text"] == SAID
    assert golden_codes(both, expected)
    both.page.evaluate("() => vox.setMemoryLimit(null)")


@pytest.mark.parametrize("limit", ["0", "-1", "0.5", "NaN", "'many'"])
def test_a_memory_limit_that_makes_no_sense_is_refused(tab: Tab, limit: str) -> None:
    script = f"() => {{ try {{ vox.setMemoryLimit({limit}); }} catch (error) {{ return error.code; }} }}"
    assert tab.page.evaluate(script) == "option-invalid"


NO_NOISE: list[Floats] = [np.ones(35, np.float32), np.full(36, np.nan, np.float32)]
REFUSALS: dict[str, tuple[str, Floats | None, dict[str, object]]] = {
    "text-empty": (" \n", None, {}),
    "text-too-long": ("a" * 10_001, None, {}),
    "voice-unknown": ("Hello.", None, {"voice": "nobody"}),
    "speech-empty": ("One two.", None, {"voice": VOICE, "eulerSteps": 3}),
}
NONSENSE: dict[str, tuple[object, ...]] = {
    "eulerSteps": (0, 2.5, "7"),
    "guidance": (-1, "1.2"),
    "seed": (-1, 0.5),
    "cache": ("f64", 16),
    "submitMs": (0,),
    "voice": (7,),
    "trace": (1,),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_text_that_cannot_be_spoken_is_refused_with_its_code(both: Tab, code: str) -> None:
    text, noise, options = REFUSALS[code]
    with pytest.raises(VoxtabError) as refused:
        both.speak(text, noise, **options)
    assert refused.value.code == code
    assert refused.value.hint
    assert code != "voice-unknown" or "casual_male, neutral_female" in refused.value.hint


def test_an_option_that_makes_no_sense_is_refused(both: Tab) -> None:
    given = [({name: value}, None) for name, values in NONSENSE.items() for value in values]
    for options, noise in [*given, *(({}, noise) for noise in NO_NOISE)]:
        with pytest.raises(VoxtabError) as refused:
            both.speak("Hello.", noise, **options)
        assert refused.value.code == "option-invalid", options


def test_a_speech_ends_by_a_signal_and_by_leaving_the_loop_and_the_next_one_is_whole(
    both: Tab, expected: dict[str, Any]
) -> None:
    assert both.page.evaluate(CANCELS) == ["cancelled", "cancelled"]
    assert golden_codes(both, expected)


def test_a_stream_takes_only_what_is_sound_and_only_so_much_of_it(both: Tab) -> None:
    found = both.page.evaluate(LIVE_LIMITS)
    invalid = "option-invalid"
    assert found["wrong"] == [invalid, "backlog-full", invalid, invalid, "audio-undecodable", invalid]
    assert (found["delays"], found["text"]) == ([960], "")
    assert (found["cancelled"], found["options"]) == ("cancelled", invalid)


def test_one_of_two_models_is_unloaded_and_the_other_stays(both: Tab, wav: bytes) -> None:
    both.page.evaluate("() => vox.unload('text-to-speech')")
    with pytest.raises(VoxtabError) as missing:
        both.speak("Hello.")
    assert missing.value.code == "model-missing"
    assert both.page.evaluate("() => [vox.voices, vox.voiceLicence]") == [[], ""]
    assert both.transcribe(wav)["text"] == SAID
    codes = "vox.unload('both').then(() => 'done', ({ code }) => code)"
    assert both.page.evaluate(f"() => {codes}") == "option-invalid"


def test_a_lost_device_ends_what_runs_and_what_is_needed_next_comes_back_alone(
    both: Tab, expected: dict[str, Any]
) -> None:
    both.load(SPEAKS)
    both.page.evaluate(LOSES)
    both.worker.evaluate("device.destroy()")
    nothing = {"speech-to-text": None, "text-to-speech": None}
    assert both.page.evaluate("() => window.ended") == ["device-lost", nothing]
    assert golden_codes(both, expected)
    loaded = both.page.evaluate("() => vox.loaded")
    assert loaded["speech-to-text"] is None
    assert loaded["text-to-speech"]["name"] == "tts-tiny"
