"""Sizes of a speech model read from a file are checked; absent ones are the 4B model's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxtab.errors import VoxtabError
from voxtab.models.tts_config import TtsConfig
from voxtab.models.tts_state import TtsOptions

VOICES = {
    "voxtral_tts.voice.names": ["neutral_male", "fr_female"],
    "voxtral_tts.voice.languages": ["en", "fr"],
    "voxtral_tts.voice.rows": [169, 97],
}


def test_a_file_without_sizes_is_the_4b_model() -> None:
    config = TtsConfig.from_gguf({})
    assert (config.backbone.dim, config.backbone.n_layers, config.backbone.n_kv_heads) == (3072, 26, 8)
    assert (config.acoustic.dim, config.acoustic.n_layers, config.acoustic.hidden_dim) == (3072, 3, 9216)
    # The two tables' rows as the released checkpoint has them.
    assert (config.semantic_rows, config.code_table_rows) == (8320, 9088)
    assert (config.codes_per_frame, config.n_steps, config.cfg_alpha) == (37, 7, 1.2)
    assert config.voices == ()


def test_the_markers_stand_before_and_behind_the_text_as_mistral_has_them() -> None:
    prompt = TtsConfig.from_gguf({}).prompt(3, [1072, 1522])
    assert prompt == [1, 25, 24, 24, 24, 36, 1072, 1522, 35, 25]


def test_voices_are_listed_with_language_and_rows() -> None:
    config = TtsConfig.from_gguf(VOICES)
    listed = [(voice.name, voice.language, voice.rows) for voice in config.voices]
    assert listed == [("neutral_male", "en", 169), ("fr_female", "fr", 97)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("general.architecture", "voxtral_realtime"),
        ("voxtral_tts.backbone.dim", 3071),
        ("voxtral_tts.backbone.n_kv_heads", 5),
        ("voxtral_tts.backbone.max_position", 0),
        ("voxtral_tts.acoustic.dim", 1536),
        ("voxtral_tts.acoustic.levels", 1),
        ("voxtral_tts.acoustic.n_steps", 65),
        ("voxtral_tts.acoustic.cfg_alpha", float("nan")),
        ("voxtral_tts.semantic.head_rows", 8193),
        ("voxtral_tts.token.audio", 131072),
        ("voxtral_tts.voice.names", ["neutral_male"]),
        ("voxtral_tts.voice.names", ["neutral_male", "neutral_male"]),
        ("voxtral_tts.voice.languages", "en"),
        ("voxtral_tts.voice.rows", [169, 0]),
        ("voxtral_tts.voice.rows", [169, 97.0]),
        ("voxtral_tts.voice.license", 7),
    ],
)
def test_a_value_out_of_range_is_refused(key: str, value: Any) -> None:
    with pytest.raises(VoxtabError) as caught:
        TtsConfig.from_gguf({**VOICES, key: value})
    assert caught.value.code == "not-voxtral"


KEYS = ["backbone.dim", "acoustic.n_heads", "semantic.head_rows", "voice.names", "voice.rows", "token.bos"]
VALUES = st.one_of(
    st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers() | st.text(max_size=3), max_size=2)
)


@given(st.dictionaries(st.sampled_from([f"voxtral_tts.{key}" for key in KEYS]), VALUES))
def test_any_metadata_gives_a_config_or_a_refusal(metadata: dict[str, Any]) -> None:
    try:
        sound = TtsConfig.from_gguf(metadata).acoustic.dim == 3072
    except VoxtabError as error:
        sound = error.code == "not-voxtral"
    assert sound


@pytest.mark.parametrize(
    "options",
    [
        {"euler_steps": 0},
        {"euler_steps": 65},
        {"cfg_alpha": -0.1},
        {"cfg_alpha": float("nan")},
        {"cache": "q8"},
    ],
)
def test_an_option_out_of_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(VoxtabError) as caught:
        TtsOptions(**options)
    assert caught.value.code == "option-invalid"
    assert next(iter(options)) in str(caught.value)
