"""The golden checkpoints' reference outputs, and the checkpoints that have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SETS = ("asr-tiny", "asr-window")
WEIGHTS = ("f32", "q4_0")
EOS = 2


class Expected:
    """`expected.npz` of one checkpoint, for one kind of weights."""

    def __init__(self, checkpoint: Path, weights: str) -> None:
        self._arrays = dict(np.load(checkpoint / "expected.npz"))
        self._weights = weights
        self.audio = self._arrays["audio"]

    def __call__(self, delay_ms: int = 480) -> dict[str, Any]:
        """Tokens and margins for the delay; for 480 ms all stages too."""
        prefix = f"{self._weights}/" + (f"delay{delay_ms}/" if delay_ms != 480 else "")
        found = {k.removeprefix(prefix): v for k, v in self._arrays.items() if k.startswith(prefix)}
        return {"mel": self._arrays["mel"], **found}

    def transcript(self, delay_ms: int) -> list[int]:
        """The tokens a session gives: up to the end of sequence, which is dropped."""
        return [int(token) for token in self(delay_ms)["tokens"] if token != EOS]
