"""The reference is itself checked: it gives the golden arrays, which other programs made and confirmed."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from tests.parity.comparison import difference
from tests.parity.transformers_reference import EOS, SAMPLE_RATE, Reference

DATA = Path(__file__).parents[1] / "data"
RECORDINGS: list[dict[str, Any]] = json.loads((DATA / "asr-words" / "expected.json").read_text())

# Twice the largest difference between transformers and an independent float32 implementation on these sets.
GIVEN_MEL = {"conv_out": 1e-6, "enc_out": 1.7e-5, "adapter_out": 2.8e-5, "logits": 6e-5}
# The golden mel comes from float64, transformers' from float32; stages behind it inherit the difference.
MEL = 7e-5
GIVEN_AUDIO = {"mel": MEL, "conv_out": MEL, "enc_out": MEL, "adapter_out": 1e-4, "logits": 1.5e-4}

sets = pytest.mark.parametrize("name", ["asr-tiny", "asr-window"])
kinds = pytest.mark.parametrize("kind", ["f32", "q4_0"])


@cache
def reference(name: str, kind: str) -> Reference:
    return Reference(DATA / name, q4_0=kind == "q4_0")


@cache
def golden(name: str) -> dict[str, npt.NDArray[Any]]:
    with np.load(DATA / name / "expected.npz") as arrays:
        return dict(arrays)


@sets
@kinds
def test_every_stage_is_the_golden_one_given_the_golden_mel(name: str, kind: str) -> None:
    want = golden(name)
    got = reference(name, kind).listen(want["mel"])
    for stage, bar in GIVEN_MEL.items():
        assert difference(getattr(got, stage), want[f"{kind}/{stage}"]) <= bar, stage


@sets
@kinds
def test_every_stage_is_the_golden_one_given_the_audio(name: str, kind: str) -> None:
    want = golden(name)
    got = reference(name, kind).transcribe(want["audio"])
    assert got.prompt_ids.tolist() == want["prompt_ids"].tolist()
    for stage, bar in GIVEN_AUDIO.items():
        key = stage if stage == "mel" else f"{kind}/{stage}"
        assert difference(getattr(got, stage), want[key]) <= bar, stage


@sets
@kinds
@pytest.mark.parametrize("delay_ms", [240, 480, 960])
def test_tokens_and_margins_are_the_golden_ones_at_every_delay(name: str, kind: str, delay_ms: int) -> None:
    want = golden(name)
    key = kind if delay_ms == 480 else f"{kind}/delay{delay_ms}"
    got = reference(name, kind).transcribe(want["audio"], delay_ms=delay_ms)
    assert got.tokens_full.tolist() == want[f"{key}/tokens_full"].tolist()
    assert got.tokens.tolist() == want[f"{key}/tokens"].tolist()
    assert difference(got.margin, want[f"{key}/margin"]) <= GIVEN_AUDIO["logits"]


@kinds
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: str(recording["file"]))
def test_the_trained_model_gives_its_recorded_tokens(recording: dict[str, Any], kind: str) -> None:
    audio, rate = soundfile.read(DATA / "asr-words" / recording["file"], dtype="float32")
    assert rate == SAMPLE_RATE
    got = reference("asr-words", kind).transcribe(audio)
    assert got.tokens[: np.append(got.tokens, EOS).tolist().index(EOS)].tolist() == recording[kind]["tokens"]


@pytest.mark.parametrize("delay_ms", [0, -80, 100])
def test_a_delay_that_is_no_whole_token_is_refused(delay_ms: int) -> None:
    with pytest.raises(ValueError, match="multiple of 80"):
        reference("asr-tiny", "f32").transcribe(np.zeros(1280, np.float32), delay_ms=delay_ms)


def test_a_weight_without_a_place_is_refused(tmp_path: Path) -> None:
    source = DATA / "asr-tiny"
    for file in ("consolidated.safetensors", "tekken.json"):
        shutil.copy(source / file, tmp_path)
    params = json.loads((source / "params.json").read_text())
    params["n_layers"] += 1
    (tmp_path / "params.json").write_text(json.dumps(params))
    with pytest.raises(RuntimeError, match=r"language_model\.layers\.2"):
        Reference(tmp_path)
