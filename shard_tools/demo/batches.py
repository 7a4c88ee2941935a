"""Batches for training, mixed by processes beside it. Batch n is the same whenever and wherever it is made."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from shard_tools.demo.augment import mel_distortion
from shard_tools.demo.clips import CALM_CLEAN, ClipMixer, open_mixer
from shard_tools.demo.corpus import Corpus
from shard_tools.demo.losses import Batch

_AHEAD: Final = 8
_MEL_BINS: Final = 128


def phoneme_set(corpus: Corpus) -> tuple[str, ...]:
    """Every phoneme of the training phrases, sorted: its place is its number."""
    used = {phone for phrase in corpus.split("train") for word in phrase.phones for phone in word}
    return tuple(sorted(used))


class Batches(Dataset[Batch]):
    """batches[n]; a worker opens the corpus when it is first asked. From batch `calm_from` on, more clips are clean."""

    def __init__(self, open_clips: Callable[[], ClipMixer], size: int, seed: int, calm_from: int) -> None:
        self._open_clips, self._size, self._seed, self._calm_from = open_clips, size, seed, calm_from
        self._mixer: ClipMixer | None = None

    def __getitem__(self, number: int) -> Batch:
        if self._mixer is None:
            if get_worker_info() is not None:
                torch.set_num_threads(1)
            self._mixer = self._open_clips()
        clips = [self._mixer.clip(number * self._size + i) for i in range(self._size)]
        targets = [clip.targets for clip in clips]
        clean = CALM_CLEAN if number >= self._calm_from else 0.0
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + number)
        return Batch(
            sound=torch.from_numpy(np.stack([clip.sound for clip in clips])),
            distortion=mel_distortion(self._size, _MEL_BINS, generator, clean),
            delay=torch.tensor([clip.delay for clip in clips]),
            tokens=torch.from_numpy(np.stack([target.tokens for target in targets])),
            next_tokens=torch.from_numpy(np.stack([target.next_tokens for target in targets])),
            weights=torch.from_numpy(np.stack([target.weights for target in targets])),
            phones=torch.from_numpy(np.stack([target.phones for target in targets])),
            ended=torch.from_numpy(np.stack([target.ended for target in targets])),
        )


class _Opener:
    """Opens the training clips; an object, so that it can be sent to a worker."""

    def __init__(
        self, folder: Path, words: tuple[str, ...], phones: tuple[str, ...], seed: int, calm_from: int
    ) -> None:
        self._arguments = (folder, words, phones, seed, calm_from)

    def __call__(self) -> ClipMixer:
        return open_mixer(*self._arguments)


def training_batches(
    folder: Path,
    corpus: Corpus,
    words: tuple[str, ...],
    *,
    size: int,
    seed: int,
    first: int,
    last: int,
    calm_from: int,
    workers: int,
) -> Iterator[Batch]:
    """Batches `first` .. `last` - 1 of `size` clips; folder: where `corpus` was opened.

    workers: processes that mix; with 0 this one does.
    """
    opener = _Opener(folder, words, phoneme_set(corpus), seed, calm_from * size)
    loader = DataLoader(
        Batches(opener, size, seed, calm_from),
        batch_size=None,
        sampler=range(first, last),
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
        multiprocessing_context="spawn" if workers else None,
        generator=torch.Generator(),
    )
    return iter(loader)
