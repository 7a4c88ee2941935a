"""Voices and rooms that the corpus lacks, made in the mel domain: one random matrix a clip stands for all of it."""

import math

import torch
from torch import Tensor

from voxtab.models.log_mel import SAMPLE_RATE

_KNEE_MEL = 15.0
_MEL_PER_LOG = 27.0 / math.log(6.4)
_HIGHEST_MEL = _KNEE_MEL + _MEL_PER_LOG * math.log(SAMPLE_RATE / 2 / 1000.0)


def mel_distortion(batch: int, bins: int, generator: torch.Generator, clean: float = 0.0) -> Tensor:
    """[B, bins, bins], for mel power [B, frames, bins] from the left.

    Each clip's matrix warps its frequencies by up to 12 % (another length of vocal tract), tilts and bends its
    spectrum (another microphone), and may cut bands off (a telephone) or out. `clean`: the share of clips left alone.
    """
    uniform = _Uniform(batch, generator)
    centres = torch.arange(1, bins + 1) * (_HIGHEST_MEL / (bins + 1))
    warp = torch.exp(torch.where(uniform(0, 1) < 0.8, uniform(-0.12, 0.12), torch.zeros(batch, 1)))
    source = _hz_to_mel(_mel_to_hz(centres)[None] * warp) / (_HIGHEST_MEL / (bins + 1)) - 1
    source = source.clamp(0, bins - 1)
    # Linear interpolation: bin j is read from between two others.
    matrix = (1 - (torch.arange(bins)[None, :, None] - source[:, None, :]).abs()).clamp_min(0)

    x = torch.linspace(0, 1, bins)[None]
    decibels = uniform(-8, 8) * (x - 0.5)
    for waves in (1, 2, 3, 5):
        decibels = decibels + uniform(-4, 4) / waves**0.5 * torch.cos(
            math.pi * waves * x + uniform(0, 2 * math.pi)
        )
    decibels = torch.where(uniform(0, 1) < 0.75, decibels, torch.zeros_like(decibels))
    gain = 10 ** (decibels / 10)

    hz = _mel_to_hz(centres)[None]
    low = torch.where(uniform(0, 1) < 0.25, uniform(50, 350), torch.zeros(batch, 1))
    high = torch.where(uniform(0, 1) < 0.25, uniform(3300, 7500), torch.full((batch, 1), 8001.0))
    hole = uniform(0, bins)
    width = uniform(0, 12) * (uniform(0, 1) < 0.4)
    bin_number = torch.arange(bins)[None]
    gain = gain * (1e-5 + ((hz >= low) & (hz <= high)) * 1.0)
    gain = gain * (1 - ((bin_number >= hole) & (bin_number < hole + width)) * 1.0)
    distorted = matrix * gain[:, None, :]
    return torch.where((uniform(0, 1) < clean)[:, :, None], torch.eye(bins), distorted)


class _Uniform:
    """uniform(low, high): [B, 1]."""

    def __init__(self, batch: int, generator: torch.Generator) -> None:
        self._batch, self._generator = batch, generator

    def __call__(self, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(self._batch, 1, generator=self._generator)


def _mel_to_hz(mel: Tensor) -> Tensor:
    """The Slaney scale of voxtab.models.log_mel, for tensors."""
    return torch.where(mel < _KNEE_MEL, mel * 200 / 3, 1000.0 * torch.exp((mel - _KNEE_MEL) / _MEL_PER_LOG))


def _hz_to_mel(hz: Tensor) -> Tensor:
    above = _KNEE_MEL + _MEL_PER_LOG * torch.log(hz.clamp_min(1.0) / 1000.0)
    return torch.where(hz < 1000.0, hz * 3 / 200, above)
