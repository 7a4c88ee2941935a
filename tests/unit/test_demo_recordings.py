"""What the demo model is measured with: recordings of test phrases, what is done to them, and sounds without words."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import welch

from shard_tools.demo.conditions import CONDITIONS
from shard_tools.demo.corpus import Corpus
from shard_tools.demo.evaluation import treated
from shard_tools.demo.recordings import (
    Recording,
    clipped,
    first_words,
    single_phrases,
    split_recordings,
    with_peak,
)
from shard_tools.demo.wordless import KINDS, wordless_recordings
from tests.unit.demo_site import EDGE, WORD_SAMPLES, small_corpus

FIRST = "trained-480"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus.open(small_corpus(tmp_path_factory.mktemp("corpus")))


@pytest.mark.parametrize("split", ["test", "test_unseen", "test_foreign"])
def test_recordings_hold_every_phrase_once(corpus: Corpus, split: str) -> None:
    said = [phrase for recording in split_recordings(corpus, split, 1) for phrase in recording.phrases]
    assert sorted(said, key=lambda phrase: phrase.offset) == corpus.split(split)


def test_recordings_have_one_voice_and_the_accents_of_a_variant_are_one(corpus: Corpus) -> None:
    unseen = {recording.group for recording in split_recordings(corpus, "test_unseen", 1)}
    assert unseen == {"espeak-ng f3", "flite/rms", "festival/ked_diphone"}
    trained = split_recordings(corpus, "test", 1)
    assert {recording.group for recording in trained} == {"espeak-ng", "flite/slt", "festival/kal_diphone"}
    for recording in trained:
        if recording.group != "espeak-ng":
            assert {phrase.voice for phrase in recording.phrases} == {recording.group}


def test_recordings_take_8_to_12_seconds_and_a_phrase_more_at_most(corpus: Corpus) -> None:
    longest_phrase = (2 * EDGE + 3 * WORD_SAMPLES) / 16000
    recordings = split_recordings(corpus, "test", 1)
    lengths = [len(recording.sound) / 16000 for recording in recordings]
    assert max(lengths) <= 12 + longest_phrase + 0.6
    assert sum(length < 8 for length in lengths) <= len({recording.group for recording in recordings})


def test_the_phrases_sound_as_in_the_corpus_with_silence_between(corpus: Corpus) -> None:
    recording = split_recordings(corpus, "test", 1)[0]
    position = 0
    for number, phrase in enumerate(recording.phrases):
        sound = corpus.samples(phrase).astype(np.float64) / 32768
        loud = int(np.argmax(sound != 0))
        start = position + int(np.argmax(recording.sound[position:] != 0)) - loud
        np.testing.assert_array_equal(recording.sound[start : start + len(sound)], sound)
        assert (0.2 if number == 0 else 0.4) <= (start - position) / 16000 <= (0.6 if number == 0 else 1.0)
        position = start + len(sound)
    assert not recording.sound[position:].any()
    assert 0.2 <= (len(recording.sound) - position) / 16000 <= 0.6


def test_the_same_seed_gives_the_same_recordings(corpus: Corpus) -> None:
    one, other = (split_recordings(corpus, "test", 1) for _ in range(2))
    assert [recording.name for recording in one] == [recording.name for recording in other]
    assert all(np.array_equal(a.sound, b.sound) for a, b in zip(one, other, strict=True))
    assert not np.array_equal(split_recordings(corpus, "test", 2)[0].sound, one[0].sound)


def test_a_subset_has_all_groups_and_a_smaller_one_lies_in_it(corpus: Corpus) -> None:
    recordings = split_recordings(corpus, "test", 1)
    some, fewer = first_words(recordings, 72), first_words(recordings, 30)
    assert 72 <= sum(len(recording.words) for recording in some) < 72 + len(some[-1].words)
    assert {recording.group for recording in some} == {recording.group for recording in recordings}
    assert fewer == some[: len(fewer)]
    assert len({recording.name for recording in recordings}) == len(recordings)


# --- what is done to them ---


def test_speech_that_starts_at_sample_0_is_audible_there(corpus: Corpus) -> None:
    whole = split_recordings(corpus, "test", 1)[0]
    singles = single_phrases(corpus, whole)
    assert [single.words for single in singles] == [phrase.words for phrase in whole.phrases]
    for single, phrase in zip(singles, whole.phrases, strict=True):
        peak = np.abs(single.sound).max()
        assert abs(single.sound[0]) > 0.01 * peak
        dropped = corpus.samples(phrase)[: phrase.samples - len(single.sound)] / 32768
        assert np.abs(dropped).max() <= 0.01 * peak


def test_quiet_speech_has_its_peak_and_the_steps_of_16_bits(corpus: Corpus) -> None:
    quiet = with_peak(split_recordings(corpus, "test", 1)[0], 0.01)
    assert np.abs(quiet.sound).max() == pytest.approx(0.01, abs=1 / 32768)
    np.testing.assert_array_equal(quiet.sound * 32768, np.rint(quiet.sound * 32768))


def test_a_fifth_of_the_audible_peaks_are_cut_off(corpus: Corpus) -> None:
    for whole in split_recordings(corpus, "test", 1):
        loud = clipped(whole, 0.2).sound
        frames = np.abs(whole.sound[: len(whole.sound) // 320 * 320]).reshape(-1, 320).max(axis=1)
        cut = np.abs(loud[: len(frames) * 320]).reshape(-1, 320).max(axis=1) >= 0.999
        assert cut.sum() / (frames > 0.02 * frames.max()).sum() == pytest.approx(0.2, abs=0.04)


@pytest.fixture(scope="module")
def wordless() -> list[Recording]:
    return wordless_recordings(1)


def test_wordless_sounds_last_eight_minutes_each_kind_alike(wordless: list[Recording]) -> None:
    kinds = [*KINDS, "silence"]
    assert len(kinds) == 8
    for kind in kinds:
        assert sum(len(sound.sound) for sound in wordless if sound.group == kind) == 60 * 16000
    assert not any(sound.phrases for sound in wordless)


def test_wordless_sounds_have_the_level_they_are_called_by(wordless: list[Recording]) -> None:
    for recording in wordless:
        if recording.group == "silence":
            assert not recording.sound.any()
        else:
            level = float(recording.name.split("/")[-1].removesuffix(" dB"))
            rms = 20 * np.log10(np.sqrt(np.mean(recording.sound.astype(np.float64) ** 2)))
            assert rms == pytest.approx(level, abs=0.3)


def spectrum(wordless: list[Recording], kind: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    sound = next(sound for sound in wordless if sound.group == kind).sound
    hz, power = welch(sound, 16000, nperseg=16000)
    return hz, power


@pytest.mark.parametrize("mains", [50, 60])
def test_hum_is_at_its_mains_frequency_and_multiples(wordless: list[Recording], mains: int) -> None:
    hz, power = spectrum(wordless, f"hum {mains} Hz")
    multiple = np.isin(hz, [mains * n + d for n in range(1, 11) for d in (-2, -1, 0, 1, 2)])
    assert power[multiple].sum() > 0.999 * power.sum()


@pytest.mark.parametrize(("kind", "slope"), [("white noise", 0), ("pink noise", 1), ("brown noise", 2)])
def test_noise_falls_with_frequency_as_its_colour_says(
    wordless: list[Recording], kind: str, slope: float
) -> None:
    hz, power = spectrum(wordless, kind)
    band = (hz >= 100) & (hz <= 6000)
    fitted = np.polyfit(np.log(hz[band]), np.log(power[band]), 1)[0]
    assert fitted == pytest.approx(-slope, abs=0.1)


def test_conditions_differ_in_sound_from_the_clean_one(corpus: Corpus) -> None:
    by_key = {condition.key: condition for condition in CONDITIONS}
    clean = {name: recording.sound for name, recording in treated(corpus, by_key[FIRST])}
    for key in ("start", "quiet", "clipped"):
        for name, recording in treated(corpus, by_key[key]):
            assert not np.array_equal(recording.sound, clean[name])
    for name, recording in treated(corpus, by_key["evened"]):
        np.testing.assert_array_equal(recording.sound, clean[name])
