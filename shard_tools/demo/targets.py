"""What the model should write, token by token, for a clip whose words and their places are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from shard_tools.demo.tokenizer import BOS, FIRST_WORD, STREAMING_PAD, STREAMING_WORD

Ids = npt.NDArray[np.int64]

TOKEN_SAMPLES: Final = 1280
CLIP_TOKENS: Final = 144
_POSITIONS_PER_TOKEN: Final = 4
_POSITION_SAMPLES: Final = TOKEN_SAMPLES // _POSITIONS_PER_TOKEN
# Phonemes are asked for 60 ms after they sound, when what follows has begun to be heard.
_PHONE_LATE: Final = 3
# A pause is what most tokens say; counted in full it would drown the words.
_PAD_WEIGHT: Final = 0.3
# Of the words fed back, so many are dropped or exchanged, so that one error does not bring the next.
_CORRUPTED: Final = 0.04


@dataclass(frozen=True)
class Spoken:
    """One word in a clip, in samples from its start. word: its number in the vocabulary, None if it is foreign.

    phones: phoneme numbers, from 0.
    """

    word: int | None
    phones: Sequence[int]
    start: int
    end: int


@dataclass(frozen=True)
class Targets:
    """N = CLIP_TOKENS. Position n predicts next_tokens[n] from tokens up to n and sound up to token n."""

    tokens: Ids  # [N], what is fed in
    next_tokens: Ids  # [N]
    weights: npt.NDArray[np.float32]  # [N], 0 inside the prompt
    phones: Ids  # [4N], 0 for silence, else 1 + phoneme
    ended: Ids  # [N], 0 for nothing, 1 + word, 1 + word_count for a foreign word


def clip_targets(
    spoken: Sequence[Spoken], *, left_pad: int, delay: int, word_count: int, rng: np.random.Generator
) -> Targets:
    """[STREAMING_WORD] `delay` tokens after the token in which a word ends, its text one later.

    A word that finds its place taken waits. spoken: in order of time; left_pad, delay: tokens. With no padding the
    clip is a piece of a running stream: it has no BOS.
    """
    next_tokens = np.full(CLIP_TOKENS + 1, STREAMING_PAD, np.int64)
    fed = next_tokens.copy()
    free = 0
    for word in spoken:
        if word.word is None:
            continue
        at = max(word.end // TOKEN_SAMPLES + delay, free)
        if at >= CLIP_TOKENS:
            break
        next_tokens[at : at + 2] = STREAMING_WORD, FIRST_WORD + word.word
        fed[at : at + 2] = next_tokens[at : at + 2]
        free = at + 2
        chance = rng.random()
        if chance < _CORRUPTED / 2:
            fed[at : at + 2] = STREAMING_PAD
        elif chance < _CORRUPTED:
            fed[at + 1] = FIRST_WORD + int(rng.integers(word_count))
    next_tokens = next_tokens[:CLIP_TOKENS]
    weights = np.where(next_tokens == STREAMING_PAD, np.float32(_PAD_WEIGHT), np.float32(1))
    weights[: left_pad + delay] = 0
    tokens = np.concatenate(([BOS if left_pad else STREAMING_PAD], fed[: CLIP_TOKENS - 1]))
    return Targets(tokens, next_tokens, weights, _phones(spoken), _ended(spoken, word_count))


def _phones(spoken: Sequence[Spoken]) -> Ids:
    """Each word's phonemes share its time equally."""
    labels = np.zeros(CLIP_TOKENS * _POSITIONS_PER_TOKEN, np.int64)
    for word in spoken:
        edges = np.linspace(word.start, word.end, len(word.phones) + 1) / _POSITION_SAMPLES + _PHONE_LATE
        for phone, start, end in zip(word.phones, edges, edges[1:], strict=False):
            labels[round(start) : round(end)] = 1 + phone
    return labels


def _ended(spoken: Sequence[Spoken], word_count: int) -> Ids:
    """A word is asked for one token after its last, when it is sure that it does not go on."""
    labels = np.zeros(CLIP_TOKENS, np.int64)
    for word in spoken:
        at = word.end // TOKEN_SAMPLES + 1
        if at < CLIP_TOKENS:
            labels[at] = 1 + (word_count if word.word is None else word.word)
    return labels
