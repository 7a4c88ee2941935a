"""What the demo model is to write: the stream of tokens, worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shard_tools.demo.targets import CLIP_TOKENS, TOKEN_SAMPLES, Spoken, Targets, clip_targets
from shard_tools.demo.tokenizer import BOS, FIRST_WORD, STREAMING_PAD, STREAMING_WORD

WORDS = 10


def word(number: int | None, start: int, end: int, phones: tuple[int, ...] = (2, 7)) -> Spoken:
    return Spoken(number, phones, start, end)


def targets(*spoken: Spoken, left_pad: int = 8, delay: int = 6, seed: int = 0) -> Targets:
    return clip_targets(
        spoken, left_pad=left_pad, delay=delay, word_count=WORDS, rng=np.random.default_rng(seed)
    )


def written(made: Targets) -> dict[int, int]:
    """Position to token, where it is no [STREAMING_PAD]."""
    return {int(at): int(made.next_tokens[at]) for at in np.flatnonzero(made.next_tokens != STREAMING_PAD)}


@pytest.mark.parametrize("delay", [1, 6, 30])
def test_the_mark_comes_delay_tokens_after_the_words_last_sound_and_its_text_next(delay: int) -> None:
    end = 20 * TOKEN_SAMPLES + 500  # inside token 20
    made = targets(word(3, 18 * TOKEN_SAMPLES, end), delay=delay)
    assert written(made) == {20 + delay: STREAMING_WORD, 21 + delay: FIRST_WORD + 3}


def test_a_word_that_ends_with_the_one_before_waits_until_that_is_written() -> None:
    at = 20 * TOKEN_SAMPLES
    made = targets(word(1, at - 900, at), word(2, at, at + 900), word(4, at + 900, at + 1279))
    assert written(made) == {
        26: STREAMING_WORD,
        27: FIRST_WORD + 1,
        28: STREAMING_WORD,
        29: FIRST_WORD + 2,
        30: STREAMING_WORD,
        31: FIRST_WORD + 4,
    }


def test_words_outside_the_vocabulary_are_not_written() -> None:
    made = targets(
        word(None, 12 * TOKEN_SAMPLES, 20 * TOKEN_SAMPLES), word(5, 21 * TOKEN_SAMPLES, 30 * TOKEN_SAMPLES)
    )
    assert written(made) == {36: STREAMING_WORD, 37: FIRST_WORD + 5}


def test_what_comes_after_the_clip_is_left_out() -> None:
    last = CLIP_TOKENS * TOKEN_SAMPLES
    made = targets(word(1, last - 9000, last - 1))
    assert written(made) == {}
    at_the_edge = targets(word(1, last - 20000, (CLIP_TOKENS - 7) * TOKEN_SAMPLES))
    assert written(at_the_edge) == {CLIP_TOKENS - 1: STREAMING_WORD}


def test_what_is_fed_in_is_what_was_to_be_written_one_before_but_for_errors_made_on_purpose() -> None:
    spoken = [
        word(n % WORDS, t * TOKEN_SAMPLES, (t + 3) * TOKEN_SAMPLES) for n, t in enumerate(range(10, 130, 4))
    ]
    differing = words = 0
    for seed in range(200):
        made = targets(*spoken, seed=seed)
        assert made.tokens[0] == BOS
        changed = np.flatnonzero(made.tokens[1:] != made.next_tokens[:-1])
        assert (made.next_tokens[changed] != STREAMING_PAD).all()
        differing += len(np.unique((changed - 19) // 4))
        words += len(spoken)
    # 4 %, less those exchanged for themselves.
    assert 0.03 < differing / words < 0.05


def test_a_stream_that_was_running_before_has_no_beginning() -> None:
    assert targets(left_pad=0).tokens[0] == STREAMING_PAD


def test_the_prompt_is_not_learned_and_pauses_count_less_than_words() -> None:
    made = targets(word(3, 18 * TOKEN_SAMPLES, 20 * TOKEN_SAMPLES), left_pad=8, delay=6)
    assert not made.weights[:14].any()
    assert made.weights[14:26] == pytest.approx(0.3)
    assert made.weights[26:28].tolist() == [1, 1]
    assert made.weights[28:] == pytest.approx(0.3)


def test_phonemes_share_their_words_time_and_are_asked_for_60_ms_late() -> None:
    # 960 samples are 3 positions of 20 ms.
    made = targets(word(3, 3200, 3200 + 1920, phones=(2, 7)))
    asked = np.flatnonzero(made.phones)
    assert asked.tolist() == [13, 14, 15, 16, 17, 18]
    assert made.phones[asked].tolist() == [3, 3, 3, 8, 8, 8]


def test_a_words_end_is_asked_for_one_token_later_and_foreign_ones_are_a_class_of_their_own() -> None:
    made = targets(
        word(3, 18 * TOKEN_SAMPLES, 20 * TOKEN_SAMPLES), word(None, 30 * TOKEN_SAMPLES, 33 * TOKEN_SAMPLES)
    )
    assert {int(at): int(made.ended[at]) for at in np.flatnonzero(made.ended)} == {21: 4, 34: 1 + WORDS}


@given(
    ends=st.lists(st.integers(0, CLIP_TOKENS * TOKEN_SAMPLES - 1), max_size=40).map(sorted),
    delay=st.sampled_from([1, 3, 6, 12, 15, 30]),
    left_pad=st.integers(0, 32),
    seed=st.integers(0, 9),
)
def test_every_word_is_written_once_in_order_or_falls_off_the_end(
    ends: list[int], delay: int, left_pad: int, seed: int
) -> None:
    spoken = [word(number % WORDS, max(0, end - 400), end) for number, end in enumerate(ends)]
    made = targets(*spoken, left_pad=left_pad, delay=delay, seed=seed)
    texts = [int(token) - FIRST_WORD for token in made.next_tokens if token >= FIRST_WORD]
    assert texts == [number % WORDS for number in range(len(texts))]
    marks = np.flatnonzero(made.next_tokens == STREAMING_WORD)
    assert len(texts) in (len(marks), len(marks) - 1)
    for mark, end in zip(marks, ends, strict=False):
        assert mark >= end // TOKEN_SAMPLES + delay
        if mark + 1 < CLIP_TOKENS:
            assert made.next_tokens[mark + 1] >= FIRST_WORD
    for row, length in (
        (made.tokens, 1),
        (made.next_tokens, 1),
        (made.weights, 1),
        (made.ended, 1),
        (made.phones, 4),
    ):
        assert row.shape == (length * CLIP_TOKENS,)
