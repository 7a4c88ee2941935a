"""Greedy transcription of a batch of clips without caches, for measuring during training.

All tokens are guessed at once, then guessed again from those guesses until nothing changes (Jacobi iteration). What is
left standing is what token-by-token decoding writes, since token n depends on earlier tokens only.
"""

import torch
from torch import Tensor

from shard_tools.demo.network import VoxtralRealtime
from shard_tools.demo.tokenizer import BOS, STREAMING_PAD


@torch.inference_mode()
def greedy_tokens(net: VoxtralRealtime, mel: Tensor, left_pad: Tensor, delay: Tensor) -> Tensor:
    """log-mel [B, 128, 8N], left padding and delay in tokens int [B] -> int [B, N], [STREAMING_PAD] inside the prompt."""
    _, adapted = net.listen(mel)
    batch, length = adapted.shape[:2]
    device = adapted.device
    prompt = torch.arange(length, device=device)[None] < (left_pad + delay)[:, None]
    written = torch.full((batch, length), STREAMING_PAD, device=device)
    bos = torch.full((batch, 1), BOS, device=device)
    for _ in range(length):
        fed = torch.cat((bos, written[:, :-1]), dim=1)
        again = net.write(adapted, fed, delay).argmax(-1).masked_fill(prompt, STREAMING_PAD)
        if torch.equal(again, written):
            break
        written = again
    return written
