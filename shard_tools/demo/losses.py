"""The loss of a batch: the text, and two helper questions that speed learning and are thrown away afterwards."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from shard_tools.demo.network import VoxtralRealtime

_NOTHING_ENDED_WEIGHT = 0.2


@dataclass(frozen=True)
class Batch:
    """B clips of N tokens, as torch takes them; see targets.Targets for the meaning of each row."""

    sound: Tensor  # [B, 1280 N]
    distortion: Tensor  # [B, 128, 128], see augment
    delay: Tensor  # int [B]
    tokens: Tensor  # int [B, N]
    next_tokens: Tensor  # int [B, N]
    weights: Tensor  # [B, N]
    phones: Tensor  # int [B, 4N]
    ended: Tensor  # int [B, N]


@dataclass(frozen=True)
class Losses:
    text: Tensor
    phones: Tensor
    ended: Tensor


class Helpers(nn.Module):
    """Which phoneme sounds at each encoder position, and which word has just ended at each adapter row."""

    def __init__(self, net: VoxtralRealtime, phone_count: int, word_count: int) -> None:
        super().__init__()
        self.phones = nn.Linear(net.sizes.encoder.dim, phone_count + 1)
        self.ended = nn.Linear(net.sizes.decoder.dim, word_count + 2)


def losses(net: VoxtralRealtime, helpers: Helpers, mel: Tensor, batch: Batch) -> Losses:
    """mel: log-mel [B, 128, 8N] of the distorted sound."""
    encoded, adapted = net.listen(mel)
    logits = net.write(adapted, batch.tokens, batch.delay)
    text = F.cross_entropy(logits.flatten(0, 1).float(), batch.next_tokens.flatten(), reduction="none")
    weights = batch.weights.flatten()
    phones = F.cross_entropy(helpers.phones(encoded).flatten(0, 1).float(), batch.phones.flatten())
    class_weights = torch.ones(helpers.ended.out_features, device=mel.device)
    class_weights[0] = _NOTHING_ENDED_WEIGHT
    ended = F.cross_entropy(
        helpers.ended(adapted).flatten(0, 1).float(), batch.ended.flatten(), weight=class_weights
    )
    return Losses((text * weights).sum() / weights.sum(), phones, ended)
