"""Word errors during training: clean phrases, a few delays. For the curve only: nothing is chosen by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import jiwer
import numpy as np
import numpy.typing as npt
import torch

from shard_tools.demo.clips import CLIP_SAMPLES, LEFT_PAD_TOKENS
from shard_tools.demo.corpus import Corpus
from shard_tools.demo.features import LogMel
from shard_tools.demo.greedy import greedy_tokens
from shard_tools.demo.network import VoxtralRealtime
from shard_tools.demo.noise import SAMPLE_RATE
from shard_tools.demo.targets import TOKEN_SAMPLES
from shard_tools.demo.tokenizer import FIRST_WORD

_GAP: Final = SAMPLE_RATE // 2
# The largest measured delay, then a token for the text and one to spare: later words could not be written in the clip.
_ROOM: Final = 18 * TOKEN_SAMPLES


@dataclass(frozen=True)
class ValidationSet:
    """Phrases end to end in clips. sounds: f32[B, CLIP_SAMPLES]; texts: what each clip says."""

    sounds: npt.NDArray[np.float32]
    texts: tuple[str, ...]

    @classmethod
    def from_split(cls, corpus: Corpus, split: str) -> "ValidationSet":
        sounds: list[npt.NDArray[np.float32]] = []
        texts: list[list[str]] = []
        position = CLIP_SAMPLES
        for phrase in corpus.split(split):
            samples = corpus.samples(phrase).astype(np.float32) / 32768
            if position + len(samples) + _ROOM > CLIP_SAMPLES:
                sounds.append(np.zeros(CLIP_SAMPLES, np.float32))
                texts.append([])
                position = LEFT_PAD_TOKENS * TOKEN_SAMPLES + _GAP // 2
            if position + len(samples) > CLIP_SAMPLES:
                continue
            sounds[-1][position : position + len(samples)] = samples
            texts[-1] += phrase.words
            position += len(samples) + _GAP
        return cls(np.stack(sounds), tuple(" ".join(words) for words in texts))


@torch.inference_mode()
def word_error_rate(
    net: VoxtralRealtime, log_mel: LogMel, clips: ValidationSet, words: Sequence[str], delay: int, batch: int
) -> float:
    """delay: in tokens of 80 ms."""
    heard: list[str] = []
    device = net.tok_embeddings.weight.device
    for start in range(0, len(clips.sounds), batch):
        mel = log_mel(torch.from_numpy(clips.sounds[start : start + batch]).to(device))
        with torch.autocast(device.type, torch.bfloat16):
            pads, delays = (
                torch.full((len(mel),), value, device=device) for value in (LEFT_PAD_TOKENS, delay)
            )
            tokens = greedy_tokens(net, mel, pads, delays)
        for row in tokens.cpu().numpy():
            ids = row[(row >= FIRST_WORD) & (row < FIRST_WORD + len(words))] - FIRST_WORD
            heard.append(" ".join(words[number] for number in ids))
    return float(jiwer.wer(list(clips.texts), heard))
