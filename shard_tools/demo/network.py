"""Voxtral Realtime in PyTorch, for training: a whole clip at once, no caches.

The modules are named so that the state dict carries Mistral's tensor names behind `checkpoint_names`; the
computation is that of web/voxtab/models/asr.py, which a parity test holds it to.

    log-mel [B, 128, 8N] -> conv stem -> [B, 4N, e] -> encoder -> adapter -> [B, N, d]
    + token embedding of the token before -> decoder -> logits [B, N, V]
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from shard_tools.sizes import ModelSizes, StackSizes
from voxtab.models.tensor_names import ADAPTER, ENCODER, TOKEN_EMBEDDING


class RMSNorm(nn.RMSNorm):
    """In the precision of what it is given: only then does PyTorch use its fused kernel."""

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


class Attention(nn.Module):
    """Causal attention over a sliding window, with rotary positions on interleaved pairs.

    The clip is cut into blocks of the window's length: each block of queries sees its own block and the one before,
    which is all that the window allows, so the work grows with the clip and not with its square.
    """

    def __init__(self, sizes: StackSizes, biases: bool) -> None:
        super().__init__()
        self.sizes = sizes
        self.wq = nn.Linear(sizes.dim, sizes.attention_dim, bias=biases)
        self.wk = nn.Linear(sizes.dim, sizes.kv_dim, bias=False)
        self.wv = nn.Linear(sizes.dim, sizes.kv_dim, bias=biases)
        self.wo = nn.Linear(sizes.attention_dim, sizes.dim, bias=biases)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        """x: [B, blocks x block, dim]; mask: [blocks, 1, block, 2 block], added; see window_mask."""
        batch, length, _ = x.shape
        sizes = self.sizes
        blocks, _, block, _ = mask.shape
        q = rotate(self.wq(x).view(batch, length, sizes.heads, sizes.head_dim), rope)
        k = rotate(self.wk(x).view(batch, length, sizes.kv_heads, sizes.head_dim), rope)
        v = self.wv(x).view(batch, length, sizes.kv_heads, sizes.head_dim)
        # Written out: PyTorch's fused attention is slower than this on a CPU for windows so small.
        queries = q.view(batch, blocks, block, sizes.heads, sizes.head_dim).transpose(2, 3)
        scores = queries @ self._with_block_before(k, blocks).transpose(-1, -2)
        weights = (scores * sizes.head_dim**-0.5 + mask).softmax(-1)
        out = weights @ self._with_block_before(v, blocks)
        joined: Tensor = self.wo(out.transpose(2, 3).reshape(batch, length, sizes.attention_dim))
        return joined

    def _with_block_before(self, x: Tensor, blocks: int) -> Tensor:
        """[B, blocks x block, kv heads, head dim] -> [B, blocks, heads, 2 block, head dim]."""
        sizes = self.sizes
        blocked = x.view(x.shape[0], blocks, -1, sizes.kv_heads, sizes.head_dim)
        before = F.pad(blocked, (0, 0, 0, 0, 0, 0, 1, 0))[:, :-1]
        both = torch.cat((before, blocked), dim=2).transpose(2, 3)
        return both.repeat_interleave(sizes.heads // sizes.kv_heads, dim=2)


class FeedForward(nn.Module):
    """SwiGLU: w2(silu(w1 x) * (w3 x))."""

    def __init__(self, sizes: StackSizes, biases: bool) -> None:
        super().__init__()
        self.w1 = nn.Linear(sizes.dim, sizes.ffn, bias=False)
        self.w2 = nn.Linear(sizes.ffn, sizes.dim, bias=biases)
        self.w3 = nn.Linear(sizes.dim, sizes.ffn, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.w2(F.silu(self.w1(x)) * self.w3(x))
        return out


class Block(nn.Module):
    """A pre-norm layer; in the decoder `scale` is 1 + the layer's answer to the delay, on the second branch only."""

    def __init__(self, sizes: StackSizes, biases: bool, ada_dim: int = 0) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(sizes.dim, eps=sizes.norm_eps)
        self.attention = Attention(sizes, biases)
        self.ffn_norm = RMSNorm(sizes.dim, eps=sizes.norm_eps)
        self.feed_forward = FeedForward(sizes, biases)
        if ada_dim:
            self.ada_rms_norm_t_cond = nn.Sequential(
                nn.Linear(sizes.dim, ada_dim, bias=False),
                nn.GELU(),
                nn.Linear(ada_dim, sizes.dim, bias=False),
            )

        for branch in (self.attention.wo, self.feed_forward.w2):
            branch.weight.data *= (2 * sizes.layers) ** -0.5

    def forward(
        self, x: Tensor, rope: tuple[Tensor, Tensor], mask: Tensor, delay: Tensor | None = None
    ) -> Tensor:
        x = x + self.attention(self.attention_norm(x), rope, mask)
        h = self.ffn_norm(x)
        if delay is not None:
            h = h * (1 + self.ada_rms_norm_t_cond(delay)).unsqueeze(1)
        out: Tensor = x + self.feed_forward(h)
        return out


