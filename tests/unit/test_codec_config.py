"""The speech codec's sizes read from a file are checked; absent ones are the 4B model's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxtab.errors import VoxtabError
from voxtab.models.codec_config import CodecConfig, alibi_slopes


def test_a_file_without_sizes_is_the_4b_models_codec() -> None:
    config = CodecConfig.from_gguf({})
    assert (config.layer.dim, config.layer.n_heads, config.layer.head_dim) == (1024, 8, 128)
    assert [stage.window for stage in config.stages] == [2, 4, 8, 16]
    assert (config.latent_dim, config.samples_per_frame, config.sample_rate) == (292, 1920, 24000)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("general.architecture", "voxtral_realtime"),
        ("voxtral_tts.codec.dim", 0),
        ("voxtral_tts.codec.dim", 1 << 20),
        ("voxtral_tts.codec.head_dim", 5),
        ("voxtral_tts.codec.n_layers", [2, 2, 2]),
        ("voxtral_tts.codec.n_layers", [2, 2, 0, 2]),
        ("voxtral_tts.codec.n_layers", 2),
        ("voxtral_tts.codec.windows", [2, 4, 8]),
        ("voxtral_tts.codec.windows", [2, 4, 8, 1 << 20]),
        ("voxtral_tts.codec.norm_eps", float("nan")),
        ("voxtral_tts.codec.samples_per_frame", 960),
        ("voxtral_tts.codec.patch_size", "240"),
        ("voxtral_tts.acoustic.levels", 1),
        ("voxtral_tts.semantic.codebook_size", -1),
    ],
)
def test_a_value_out_of_range_is_refused(key: str, value: Any) -> None:
    with pytest.raises(VoxtabError) as caught:
        CodecConfig.from_gguf({key: value})
    assert caught.value.code == "not-voxtral"


KEYS = ["dim", "n_heads", "head_dim", "n_layers", "windows", "patch_size", "norm_eps", "samples_per_frame"]
VALUES = st.one_of(
    st.integers(), st.integers(1, 300), st.floats(), st.booleans(), st.lists(st.integers(-1, 20), max_size=6)
)


@given(st.dictionaries(st.sampled_from([f"voxtral_tts.codec.{key}" for key in KEYS]), VALUES))
def test_any_metadata_gives_a_config_or_a_refusal(metadata: dict[str, Any]) -> None:
    try:
        config = CodecConfig.from_gguf(metadata)
        # What the reflection at the start needs of one frame.
        sound = config.rows_per_frame >= 7
    except VoxtabError as error:
        sound = error.code == "not-voxtral"
    assert sound


def test_slopes_halve_from_one_on_and_odd_counts_borrow_from_the_next_power() -> None:
    assert alibi_slopes(8) == [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128]
    assert alibi_slopes(1) == [1]
    assert alibi_slopes(4) == [1, 1 / 4, 1 / 16, 1 / 64]
    assert alibi_slopes(6) == [*alibi_slopes(4), *alibi_slopes(8)[::2][:2]]
