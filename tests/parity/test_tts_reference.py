"""The float64 reference is itself checked: it gives the golden arrays, which other programs made and confirmed."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.parity import tts_reference_codec as codec
from tests.parity.comparison import difference
from tests.parity.tts_reference import AUDIO, Backbone, Expected, TtsReference
from tests.parity.tts_reference_layers import Floats

GOLDEN = Path(__file__).parents[1] / "data" / "tts-tiny"
META: dict[str, Any] = json.loads((GOLDEN / "meta.json").read_text())

# The golden arrays are float64 results stored as float32; hidden states are up to about 5, waves under 1.
STORED = 1e-6

kinds = pytest.mark.parametrize("kind", ["f32", "q4_0"])


@cache
def reference(kind: str) -> TtsReference:
    return TtsReference(GOLDEN, q4_0=kind == "q4_0")


@cache
def golden() -> dict[str, npt.NDArray[Any]]:
    with np.load(GOLDEN / "expected.npz") as arrays:
        return dict(arrays)


@cache
def spoken(kind: str, steps: int) -> Expected:
    return reference(kind).speak(
        golden()["prompt_ids"], META["voice"], golden()["x0"], steps, META["cfg_alpha"]
    )


def test_the_prompt_is_the_one_mistral_common_makes() -> None:
    cases = json.loads((GOLDEN / "tokenizer_cases.json").read_text())
    text = next(case["ids"] for case in cases if case["text"] == META["text"])
    prompt = reference("f32").prompt(META["voice"], text)
    assert prompt.tolist() == golden()["prompt_ids"].tolist()
    first, rows = golden()["voice_span"]
    assert np.flatnonzero(prompt == AUDIO).tolist() == list(range(first, first + rows))


def test_a_prompt_with_a_row_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match=r"20 \[AUDIO\] tokens for 19 rows"):
        reference("f32").prefill(np.insert(golden()["prompt_ids"], 2, AUDIO), META["voice"])


@kinds
def test_q4_0_is_of_the_golden_tensors(kind: str) -> None:
    plain, given = reference("f32").backbone.weights, reference(kind).backbone.weights
    changed = {name for name in plain if not np.array_equal(plain[name], given[name])}
    assert changed == (set(META["quantized_in_q4_0"]) if kind == "q4_0" else set())
    assert set(plain) == {*META["quantized_in_q4_0"], *META["kept_in_q4_0"]}


@kinds
def test_the_prefill_is_the_golden_one(kind: str) -> None:
    got = spoken(kind, 7)
    for name in ("prompt_embeds", "prompt_layer_out", "prompt_hidden"):
        assert difference(getattr(got, name), golden()[f"{kind}/{name}"]) <= STORED, name


@kinds
@pytest.mark.parametrize("steps", [3, 7, 8])
def test_every_frame_is_the_golden_one(kind: str, steps: int) -> None:
    got, prefix = spoken(kind, steps), f"{kind}/steps{steps}/"
    want = {name.removeprefix(prefix): array for name, array in golden().items() if name.startswith(prefix)}
    assert got.stopped == bool(want.pop("stopped"))
    assert (got.end_codes is not None) == ("end_codes" in want)
    for name in ("codes", "end_codes"):
        if name in want:
            assert getattr(got, name).tolist() == want.pop(name).tolist()
    assert {"hidden", "next_embeds", "x"} <= set(want)
    for name, array in want.items():
        assert difference(getattr(got, name), array) <= STORED, name


def test_the_first_velocitys_inside_is_the_golden_one() -> None:
    head, hidden = reference("f32").head, spoken("f32", 7).hidden[0]
    tokens = head.tokens(golden()["x0"][0].astype(np.float64), 0.0, hidden)
    assert difference(tokens, golden()["f32/flow/tokens_in"]) <= STORED
    assert difference(head.layer_out(tokens), golden()["f32/flow/layer_out"]) <= STORED
    times = np.array([head.time_token(step / 7) for step in range(7)])
    assert difference(times, golden()["f32/flow/time_tokens7"]) <= STORED


def test_masked_rows_and_the_end_are_decoded_as_in_the_golden_cases() -> None:
    want = {
        name: golden()[f"f32/head_cases/{name}"] for name in ("hidden", "row_favoured", "logits", "codes")
    }
    noise = golden()["x0"][0].astype(np.float64)
    frames = [reference("f32").head.frame(hidden, noise, 7) for hidden in want["hidden"].astype(np.float64)]
    logits = np.array([frame.semantic_logits for frame in frames])
    assert difference(logits, want["logits"]) <= 1e-5  # as large as 100
    assert logits.argmax(axis=1).tolist() == want["row_favoured"].tolist()
    assert [frame.codes.tolist() for frame in frames] == want["codes"].tolist()


def test_every_block_of_the_codec_is_the_golden_one() -> None:
    stages = reference("f32").codec.stages(golden()["f32/steps7/codes"])
    for name, array in stages.items():
        assert difference(array, golden()[f"f32/codec/{name}"]) <= STORED, name


@pytest.mark.parametrize(
    ("kind", "codes", "wave"),
    [
        ("q4_0", "q4_0/steps7/codes", "q4_0/codec/wave"),
        ("f32", "q4_0/steps7/codes", "q4_0/codec_f32w/wave"),
        ("f32", "codec_long/codes", "f32/codec_long/wave"),
    ],
)
def test_codes_sound_as_in_the_golden_files(kind: str, codes: str, wave: str) -> None:
    assert difference(reference(kind).decode(golden()[codes]), golden()[wave]) <= STORED


def test_one_frame_alone_sounds_as_in_the_golden_files() -> None:
    wave = reference("f32").decode(golden()["codec_long/codes"][:1])
    assert difference(wave, golden()["f32/codec_long/wave_first_frame_alone"]) <= STORED


@pytest.mark.parametrize(
    ("plan", "frames", "ended"),
    [("f32/codec", 21, True), ("q4_0/codec", 24, False), ("codec_long", 60, False)],
)
def test_the_serving_schedule_is_the_golden_one(plan: str, frames: int, ended: bool) -> None:
    assert codec.serving_plan(frames, ended) == [
        tuple(row) for row in golden()[plan + "/chunk_plan"].tolist()
    ]


def test_sound_made_in_pieces_is_the_golden_one() -> None:
    codes, plan = golden()["f32/steps7/codes"], codec.serving_plan(21, True)
    wave = reference("f32").codec.decode_chunks(codes, plan)
    assert difference(wave, golden()["f32/codec/stream_wave"]) <= STORED


def test_21_frames_of_context_are_exact_and_16_are_not() -> None:
    decoder, codes = reference("f32").codec, golden()["codec_long/codes"][:25]
    whole = decoder.decode(codes)[-decoder.samples_per_frame :]
    differences = [difference(decoder.decode_chunks(codes, [(24, left, 1)]), whole) for left in (21, 16)]
    assert differences[0] < 1e-13
    assert differences[1] > 1e-7


def _zeros(x: Floats, rows: int) -> Floats:
    return np.pad(x, ((rows, 0), (0, 0)))


_SLOPES, _WINDOW = codec.alibi_slopes, codec.Codec.stage_window


@pytest.mark.parametrize(
    ("mistake", "replacements"),
    [
        ("alibi_slopes_shifted", {"alibi_slopes": lambda heads: _SLOPES(heads) * 2 ** (-8 / heads)}),
        ("window_one_short", {"Codec.stage_window": lambda self, stage: _WINDOW(self, stage) - 1}),
        ("zero_padding", {"pad_latent": _zeros, "pad_output": _zeros}),
        ("replicate_output_proj", {"pad_output": codec.pad_latent}),
        ("reflect_first_conv", {"pad_latent": codec.pad_output}),
    ],
)
def test_known_mistakes_of_the_codec_sound_as_in_the_golden_files(
    monkeypatch: pytest.MonkeyPatch, mistake: str, replacements: dict[str, Callable[..., Any]]
) -> None:
    for name, replacement in replacements.items():
        monkeypatch.setattr(f"{codec.__name__}.{name}", replacement)
    wave = reference("f32").decode(golden()["f32/steps7/codes"][:8])
    assert difference(wave, golden()[f"diag/codec/{mistake}"]) <= STORED


def test_a_superfluous_audio_token_gives_what_the_golden_files_say() -> None:
    model = reference("f32")
    past = model.prefill(golden()["prompt_ids"], META["voice"]).past
    hidden, _ = model.advance(model.token_table[AUDIO], past)
    assert difference(hidden, golden()["diag/hidden0_extra_audio_token"]) <= STORED
    codes = model.head.frame(hidden, golden()["x0"][0].astype(np.float64)).codes
    assert codes.tolist() == golden()["diag/codes0_extra_audio_token"].tolist()


def test_half_split_rope_gives_what_the_golden_files_say(monkeypatch: pytest.MonkeyPatch) -> None:
    model = reference("f32").backbone
    interleaved = Backbone.rotated

    def half_split(self: Backbone, x: Floats, positions: npt.NDArray[np.int64]) -> Floats:
        halves = x.reshape(len(x), -1, 2, model.head_dim // 2)
        pairs = interleaved(self, halves.swapaxes(-1, -2).reshape(x.shape), positions)
        return pairs.reshape(len(x), -1, model.head_dim // 2, 2).swapaxes(-1, -2).reshape(x.shape)

    monkeypatch.setattr(Backbone, "rotated", half_split)
    hidden = reference("f32").prefill(golden()["prompt_ids"], META["voice"]).hidden[-1]
    assert difference(hidden, golden()["diag/prompt_hidden_last_half_split_rope"]) <= STORED