class ConvStem(nn.Module):
    """Two causal convolutions of kernel 3, strides 1 and 2: log-mel [B, 128, T] -> positions [B, T / 2, dim]."""

    def __init__(self, mel_bins: int, dim: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(mel_bins, dim, 3)
        self.second = nn.Conv1d(dim, dim, 3, stride=2)

    def forward(self, mel: Tensor) -> Tensor:
        x = F.gelu(self.first(F.pad(mel, (2, 0))))
        x = F.gelu(self.second(F.pad(x, (1, 0))))
        return x.transpose(1, 2)


class VoxtralRealtime(nn.Module):
    """The whole model. Stacks pad clips to whole blocks of attention; causality keeps that without effect."""

    def __init__(self, sizes: ModelSizes) -> None:
        super().__init__()
        self.sizes = sizes
        encoder, decoder = sizes.encoder, sizes.decoder
        self.stem = ConvStem(sizes.mel_bins, encoder.dim)
        self.encoder = nn.ModuleList(Block(encoder, biases=True) for _ in range(encoder.layers))
        self.encoder_norm = RMSNorm(encoder.dim, eps=encoder.norm_eps)
        self.adapter = nn.Sequential(
            nn.Linear(encoder.dim * sizes.downsample, decoder.dim, bias=False),
            nn.GELU(),
            nn.Linear(decoder.dim, decoder.dim, bias=False),
        )
        self.tok_embeddings = nn.Embedding(sizes.vocab_size, decoder.dim)
        nn.init.normal_(self.tok_embeddings.weight, std=0.05)
        self.decoder = nn.ModuleList(
            Block(decoder, biases=False, ada_dim=sizes.ada_dim) for _ in range(decoder.layers)
        )
        self.decoder_norm = RMSNorm(decoder.dim, eps=decoder.norm_eps)

    def listen(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """log-mel [B, 128, 8N] -> encoder output [B, 4N, e] and adapter output [B, N, d]."""
        x = self._stack(self.encoder, self.stem(mel), self.sizes.encoder, None)
        x = self.encoder_norm(x)
        adapted: Tensor = self.adapter(x.reshape(x.shape[0], -1, self.sizes.downsample * x.shape[2]))
        return x, adapted

    def write(self, adapted: Tensor, tokens: Tensor, delay_tokens: Tensor) -> Tensor:
        """adapter output [B, N, d], input tokens int [B, N], delays int [B] -> logits [B, N, V]."""
        delay = delay_embedding(delay_tokens, self.sizes.decoder.dim)
        x = self._stack(self.decoder, adapted + self.tok_embeddings(tokens), self.sizes.decoder, delay)
        return F.linear(self.decoder_norm(x), self.tok_embeddings.weight)

    def _stack(self, layers: nn.ModuleList, x: Tensor, sizes: StackSizes, delay: Tensor | None) -> Tensor:
        length = x.shape[1]
        mask = window_mask(length, sizes.window, x.device)
        x = F.pad(x, (0, 0, 0, -length % mask.shape[2]))
        rope = rope_tables(x.shape[1], sizes, x.device)
        for layer in layers:
            x = layer(x, rope, mask, delay)
        return x[:, :length]


def rope_tables(length: int, sizes: StackSizes, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each [length, 1, head dim / 2], of position x theta^(-2j / head dim); float64 inside."""
    j = torch.arange(sizes.head_dim // 2, dtype=torch.float64, device=device)
    angles = torch.outer(
        torch.arange(length, dtype=torch.float64, device=device),
        sizes.rope_theta ** (-2 * j / sizes.head_dim),
    )[:, None]
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """x: [B, T, heads, head dim]; pairs (2j, 2j + 1) turned by their position's angle."""
    cos, sin = rope[0].to(x.dtype), rope[1].to(x.dtype)
    a, b = x.view(*x.shape[:-1], -1, 2).unbind(-1)
    return torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-1).flatten(-2)


def window_mask(length: int, window: int, device: torch.device) -> Tensor:
    """[blocks, 1, block, 2 block], for queries of a block and keys of the block before and the same one.

    0 where query p sees key k, p - window < k <= p and k >= 0; else -inf. A block is a window, or the clip if shorter.
    """
    block = min(window, length)
    query = torch.arange(block, device=device)[:, None] + block
    key = torch.arange(2 * block, device=device)[None]
    seen = (key <= query) & (key > query - window)
    mask = torch.zeros(-(-length // block), 1, block, 2 * block, device=device).masked_fill_(~seen, -math.inf)
    mask[0, :, :, :block] = -math.inf
    return mask


def delay_embedding(delay_tokens: Tensor, dim: int) -> Tensor:
    """[B] -> [B, dim]: cosines first, then sines, of n x 10000^(-i / (dim / 2))."""
    half = dim // 2
    i = torch.arange(half, dtype=torch.float64, device=delay_tokens.device)
    angles = delay_tokens.double()[:, None] * torch.exp(-math.log(10000.0) * i / half)
    return torch.cat((angles.cos(), angles.sin()), dim=-1).float()


def checkpoint_names(sizes: ModelSizes) -> dict[str, str]:
    """Name in `VoxtralRealtime.state_dict()` -> name in consolidated.safetensors, for every tensor."""
    fixed = {
        ENCODER + "conv_layers.0.conv.": "stem.first.",
        ENCODER + "conv_layers.1.conv.": "stem.second.",
        ENCODER + "transformer.layers.": "encoder.",
        ENCODER + "transformer.norm.": "encoder_norm.",
        ADAPTER: "adapter.",
        TOKEN_EMBEDDING: "tok_embeddings.weight",
        "layers.": "decoder.",
        "norm.": "decoder_norm.",
    }
    names = {}
    for published in sizes.tensor_shapes():
        prefix, own = next((prefix, own) for prefix, own in fixed.items() if published.startswith(prefix))
        names[own + published.removeprefix(prefix)] = published
    return names
