"""Hyper-parameters read from a file are checked; absent ones are the 4B model's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxtab.errors import VoxtabError
from voxtab.models.asr_config import AsrConfig
from voxtab.models.asr_state import DELAYS_MS, AsrOptions


def test_a_file_without_hyper_parameters_is_the_4b_model() -> None:
    config = AsrConfig.from_gguf({})
    assert (config.encoder.dim, config.encoder.n_layers, config.encoder.n_kv_heads) == (1280, 32, 32)
    assert (config.decoder.dim, config.decoder.n_layers, config.decoder.n_kv_heads) == (3072, 26, 8)
    assert (config.vocab_size, config.samples_per_token) == (131072, 1280)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("general.architecture", "llama"),
        ("general.architecture", 7),
        ("voxtral.decoder.dim", 0),
        ("voxtral.decoder.dim", 3071),
        ("voxtral.decoder.dim", 1 << 20),
        ("voxtral.decoder.n_layers", -1),
        ("voxtral.encoder.head_dim", 258),
        ("voxtral.encoder.head_dim", "64"),
        ("voxtral.decoder.n_kv_heads", 5),
        ("voxtral.decoder.norm_eps", float("nan")),
        ("voxtral.decoder.rope_theta", 0.5),
        ("voxtral.audio.sample_rate", 8000),
        ("voxtral.audio.hop_length", 0),
        ("voxtral.vocab_size", True),
        ("voxtral.token.eos", 131072),
        ("voxtral.decoder.sliding_window", [1]),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(VoxtabError) as caught:
        AsrConfig.from_gguf({key: value})
    assert caught.value.code == "not-voxtral"


KEYS = ["encoder.dim", "decoder.n_heads", "vocab_size", "audio.num_mel_bins", "token.bos", "decoder.norm_eps"]
VALUES = st.one_of(
    st.integers(), st.floats(), st.text(max_size=5), st.booleans(), st.lists(st.integers(), max_size=2)
)


@given(st.dictionaries(st.sampled_from([f"voxtral.{key}" for key in KEYS]), VALUES))
def test_any_metadata_gives_a_config_or_a_refusal(metadata: dict[str, Any]) -> None:
    try:
        config = AsrConfig.from_gguf(metadata)
        sound = config.decoder.n_heads % config.decoder.n_kv_heads == 0
    except VoxtabError as error:
        sound = error.code == "not-voxtral"
    assert sound


@pytest.mark.parametrize(
    "options",
    [
        {"delay_ms": 0},
        {"delay_ms": 100},
        {"delay_ms": 1280},
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"max_tokens": 0},
        {"kv_window": 0},
        {"left_pad_tokens": 0},
        {"left_pad_tokens": 513},
        {"cache": "f64"},
        {"gain": 0.0},
    ],
)
def test_an_option_out_of_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(VoxtabError) as caught:
        AsrOptions(**options)
    assert caught.value.code == "option-invalid"
    assert next(iter(options)) in str(caught.value)


def test_the_delays_of_the_model_card_are_allowed() -> None:
    assert [AsrOptions(delay_ms=delay).delay_ms for delay in DELAYS_MS] == [*range(80, 1201, 80), 2400]
