"""How near an engine run must come to a reference run.

Both sides are mappings under the golden files' names (see tests/data): the engine's trace, the arrays of an
expected.npz, or `vars()` of a `transformers_reference.Expected`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]

# Largest absolute difference allowed, by stage. Float32 implementations are within a tenth of each other.
F32_BARS = {"mel": 2e-4, "conv_out": 1e-4, "enc_out": 2e-4, "adapter_out": 4e-4, "logits": 5e-4}
# Storage in float16, sums in float32.
F16_BARS = {"mel": 2e-4, "conv_out": 1e-2, "enc_out": 4e-2, "adapter_out": 4e-2, "logits": 6e-2}


def difference(got: npt.NDArray[Any], want: npt.NDArray[Any]) -> float:
    """Largest absolute difference; infinite when shapes differ or a value is not a number."""
    if got.shape != want.shape or not np.isfinite(got).all():
        return float("inf")
    return float(np.abs(got.astype(np.float64) - want).max(initial=0.0))


def assert_stages_agree(got: Arrays, want: Arrays, bars: Mapping[str, float]) -> None:
    """Every stage before the logits, over its whole length. The message lists all of them."""
    stages = {stage: bar for stage, bar in bars.items() if stage != "logits"}
    found = {stage: difference(got[stage], want[stage]) for stage in stages}
    report = ", ".join(f"{stage} {found[stage]:.1e} (bar {bar:.0e})" for stage, bar in stages.items())
    assert all(found[stage] <= bar for stage, bar in stages.items()), report


def assert_decodes_agree(got: Arrays, want: Arrays, bar: float) -> None:
    """Free-running logits and tokens, both under `logits` [S, vocabulary] and `tokens_full` [S].

    Tokens may part only where the reference's own `margin` is under twice the bar; behind such a step the two
    runs have different histories, so logits are compared up to and including it.
    """
    assert got["tokens_full"].shape == want["tokens_full"].shape
    parted = np.flatnonzero(got["tokens_full"] != want["tokens_full"])
    same = len(want["tokens_full"])
    if parted.size:
        step = int(parted[0])
        margin = float(want["margin"][step])
        pair = f"{got['tokens_full'][step]}, reference {want['tokens_full'][step]}"
        assert margin < 2 * bar, f"step {step}: token {pair}, margin {margin}"
        same = step + 1
    worst = difference(got["logits"][:same], want["logits"][:same])
    assert worst <= bar, f"logits differ by {worst:.1e} (bar {bar:.0e}) over {same} steps"
