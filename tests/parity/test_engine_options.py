"""What a caller can choose changes what it should, judged by transformers where transformers has it too."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from shard_tools.quantize import quantize_checkpoint
from tests.parity import comparison
from tests.parity.engine import Floats, loaded, traced, transcribe
from tests.parity.transformers_reference import Reference
from voxtab.gpu.native import NativeGpu
from voxtab.models.asr_state import AsrOptions
from voxtab.nn.recorder import Recorder, Workspace
from voxtab.nn.weights import Tensor
from voxtab.sessions.engine import Engine
from voxtab.sessions.level import peak_gain


@pytest.fixture(scope="module")
def checkpoint(data: Path) -> Path:
    return data / "asr-window"


@pytest.fixture(scope="module")
def audio(checkpoint: Path) -> Floats:
    sound: Floats = soundfile.read(checkpoint / "input.wav", dtype="float32")[0]
    return sound


@pytest.fixture(scope="module")
def engine(native_adapter: Any, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    model = tmp_path_factory.mktemp("model") / "model.gguf"
    quantize_checkpoint(checkpoint, model, "f32")
    return loaded(NativeGpu(native_adapter), model)


def assert_agree(got: dict[str, Any], want: dict[str, Any]) -> None:
    comparison.assert_stages_agree(got, want, comparison.F32_BARS)
    comparison.assert_decodes_agree(got, want, comparison.F32_BARS["logits"])


def test_a_smaller_kv_window_is_a_model_with_that_window(
    engine: Engine, checkpoint: Path, audio: Floats, tmp_path: Path
) -> None:
    narrow = tmp_path / "narrow"
    shutil.copytree(checkpoint, narrow)
    params = json.loads((narrow / "params.json").read_text())
    params["sliding_window"] = 9
    (narrow / "params.json").write_text(json.dumps(params))
    got = traced(engine, audio, AsrOptions(delay_ms=480, cache="f32", kv_window=9))
    assert_agree(got, vars(Reference(narrow).transcribe(audio)))


def test_left_padding_is_the_callers(engine: Engine, checkpoint: Path, audio: Floats) -> None:
    reference = Reference(checkpoint)
    for left in (1, 50, 90):  # the last one's prompt takes two programs
        reference.left_pad_tokens = left
        got = traced(engine, audio, AsrOptions(delay_ms=480, cache="f32", left_pad_tokens=left))
        assert_agree(got, vars(reference.transcribe(audio)))


def test_a_gain_is_the_same_as_louder_sound(engine: Engine, checkpoint: Path, audio: Floats) -> None:
    quiet = audio * np.float32(0.01)
    gain = peak_gain([quiet.data.cast("B").cast("f")])
    assert gain == pytest.approx(0.95 / np.abs(quiet).max())
    got = traced(engine, quiet, AsrOptions(delay_ms=480, cache="f32", gain=gain))
    assert_agree(got, vars(Reference(checkpoint).transcribe(np.asarray(quiet * gain, np.float32))))


def test_max_tokens_stops_there(engine: Engine, audio: Floats) -> None:
    whole = transcribe(engine, audio, AsrOptions()).tokens
    assert transcribe(engine, audio, AsrOptions(max_tokens=7)).tokens == whole[:7]


def test_a_temperature_samples_what_the_logits_say(engine: Engine, audio: Floats) -> None:
    def sampled(temperature: float, seed: int) -> list[int]:
        return transcribe(engine, audio, AsrOptions(temperature=temperature, seed=seed)).tokens

    greedy = transcribe(engine, audio, AsrOptions()).tokens
    assert sampled(1e-3, 1) == greedy  # noise vanishes beside logits / temperature
    assert sampled(1.0, 1) == sampled(1.0, 1)
    assert sampled(1.0, 1) != sampled(1.0, 2)


def test_samples_follow_the_softmax(native_gpu: NativeGpu) -> None:
    """1000 draws of one kernel at successive positions, against the probabilities."""
    draws, temperature = 1000, 0.7
    logits = np.array([0.0, 1.0, -0.5, 2.0, 0.3, -3.0], np.float32)
    buffers = {name: native_gpu.buffer(size, name) for name, size in (("logits", 24), ("at", 16))}
    tokens = native_gpu.buffer(4 * (draws + 1), "tokens")
    native_gpu.write(buffers["logits"], 0, logits.tobytes())
    record = Recorder(native_gpu, buffers["at"], Workspace(native_gpu, 1))
    scores = Tensor(buffers["logits"], len(logits))
    record.choose_token(scores, tokens, draws + 1, 1, temperature, seed=5)
    record.advance(1)
    native_gpu.run(record.finish(), draws)
    ring = np.frombuffer(asyncio.run(native_gpu.read(tokens, 0, 4 * (draws + 1)).bytes()), np.uint32)
    counts = np.bincount(ring[1:], minlength=len(logits))
    odds = np.exp(logits / temperature)
    odds /= odds.sum()
    spread = np.sqrt(draws * odds * (1 - odds))
    assert np.all(np.abs(counts - draws * odds) < 4 * spread + 1), f"{counts} of {draws * odds}"


def test_two_sessions_taking_turns_write_what_each_would_alone(engine: Engine, audio: Floats) -> None:
    sounds = [audio, audio[::-1].copy()]
    alone = [transcribe(engine, sound, AsrOptions(delay_ms=240)).tokens for sound in sounds]

    async def together() -> list[list[int]]:
        sessions = [engine.transcription(AsrOptions(delay_ms=240)) for _ in sounds]
        for session, sound in zip(sessions, sounds, strict=True):
            session.feed(sound.data)
            session.close()
        while not all(session.done for session in sessions):
            for session in sessions:
                await session.step(budget=5)
        for session in sessions:
            session.free()
        return [session.tokens for session in sessions]

    assert asyncio.run(together()) == alone


def test_an_empty_stream_ends_like_silence(engine: Engine, checkpoint: Path) -> None:
    session = transcribe(engine, np.zeros(0, np.float32), AsrOptions(delay_ms=480))
    want = Reference(checkpoint).transcribe(np.zeros(0, np.float32)).tokens
    assert session.tokens == [int(token) for token in want if token != 2]
