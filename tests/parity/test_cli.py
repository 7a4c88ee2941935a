"""The `voxtab` command as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from shard_tools.quantize import quantize_checkpoint
from tests.parity import comparison

VOXTAB = str(Path(sys.executable).with_name("voxtab"))


@pytest.fixture(scope="module")
def words_model(native_adapter: object, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model") / "words.gguf"
    quantize_checkpoint(data / "asr-words", out, "q4_0", scales="absmax")
    return out


def voxtab(*words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([VOXTAB, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_json_has_text_tokens_words_and_figures(words_model: Path, data: Path) -> None:
    done = voxtab("transcribe", data / "asr-words" / "us-espeak.wav", "--model", words_model, "--json")
    result = json.loads(done.stdout)
    assert result["text"] == "turn on the kitchen lights please"
    assert [word["text"] for word in result["words"]] == result["text"].split()
    assert all(0 <= word["start"] < word["end"] <= 2.83 for word in result["words"])
    assert result["tokens"][-1] != 2
    assert result["stats"].keys() >= {
        *("audio_s", "encode_ms", "decode_ms", "tokens_per_s", "rtf", "gpu_bytes", "adapter")
    }


def test_other_rates_channels_and_formats_are_heard(words_model: Path, data: Path, tmp_path: Path) -> None:
    sound, rate = soundfile.read(data / "asr-words" / "us-espeak.wav", dtype="float32")
    stereo = soxr.resample(sound, rate, 48000, quality="HQ")
    soundfile.write(tmp_path / "stereo.flac", np.stack([stereo, stereo], 1), 48000)
    done = voxtab("transcribe", tmp_path / "stereo.flac", "--model", words_model)
    assert done.stdout.strip() == "turn on the kitchen lights please"


def test_a_trace_holds_every_stage_under_its_golden_name(data: Path, tmp_path: Path) -> None:
    model = tmp_path / "tiny.gguf"
    quantize_checkpoint(data / "asr-tiny", model, "f32")
    voxtab(
        *("transcribe", data / "asr-tiny" / "input.wav", "--model", model, "--trace", tmp_path / "trace.npz"),
        *("--kv-cache", "f32", "--chunk-ms", "80"),
    )
    got = np.load(tmp_path / "trace.npz")
    arrays = np.load(data / "asr-tiny" / "expected.npz")
    want = {"mel": arrays["mel"]} | {k[4:]: arrays[k] for k in arrays if k.startswith("f32/")}
    comparison.assert_stages_agree(got, want, comparison.F32_BARS)
    comparison.assert_decodes_agree(got, want, comparison.F32_BARS["logits"])


def test_what_goes_wrong_is_one_line_with_a_code(words_model: Path, data: Path, tmp_path: Path) -> None:
    recording = data / "asr-words" / "us-espeak.wav"
    (tmp_path / "noise.wav").write_bytes(b"not a sound")
    for words, code in (
        ((tmp_path / "noise.wav", "--model", words_model), "audio-undecodable"),
        ((tmp_path / "absent.wav", "--model", words_model), "audio-undecodable"),
        ((recording, "--model", tmp_path), "model-missing"),
        ((recording, "--model", recording), "not-gguf"),
        ((recording, "--model", words_model, "--delay-ms", "100"), "option-invalid"),
        ((recording, "--model", words_model, "--chunk-ms", "-1"), "option-invalid"),
    ):
        done = voxtab("transcribe", *words, code=2)
        assert f"error[{code}]" in done.stderr
        assert "Traceback" not in done.stderr
