"""What benchmarks compare must compute the same, and what they tell must be the work of the engine, on small models."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from shard_tools.synth import PRESETS, SPEECH_PRESETS
from tests.benchmarks.onnx_product import dequantized, made_up_blocks
from voxtab.bench.kernels import GROUPS, Shape, bench_kernels
from voxtab.bench.load import bench_load
from voxtab.bench.made_up import made_up_asr, made_up_tekken
from voxtab.bench.plain_kernel import PlainMatrix
from voxtab.bench.presets import with_layers
from voxtab.bench.programs import standing, told
from voxtab.bench.report import as_text
from voxtab.bench.session import bench_speech, bench_transcription
from voxtab.bench.steps import bench_decode, bench_encode, bench_speak
from voxtab.bench.timing import HostClock
from voxtab.cli import app
from voxtab.cli.bench_files import load_ways, write_model
from voxtab.gpu.native import NativeGpu
from voxtab.kernels.tiles import SOFTWARE
from voxtab.models.asr_config import AsrConfig
from voxtab.models.asr_state import AsrOptions, AsrState
from voxtab.models.codec_config import CodecConfig
from voxtab.models.tts_config import TtsConfig

_STACK = {"dim": 64, "n_layers": 3, "n_heads": 2, "n_kv_heads": 1, "head_dim": 32, "hidden_dim": 96}
TRANSCRIBER = AsrConfig.from_gguf(
    {
        "voxtral.vocab_size": 1300,
        **{f"voxtral.decoder.{key}": value for key, value in _STACK.items()},
        **{f"voxtral.encoder.{key}": value for key, value in (_STACK | {"n_kv_heads": 2}).items()},
    }
)
_SPEAKER = {
    "voxtral_tts.vocab_size": 1300,
    "voxtral_tts.semantic.codebook_size": 100,
    "voxtral_tts.acoustic.n_codebooks": 4,
    "voxtral_tts.voice.names": ["someone"],
    "voxtral_tts.voice.languages": ["en"],
    "voxtral_tts.voice.rows": [3],
    **{f"voxtral_tts.{part}.{key}": _STACK[key] for part in ("backbone", "acoustic") for key in _STACK},
    **{f"voxtral_tts.codec.{key}": _STACK[key] for key in ("dim", "head_dim", "n_heads", "hidden_dim")},
    "voxtral_tts.codec.semantic_dim": 24,
}
SPEAKER, CODEC = TtsConfig.from_gguf(_SPEAKER), CodecConfig.from_gguf(_SPEAKER)


def test_ours_and_the_plain_kernel_agree(native_gpu: NativeGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GROUPS, "flow", (Shape("small", 68, 96, n=6),))
    result = asyncio.run(bench_kernels(native_gpu, ["flow"]))
    (found,) = result["kernels"]
    assert found["difference"] < 1e-5
    assert found["times_plain"] == pytest.approx(found["plain_ms"] / found["ms"])
    assert found["times_vectors"] > 0
    assert "small" in as_text(result)


def test_the_plain_kernel_multiplies_by_the_blocks_that_others_get(native_gpu: NativeGpu) -> None:
    rows, cols = 70, 64
    x = np.random.default_rng(0).standard_normal((2, cols)).astype(np.float32)
    given, answer = (native_gpu.buffer(size, "rows") for size in (x.nbytes, 2 * rows * 4))
    native_gpu.write(given, 0, x.tobytes())
    native_gpu.run(PlainMatrix(native_gpu, rows, cols).program(given, answer, 2))
    got = np.frombuffer(asyncio.run(native_gpu.read(answer, 0, 2 * rows * 4).bytes()), np.float32)
    want = x.astype(np.float64) @ dequantized(made_up_blocks(rows, cols)).T
    assert np.max(np.abs(got.reshape(2, rows) - want)) < 1e-5 * np.max(np.abs(want))


def test_a_measured_step_stays_at_its_position(native_gpu: NativeGpu) -> None:
    async def position_after_three() -> int:
        model = await made_up_asr(native_gpu, with_layers(TRANSCRIBER, 1))
        state = AsrState(native_gpu, model.config, AsrOptions(), trace=False)
        state.reserve(4, 8)
        native_gpu.run(standing(native_gpu, model.record_decode(state, 1, head=True)), 3)
        return int.from_bytes(await native_gpu.read(state.decoder_position, 0, 4).bytes(), "little")

    assert asyncio.run(position_after_three()) == 0


def test_a_steps_floor_is_all_the_bytes_of_the_matrices_it_multiplies_by(native_gpu: NativeGpu) -> None:
    result = asyncio.run(bench_decode(native_gpu, TRANSCRIBER, 2, [5, 40]))
    near, far = result["steps"]
    decoder, block = TRANSCRIBER.decoder, 18 / 32
    attention = decoder.dim * decoder.head_dim * (2 * decoder.n_heads + 2 * decoder.n_kv_heads)
    layer = (attention + 3 * decoder.dim * decoder.hidden_dim) * block
    head = TRANSCRIBER.vocab_size * decoder.dim * block
    floor = (decoder.n_layers * layer + head) / result["copy_gb_s"]
    assert near["full_floor_ms"] == pytest.approx(floor / 1e6, rel=0.01)
    assert far["full_floor_ms"] == near["full_floor_ms"]
    for step in (near, far):
        assert 0 <= step["rest_share"] < 1
        assert step["dispatches"] == sum(kernel["dispatches"] for kernel in step["kernels"])
        # Every layer has as many.
        assert (step["full_dispatches"] - step["dispatches"]) * 2 == step["dispatches"] - _outside(native_gpu)
    assert "context 40" in as_text(result)


def _outside(gpu: NativeGpu) -> int:
    """Dispatches of a decode step outside its layers, the advance not among them."""

    async def recorded() -> int:
        model = await made_up_asr(gpu, with_layers(TRANSCRIBER, 0))
        state = AsrState(gpu, model.config, AsrOptions(), trace=False)
        return standing(gpu, model.record_decode(state, 1, head=True)).dispatches

    return asyncio.run(recorded())


def test_chunks_and_frames_are_measured_too(native_gpu: NativeGpu) -> None:
    chunks = asyncio.run(bench_encode(native_gpu, TRANSCRIBER, 1, [2]))
    frame = asyncio.run(bench_speak(native_gpu, SPEAKER, 1, 9, CODEC))
    names = [step["name"] for result in (chunks, frame) for step in result["steps"]]
    assert names == [
        *("encode, 2 tokens", "prompt, 2 tokens"),
        *("backbone", "codes", "codec, 1 frame", "codec, 16 frames"),
    ]
    for result in (chunks, frame):
        for step in result["steps"]:
            assert min(step["full_ms"], step["over_floor"]) > 0
            assert step["name"] in as_text(result)
    # A frame's codes take the flow's layers once an evaluation.
    codes = frame["steps"][1]
    assert codes["full_floor_ms"] > 3 * SPEAKER.n_steps * 2 * 64 * 96 * 18 / 32 / frame["copy_gb_s"] / 1e6
    assert native_gpu.gpu_bytes < 1 << 20, "something stays allocated"


def test_a_session_gives_a_token_for_80_ms_and_counts_its_submits(native_gpu: NativeGpu) -> None:
    result = asyncio.run(bench_transcription(native_gpu, TRANSCRIBER, 1, 0.8))
    for session in result["sessions"]:
        assert session["steps"] == 10 + 11  # of the sound, and of the silence that brings the last words out
        assert session["per_100_steps"]["submits"] > 0
        assert session["host_ms_per_step"] > 0
        for figures in (session, session["full"]):
            assert min(figures["rtf"], figures["first_ms"], figures["ms_per_step"]) > 0
    file, live = result["sessions"]
    assert live["per_100_steps"]["submits"] > file["per_100_steps"]["submits"]
    assert "a token" in as_text(result)


def test_a_speech_is_measured_to_its_last_frame(native_gpu: NativeGpu) -> None:
    result = asyncio.run(bench_speech(native_gpu, SPEAKER, 3, 0.4, CODEC))
    (session,) = result["sessions"]
    assert (session["steps"], session["audio_s"]) == (5, pytest.approx(0.4))
    assert session["full"]["stages_ms"] == session["stages_ms"], "all layers were measured"
    assert "5 frames" in as_text(result)


def test_loading_is_measured_stage_by_stage_on_the_engines_own_files(
    native_gpu: NativeGpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRESETS, "voxtral-realtime-4b", PRESETS["tiny"])
    write_model(tmp_path, "voxtral-realtime-4b", 1)
    result = asyncio.run(bench_load(native_gpu, 1, load_ways(native_gpu, tmp_path), repeats=1))
    assert native_gpu.gpu_bytes < 1 << 12, "something stays allocated"
    assert result["model_bytes"] == (tmp_path / "made-up.gguf").stat().st_size
    read, checked, on_gpu = result["ways"]
    assert read["gb_s"] == pytest.approx(result["model_bytes"] / read["s"] / 1e9)
    assert checked["added_s"] == pytest.approx(checked["s"] - read["s"])
    assert ["added_s" in way for way in (read, checked, on_gpu)] == [False, True, True]
    assert "read, checked, on the GPU" in as_text(result)


def test_the_speaking_models_files_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPEECH_PRESETS, "voxtral-tts-4b", SPEECH_PRESETS["tiny-tts"])
    write_model(tmp_path, "voxtral-tts-4b", 1)
    manifest = json.loads((tmp_path / "shards" / "manifest.json").read_text())
    assert manifest["model"]["task"] == "text-to-speech"


def test_the_full_model_is_told_from_one_with_layers_and_one_without() -> None:
    assert told(here=5.0, bare=1.0, layers=2, full=26) == 1.0 + 26 * 2.0
    assert told(here=5.0, bare=1.0, layers=32, full=26) == 5.0, "it was measured whole"


def test_the_host_clock_stands_still_while_something_is_waited_for() -> None:
    async def waited() -> float:
        clock = HostClock()
        assert await clock.watch(asyncio.sleep(0.2, "result")) == "result"
        return clock.seconds

    assert asyncio.run(waited()) < 0.1


def test_the_made_up_vocabulary_has_every_token_and_writes_every_text() -> None:
    tekken = made_up_tekken()
    assert tekken.vocab_size == 131072
    assert tekken.decode(tekken.encode("Grüße, 你好")) == "Grüße, 你好"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["decode", "--preset", "voxtral-tts-4b"], "Use voxtral-realtime-4b."),
        (["speak", "--preset", "voxtral-realtime-4b"], "Use voxtral-tts-4b."),
        (["session", "--preset", "tiny"], "Use voxtral-realtime-4b or voxtral-tts-4b."),
        (["load", "--preset", "tiny"], "Use voxtral-realtime-4b or voxtral-tts-4b."),
        (["kernels", "--group", "cubes"], "Use vectors, flow, matrices."),
    ],
)
def test_the_command_says_what_it_can_measure(words: list[str], hint: str) -> None:
    ran = CliRunner().invoke(app, ["bench", *words])
    assert ran.exit_code == 2
    assert hint in _plain(ran)


def test_the_command_measures_and_says_in_what_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GROUPS, "vectors", (Shape("small", 68, 96),))
    words = ["bench", "kernels", "--group", "vectors", "--no-tuning", "--json"]
    found = json.loads(CliRunner().invoke(app, words).output)
    assert [kernel["name"] for kernel in found["kernels"]] == ["small"]
    assert found["tiles"] == [asdict(tile) for tile in SOFTWARE]
    assert "matvec 8 x 48 x 1" in as_text(found)


def test_help_names_every_benchmark() -> None:
    listed = CliRunner().invoke(app, ["bench", "--help"])
    for name in ("kernels", "decode", "encode", "speak", "load", "session"):
        assert re.search(rf"\b{name}\b", listed.output), name


def _plain(ran: Any) -> str:
    return " ".join((ran.output + ran.stderr).split())
