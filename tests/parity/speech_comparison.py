"""How near a speech model's run must come to the golden one, whoever ran it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.parity.comparison import difference

Arrays = Mapping[str, npt.NDArray[Any]]

# Largest absolute difference allowed: of every stage of the backbone, of the flow and of the codec, and of samples.
BAR = 1e-4
PROMPT_STAGES = ("prompt_embeds", "prompt_hidden", "prompt_layer_out")
FRAME_STAGES = ("hidden", "semantic_logits", "x", "v_cond", "v_uncond", "next_embeds")
CODEC_BLOCKS = ("quant", *(f"block{number}" for number in range(8)))


def golden_run(expected: Arrays, prefix: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a golden file below `prefix`, without it."""
    return {name.removeprefix(prefix): expected[name] for name in expected if name.startswith(prefix)}


def assert_frames_agree(got: Arrays, want: Arrays) -> None:
    """Every stage of every frame that the reference has; `got` may go on behind them."""
    assert_near({name: got[name][: len(want[name])] for name in FRAME_STAGES if name in want}, want)


def assert_near(got: Arrays, want: Arrays, bar: float = BAR) -> None:
    """The message lists all of them."""
    assert got
    found = {name: difference(values, want[name]) for name, values in got.items()}
    assert max(found.values()) <= bar, {name: f"{value:.1e}" for name, value in found.items()}


def codec_blocks(expected: Arrays) -> dict[str, npt.NDArray[Any]]:
    """Golden rows of every block, as the engine has them."""
    return {name: np.ascontiguousarray(expected[f"f32/codec/{name}"].T) for name in CODEC_BLOCKS}
