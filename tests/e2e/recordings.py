"""The reference recordings, joined and padded as a test needs them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000


def joined(recordings: Iterable[Path], silence_s: float = 0.0) -> bytes:
    """A 16-bit WAV file: the recordings one after another, with silence before and behind them."""
    silence = np.zeros(round(silence_s * RATE), np.int16)
    pieces = [soundfile.read(path, dtype="int16")[0] for path in recordings]
    wav = io.BytesIO()
    soundfile.write(wav, np.concatenate([silence, *pieces, silence]), RATE, format="WAV", subtype="PCM_16")
    return wav.getvalue()
