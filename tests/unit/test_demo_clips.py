"""Training clips: what is laid where, and that a clip depends on its seed and number alone."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from shard_tools.demo.clips import CLIP_SAMPLES, DELAYS, LEFT_PAD_TOKENS, Clip, ClipMixer, open_mixer
from shard_tools.demo.corpus import Corpus
from shard_tools.demo.targets import CLIP_TOKENS, TOKEN_SAMPLES
from shard_tools.demo.tokenizer import FIRST_WORD, STREAMING_PAD, STREAMING_WORD
from shard_tools.demo.words import WORDS
from tests.unit.demo_site import small_corpus

PHONES = ("er1", "n", "t")
MANY = 160


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_corpus(
        tmp_path_factory.mktemp("corpus"), voices={"train": ("flite/slt",), "test": ("flite/awb",)}
    )


@pytest.fixture(scope="module")
def mixer(folder: Path) -> ClipMixer:
    return open_mixer(folder, WORDS, PHONES, seed=1)


@pytest.fixture(scope="module")
def clips(mixer: ClipMixer) -> list[Clip]:
    return [mixer.clip(number) for number in range(MANY)]


def text(clip: Clip) -> list[str]:
    return [WORDS[token - FIRST_WORD] for token in clip.targets.next_tokens if token >= FIRST_WORD]


def test_a_clip_depends_on_seed_and_number_alone(folder: Path, clips: list[Clip]) -> None:
    again = open_mixer(folder, WORDS, PHONES, seed=1)
    for number in (11, 3):  # in another order
        one, other = clips[number], again.clip(number)
        np.testing.assert_array_equal(one.sound, other.sound)
        np.testing.assert_array_equal(one.targets.tokens, other.targets.tokens)
        assert (one.delay, one.left_pad) == (other.delay, other.left_pad)
    assert not np.array_equal(open_mixer(folder, WORDS, PHONES, seed=2).clip(3).sound, clips[3].sound)


def test_clips_are_sound_of_their_length_within_full_scale(clips: list[Clip]) -> None:
    assert CLIP_SAMPLES == CLIP_TOKENS * TOKEN_SAMPLES
    for clip in clips:
        assert clip.sound.shape == (CLIP_SAMPLES,)
        assert clip.sound.dtype == np.float32
        assert np.isfinite(clip.sound).all()
        assert np.abs(clip.sound).max() <= 1


def test_the_padding_is_silent(clips: list[Clip]) -> None:
    for clip in clips:
        assert not clip.sound[: clip.left_pad * TOKEN_SAMPLES].any()


def test_no_word_is_to_be_written_before_the_prompt_ends(clips: list[Clip]) -> None:
    for clip in clips:
        prompt = clip.left_pad + clip.delay
        assert (clip.targets.next_tokens[:prompt] == STREAMING_PAD).all()
        assert not clip.targets.weights[:prompt].any()


def test_what_is_to_be_written_follows_the_corpus(clips: list[Clip], folder: Path) -> None:
    """Each phrase's known words appear together, as the corpus has them, cut only by the clip's end."""
    phrases = {
        tuple(word for word, known in zip(phrase.words, phrase.known, strict=True) if known)
        for phrase in Corpus.open(folder).split("train")
    }
    for clip in clips:
        rest = text(clip)
        while rest:
            taken = next((phrase for phrase in phrases if tuple(rest[: len(phrase)]) == phrase), None)
            if taken is None:
                assert any(phrase[: len(rest)] == tuple(rest) for phrase in phrases)
                break
            rest = rest[len(taken) :]


def test_words_are_heard_where_they_are_written(clips: list[Clip]) -> None:
    """A mark comes `delay` tokens after its word's last sound: there was sound just before that."""
    checked = 0
    for clip in clips:
        marks = np.flatnonzero(clip.targets.next_tokens == STREAMING_WORD)
        for mark in marks:
            end = (mark - clip.delay + 1) * TOKEN_SAMPLES
            assert clip.sound[max(0, end - 4 * TOKEN_SAMPLES) : end].any()
            checked += 1
    assert checked > MANY


def test_the_mixture_is_as_described(clips: list[Clip]) -> None:
    delays = Counter(clip.delay for clip in clips)
    assert set(delays) <= set(DELAYS)
    assert 0.28 < delays[6] / MANY < 0.52  # 40 %
    assert len(delays) > 10
    pads = Counter(clip.left_pad for clip in clips)
    assert set(pads) <= {0, *range(3, LEFT_PAD_TOKENS + 1)}
    assert 0.1 < pads[0] / MANY < 0.32  # 20 %
    assert 0.1 < pads[LEFT_PAD_TOKENS] / MANY < 0.32
    wordless = sum(not text(clip) for clip in clips)
    assert 0.03 < wordless / MANY < 0.25
    silent = sum(not clip.sound.any() for clip in clips)
    assert silent < wordless


def test_at_the_end_of_a_run_most_clips_are_clean(folder: Path, clips: list[Clip]) -> None:
    """Silence between words is exact only where no noise was added."""
    calm = open_mixer(folder, WORDS, PHONES, seed=1, calm_from=0)

    def clean(found: list[Clip]) -> int:
        return sum((clip.sound[clip.left_pad * TOKEN_SAMPLES :] == 0).mean() > 0.05 for clip in found)

    assert clean([calm.clip(number) for number in range(MANY)]) > 1.3 * clean(clips)
    later = open_mixer(folder, WORDS, PHONES, seed=1, calm_from=MANY)
    np.testing.assert_array_equal(later.clip(3).sound, clips[3].sound)
