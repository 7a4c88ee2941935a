"""The comparison lets pass what the reference itself cannot tell apart, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.parity.comparison import (
    Arrays,
    assert_decodes_agree,
    assert_stages_agree,
    difference,
)


def decode(tokens: list[int], *, margin: float = 1.0) -> dict[str, npt.NDArray[Any]]:
    """A run over 4 tokens whose logits follow from the token chosen."""
    logits = np.zeros((len(tokens), 4), np.float32)
    logits[np.arange(len(tokens)), tokens] = margin
    return {
        "tokens_full": np.array(tokens, np.int32),
        "logits": logits,
        "margin": np.full(len(tokens), margin, np.float32),
    }


def test_a_stage_over_its_bar_is_named() -> None:
    want: Arrays = {"mel": np.zeros(4, np.float32), "enc_out": np.zeros(4, np.float32)}
    bars = {"mel": 1e-3, "enc_out": 1e-3, "logits": 1e-3}
    assert_stages_agree({**want, "mel": np.full(4, 9e-4, np.float32)}, want, bars)
    with pytest.raises(AssertionError, match=r"enc_out 2\.0e-03 \(bar 1e-03\)"):
        assert_stages_agree({**want, "enc_out": np.full(4, 2e-3, np.float32)}, want, bars)


@pytest.mark.parametrize("got", [np.zeros(3, np.float32), np.array([0, np.nan], np.float32)])
def test_another_shape_or_a_nan_is_infinitely_far(got: npt.NDArray[np.float32]) -> None:
    assert difference(got, np.zeros(2, np.float32)) == float("inf")


def test_tokens_may_part_only_at_a_tie() -> None:
    tie = decode([0, 1, 2, 3], margin=0.01)
    assert_decodes_agree(decode([0, 1, 3, 0], margin=0.01), tie, bar=0.02)
    with pytest.raises(AssertionError, match="step 2: token"):
        assert_decodes_agree(decode([0, 1, 3, 0]), decode([0, 1, 2, 3]), bar=0.02)


def test_logits_before_a_tie_still_count() -> None:
    tie = decode([0, 1, 2, 3], margin=0.01)
    parted = decode([0, 1, 3, 0], margin=0.01)
    parted["logits"][1, 1] += 0.1
    with pytest.raises(AssertionError, match="over 3 steps"):
        assert_decodes_agree(parted, tie, bar=0.02)
    parted = decode([0, 1, 3, 0], margin=0.01)
    parted["logits"][3] += 0.1
    assert_decodes_agree(parted, tie, bar=0.02)


def test_a_run_of_another_length_fails() -> None:
    with pytest.raises(AssertionError):
        assert_decodes_agree(decode([0, 1, 2]), decode([0, 1, 2, 3]), bar=0.02)
