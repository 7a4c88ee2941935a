"""Speaking as users do: the session, the engine with two models, and the `voxtab` commands."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from shard_tools.quantize import quantize_checkpoint
from tests.parity.engine import spoken
from tests.parity.tts_gguf import write_tts_gguf
from voxtab.cli.model_files import open_model
from voxtab.errors import VoxtabError
from voxtab.gpu.base import Counters
from voxtab.gpu.native import NativeGpu
from voxtab.models.memory import memory_need
from voxtab.models.source import read_directory
from voxtab.sessions.engine import Engine
from voxtab.sessions.speech import PAUSE_S, SpeechOptions
from voxtab.sessions.speech_trace import SpeechTrace

VOXTAB = str(Path(sys.executable).with_name("voxtab"))
TEXT, VOICE = "Hello there! It's 42 degrees — très bien.", "neutral_female"


@pytest.fixture(scope="module")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tts_gguf(data / "tts-tiny", tmp_path_factory.mktemp("speech") / "tiny.gguf", "f32")


@pytest.fixture(scope="module")
def expected(data: Path) -> Any:
    return np.load(data / "tts-tiny" / "expected.npz")


@pytest.fixture(scope="module")
def engine(native_adapter: Any, model: Path) -> Engine:
    return loaded(Engine(NativeGpu(native_adapter)), model)


def loaded(engine: Engine, model: Path) -> Engine:
    async def load() -> None:
        source = open_model(model)
        await engine.load(source, source.tekken)

    asyncio.run(load())
    return engine


def noise(expected: Any) -> array[float]:
    return array("f", expected["x0"].astype(np.float32).tobytes())


@pytest.mark.parametrize("steps", [3, 7, 8])
def test_a_session_speaks_the_golden_codes(engine: Engine, expected: Any, steps: int) -> None:
    session = engine.speech(TEXT, VOICE, SpeechOptions(euler_steps=steps, noise=noise(expected)))
    sound = spoken(session)
    assert session.codes == expected[f"f32/steps{steps}/codes"].tolist()
    if steps == 7:
        np.testing.assert_allclose(sound, expected["f32/codec/wave"], atol=1e-4)


def test_a_traced_session_tells_every_stage(engine: Engine, expected: Any) -> None:
    trace = SpeechTrace()
    options = SpeechOptions(cache="f32", noise=noise(expected))
    session = engine.speech(TEXT, VOICE, options, trace)
    spoken(session)

    def stage(name: str) -> Any:
        return np.asarray(trace.floats(name)).reshape(-1, trace.widths[name])

    frames = len(session.codes)
    rows = len(expected["prompt_ids"]) - 1
    np.testing.assert_allclose(stage("prompt_embeds")[:rows], expected["f32/prompt_embeds"][:rows], atol=1e-4)
    np.testing.assert_allclose(stage("prompt_hidden")[:rows], expected["f32/prompt_hidden"][:rows], atol=1e-4)
    np.testing.assert_allclose(stage("hidden"), expected["f32/steps7/hidden"], atol=1e-4)
    x = stage("x").reshape(-1, 8, 36)[:frames]
    np.testing.assert_allclose(x, expected["f32/steps7/x"], atol=1e-4)
    np.testing.assert_allclose(stage("next_embeds")[:frames], expected["f32/steps7/next_embeds"], atol=1e-4)


def test_frames_queued_together_are_few_submits_and_no_round_trip_each(
    native_adapter: Any, model: Path, expected: Any
) -> None:
    """With submits as long as it likes, a session needs a run and a copy back for a batch, and as many for its sound."""
    engine = loaded(Engine(NativeGpu(native_adapter)), model)
    session = engine.speech(TEXT, VOICE, SpeechOptions(noise=noise(expected), submit_ms=60_000))
    before: Counters = engine.gpu.counters.copy()
    spoken(session)
    used = engine.gpu.counters.since(before)
    # Frame 0 in halves, then batches of 2, 4, 8 and the rest of 24 frames; and the prompt.
    assert used["submits"] <= 16
    assert used["readbacks"] <= 16


def test_the_same_seed_says_the_same_and_another_does_not(engine: Engine) -> None:
    def codes(seed: int, submit_ms: int) -> list[list[int]]:
        session = engine.speech("Hi.", VOICE, SpeechOptions(euler_steps=3, seed=seed, submit_ms=submit_ms))
        session_codes: list[list[int]] = []

        async def run() -> None:
            while not session.done and len(session.codes) < 6:
                await session.step()

        asyncio.run(run())
        session_codes = session.codes[:6]
        session.free()
        return session_codes

    first = codes(5, 1)
    assert first == codes(5, 60_000)
    assert first != codes(6, 1)


def test_utterances_are_apart_by_a_pause(
    engine: Engine, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is spoken to the end of the noise given, the second ends by itself after a frame."""
    monkeypatch.setattr("voxtab.sessions.utterance.LONGEST_UTTERANCE", 14)
    given = array("f", expected["x0"][:4].astype(np.float32).tobytes())
    options = SpeechOptions(euler_steps=3, noise=given)
    session = engine.speech("Red and blue. Hello there!", VOICE, options)
    sound = spoken(session)
    assert session.utterance == (2, 2)
    assert (len(session.codes), session.cut_short) == (4 + 1, 1)
    pause = round(PAUSE_S * session.sample_rate)
    assert len(sound) == 5 * 1920 + pause
    assert not sound[4 * 1920 : 4 * 1920 + pause].any()
    alone = spoken(engine.speech("Hello there!", VOICE, options))
    # Batches of other sizes take other kernels: the same to float32's noise.
    np.testing.assert_allclose(sound[4 * 1920 + pause :], alone, atol=1e-5)


