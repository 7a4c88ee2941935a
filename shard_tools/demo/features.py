"""The log-mel front end in PyTorch, from the engine's own tables: sound [B, 1280 N] -> log-mel [B, 128, 8N]."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from voxtab.models.log_mel import FREQUENCIES, HOP, WINDOW, mel_filters

# Power of a frequency band below which it counts as silence; and how far below 10^1.5 the scale ends.
_SMALLEST_POWER = 1e-10
_LOG_MEL_MAX = 1.5
_RANGE = 8.0


class LogMel(nn.Module):
    """Frame k covers samples 160k - 200 .. 160k + 199; outside the clip there is silence."""

    filters: Tensor
    window: Tensor

    def __init__(self, mel_bins: int = 128) -> None:
        super().__init__()
        filters = torch.tensor(list(mel_filters(mel_bins)), dtype=torch.float32).view(FREQUENCIES, mel_bins)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW, periodic=True), persistent=False)

    def power(self, sound: Tensor) -> Tensor:
        """[B, samples] -> mel power [B, frames, bins], before the logarithm."""
        padded = F.pad(sound, (WINDOW // 2, WINDOW // 2))
        frames = padded.unfold(-1, WINDOW, HOP)[:, : sound.shape[-1] // HOP]
        spectrum = torch.fft.rfft(frames * self.window)
        power: Tensor = (spectrum.real.square() + spectrum.imag.square()) @ self.filters
        return power

    def forward(self, sound: Tensor) -> Tensor:
        return log_scale(self.power(sound))


def log_scale(power: Tensor) -> Tensor:
    """[B, frames, bins] -> [B, bins, frames]: log10, floored 8 below 1.5, then (y + 4) / 4; silence is -0.625."""
    log = power.clamp_min(_SMALLEST_POWER).log10().clamp_min(_LOG_MEL_MAX - _RANGE)
    return ((log + 4.0) / 4.0).transpose(1, 2)
