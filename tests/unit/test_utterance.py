"""A request to speak is checked as a whole before anything runs, and its noise is the seed's alone."""

from array import array
from pathlib import Path

import pytest

from voxtab.errors import VoxtabError
from voxtab.formats.tekken import Tekken
from voxtab.models.tts_config import TtsConfig
from voxtab.sessions.utterance import (
    LONGEST_UTTERANCE,
    MAX_FRAMES,
    MAX_TEXT_CHARACTERS,
    GivenNoise,
    Noise,
    plan_utterances,
)


def config(max_position: int = 4096) -> TtsConfig:
    return TtsConfig.from_gguf(
        {
            "voxtral_tts.voice.names": ["casual_female", "fr_male"],
            "voxtral_tts.voice.languages": ["en", "fr"],
            "voxtral_tts.voice.rows": [214, 97],
            "voxtral_tts.backbone.max_position": max_position,
        }
    )


@pytest.fixture(scope="module")
def tekken(data: Path) -> Tekken:
    return Tekken.from_json((data / "tts-tiny" / "tekken.json").read_bytes())


def test_a_prompt_is_the_voice_then_the_text(tekken: Tekken) -> None:
    (planned,) = plan_utterances("Hello there!", "fr_male", config(), tekken)
    text = tekken.encode("Hello there!")
    assert planned.prompt == [1, 25, *[24] * 97, 36, *text, 35, 25]
    assert planned.max_frames == MAX_FRAMES


def test_a_long_text_becomes_several_utterances(tekken: Tekken) -> None:
    text = "This sentence has just over forty letters. " * 20
    planned = plan_utterances(text, "casual_female", config(), tekken)
    assert len(planned) > 1
    assert all(len(utterance.text) <= LONGEST_UTTERANCE for utterance in planned)
    assert " ".join(utterance.text for utterance in planned).split() == text.split()


def test_frames_take_the_positions_that_the_prompt_leaves(tekken: Tekken) -> None:
    (planned,) = plan_utterances("Hi.", "fr_male", config(max_position=120), tekken)
    assert planned.max_frames == 120 - len(planned.prompt) + 1


@pytest.mark.parametrize(
    ("text", "voice", "code", "told"),
    [
        ("", "fr_male", "text-empty", "Type something"),
        (" \n\t", "fr_male", "text-empty", "Type something"),
        ("a" * (MAX_TEXT_CHARACTERS + 1), "fr_male", "text-too-long", "10001 characters"),
        ("Hi.", "nobody", "voice-unknown", "casual_female, fr_male"),
    ],
)
def test_what_cannot_be_spoken_is_refused(
    tekken: Tekken, text: str, voice: str, code: str, told: str
) -> None:
    with pytest.raises(VoxtabError) as refused:
        plan_utterances(text, voice, config(), tekken)
    assert refused.value.code == code
    assert told in str(refused.value)


def test_a_prompt_that_leaves_no_room_is_refused(tekken: Tekken) -> None:
    with pytest.raises(VoxtabError) as refused:
        plan_utterances("Hello there!", "fr_male", config(max_position=100), tekken)
    assert refused.value.code == "text-too-long"


def test_noise_depends_on_seed_and_utterance_and_not_on_how_it_is_drawn() -> None:
    def drawn(seed: int, utterance: int, *counts: int) -> "array[float]":
        noise, rows, first = Noise(36, seed), array("f"), 0
        noise.start(utterance)
        for count in counts:
            rows.extend(noise.rows(first, count))
            first += count
        return rows

    assert drawn(1, 0, 4) == drawn(1, 0, 1, 2, 1)
    assert drawn(1, 0, 4) != drawn(2, 0, 4)
    assert drawn(1, 0, 4) != drawn(1, 1, 4)
    many = drawn(3, 0, 200)
    mean = sum(many) / len(many)
    assert abs(mean) < 0.05
    assert abs(sum(value * value for value in many) / len(many) - 1) < 0.05


def test_given_noise_is_used_row_by_row_and_must_be_whole_rows() -> None:
    noise = GivenNoise(2, [1, 2, 3, 4, 5, 6])
    noise.start(1)
    assert noise.frames == 3
    assert noise.rows(1, 2).tolist() == [3, 4, 5, 6]
    for values in ([], [1, 2, 3]):
        with pytest.raises(VoxtabError):
            GivenNoise(2, values)