def test_an_end_before_any_sound_is_an_error_and_no_silence(engine: Engine) -> None:
    session = engine.speech("One two.", VOICE, SpeechOptions(euler_steps=3))
    with pytest.raises(VoxtabError) as refused:
        spoken(session)
    session.free()
    assert refused.value.code == "speech-empty"
    assert "One two." in refused.value.message


def test_both_models_are_loaded_side_by_side_and_apart(
    native_adapter: Any, model: Path, data: Path, tmp_path: Path, expected: Any
) -> None:
    words = tmp_path / "words.gguf"
    quantize_checkpoint(data / "asr-words", words, "q4_0", scales="absmax")
    engine = loaded(loaded(Engine(NativeGpu(native_adapter)), words), model)
    both = engine.gpu.gpu_bytes
    session = engine.speech(TEXT, VOICE, SpeechOptions(noise=noise(expected)))
    spoken(session)
    assert session.codes == expected["f32/steps7/codes"].tolist()
    engine.unload("text-to-speech")
    assert engine.gpu.gpu_bytes < both
    with pytest.raises(VoxtabError) as missing:
        engine.speech(TEXT, VOICE, SpeechOptions())
    assert missing.value.code == "model-missing"
    engine.unload()
    assert engine.gpu.gpu_bytes == 0


def test_what_does_not_fit_beside_the_other_is_refused_by_the_header_alone(
    native_adapter: Any, model: Path, data: Path, tmp_path: Path
) -> None:
    words = tmp_path / "words.gguf"
    quantize_checkpoint(data / "asr-words", words, "q4_0", scales="absmax")
    gpu = NativeGpu(native_adapter)
    first, second = (
        memory_need(asyncio.run(read_directory(open_model(path))), gpu.info) for path in (model, words)
    )
    limit = first.weights + first.session + second.most - 1_000_000
    engine = loaded(Engine(gpu, memory_limit=limit), model)
    before = gpu.gpu_bytes
    with pytest.raises(VoxtabError) as refused:
        loaded(engine, words)
    assert refused.value.code == "adapter-too-small"
    assert " 1 MB are missing" in refused.value.message
    assert "Unload 'tts-tiny'" in refused.value.hint
    engine.memory_limit = second.most - 1_000_000
    with pytest.raises(VoxtabError) as hopeless:
        loaded(engine, words)
    assert "Unload" not in hopeless.value.hint  # it would not help
    assert gpu.gpu_bytes == before


def test_the_need_told_by_the_header_is_what_a_session_takes(native_adapter: Any, model: Path) -> None:
    gpu = NativeGpu(native_adapter)
    need = memory_need(asyncio.run(read_directory(open_model(model))), gpu.info)
    engine = loaded(Engine(gpu), model)
    session = engine.speech("Hi.", VOICE, SpeechOptions())
    assert gpu.gpu_bytes <= need.most
    session.free()


def voxtab(*words: str | Path, code: int = 0, text: str = "") -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run([VOXTAB, *map(str, words)], input=text.encode(), capture_output=True, check=False)
    assert done.returncode == code, done.stderr.decode()
    return done


def test_voxtab_speak_writes_the_golden_codes_and_their_sound(
    native_adapter: Any, model: Path, expected: Any, tmp_path: Path
) -> None:
    np.save(tmp_path / "x0.npy", expected["x0"])
    done = voxtab(
        *("speak", "-", "--model", model, "--voice", VOICE, "--noise", tmp_path / "x0.npy"),
        *("-o", tmp_path / "out.wav", "--json", "--trace", tmp_path / "trace.npz"),
        text=TEXT,
    )
    result = json.loads(done.stdout)
    assert result["codes"] == expected["f32/steps7/codes"].tolist()
    assert result["stats"].keys() >= {
        *("audio_s", "first_audio_ms", "backbone_ms", "flow_ms", "codec_ms", "rtf", "gpu_bytes")
    }
    sound, rate = soundfile.read(tmp_path / "out.wav")
    assert rate == 24000
    np.testing.assert_allclose(sound, np.clip(expected["f32/codec/wave"], -1, 1), atol=2e-4)
    assert set(np.load(tmp_path / "trace.npz")) >= {"hidden", "velocity", "x", "codes", "prompt_hidden"}


def test_voxtab_speak_streams_to_standard_output(
    native_adapter: Any, model: Path, tmp_path: Path, expected: Any
) -> None:
    np.save(tmp_path / "x0.npy", expected["x0"][:3])
    done = voxtab(
        *("speak", "Hi.", "--model", model, "--noise", tmp_path / "x0.npy", "--stream", "-o", "-"),
        *("--euler-steps", "3"),
    )
    (tmp_path / "streamed.wav").write_bytes(done.stdout)
    sound, rate = soundfile.read(tmp_path / "streamed.wav")
    assert (rate, len(sound)) == (24000, 3 * 1920)


def test_voxtab_voices_lists_them_with_language_and_licence(native_adapter: Any, model: Path) -> None:
    done = voxtab("voices", "--model", model, "--json")
    assert {voice["name"] for voice in json.loads(done.stdout)} >= {VOICE}
    assert "neutral_female" in voxtab("voices", "--model", model).stdout.decode()


def test_an_unknown_voice_is_refused_with_the_list(native_adapter: Any, model: Path) -> None:
    done = voxtab("speak", "Hi.", "--model", model, "--voice", "nobody", code=2)
    assert "voice-unknown" in done.stderr.decode()
    assert VOICE in done.stderr.decode()
