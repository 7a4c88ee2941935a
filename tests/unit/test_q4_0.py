"""The arithmetic of Q4_0, Q8_0 and F16 against gguf-py."""

import gguf
import numpy as np
import numpy.typing as npt
import pytest
from gguf import GGMLQuantizationType, quants
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shard_tools.quantize_blocks import (
    Scales,
    quantize_q4_0,
    quantize_q8_0,
    to_float16,
)

Float32 = npt.NDArray[np.float32]

# gguf-py's result for values whose reciprocal overflows is what its C compiler makes of it; 1e-30 is far above.
_values = st.one_of(
    st.just(0.0),
    st.floats(width=32, min_value=9.999999682655225e-20, max_value=1e4),
    st.floats(width=32, min_value=-1e4, max_value=-9.999999682655225e-20),
    st.sampled_from([1.0, -1.0, 0.5, -0.5, 8.0, -8.0, 127.0, 1.5, 2.5]),
)
_blocks = hnp.arrays(np.float32, st.integers(1, 4).map(lambda n: 32 * n), elements=_values)


def _gaussian(blocks: int, seed: int = 0) -> Float32:
    return np.random.default_rng(seed).standard_normal(32 * blocks).astype(np.float32) * np.float32(0.02)


def _round_trip(values: Float32, scales: Scales) -> Float32:
    """Through our quantizer and gguf-py's reader."""
    result: Float32 = quants.dequantize(quantize_q4_0(values, scales), GGMLQuantizationType.Q4_0)
    return result


def _rmse(values: Float32, scales: Scales) -> float:
    return float(np.sqrt(np.mean((_round_trip(values, scales) - values) ** 2)))


@settings(max_examples=300)
@given(_blocks)
def test_absmax_q4_0_equals_gguf_py_bit_for_bit(values: Float32) -> None:
    expected = quants.quantize(values, GGMLQuantizationType.Q4_0)
    assert quantize_q4_0(values, "absmax").tobytes() == expected.tobytes()


@settings(max_examples=300)
@given(_blocks)
def test_q8_0_equals_gguf_py_bit_for_bit(values: Float32) -> None:
    assert quantize_q8_0(values).tobytes() == quants.quantize(values, GGMLQuantizationType.Q8_0).tobytes()


def test_a_million_weights_equal_gguf_py_across_the_parts_they_are_worked_on_in() -> None:
    values = _gaussian(1 << 15)
    assert (
        quantize_q4_0(values, "absmax").tobytes()
        == quants.quantize(values, GGMLQuantizationType.Q4_0).tobytes()
    )
    assert quantize_q8_0(values).tobytes() == quants.quantize(values, GGMLQuantizationType.Q8_0).tobytes()


def test_search_lowers_the_error_of_gaussian_weights_by_more_than_five_percent() -> None:
    values = _gaussian(1 << 15)
    assert _rmse(values, "search") < 0.95 * _rmse(values, "absmax")


@pytest.mark.parametrize("shape", ["laplace", "uniform", "outliers", "skewed"])
def test_search_never_loses_to_absmax(shape: str) -> None:
    rng = np.random.default_rng(1)
    size = 32 << 11
    values = {
        "laplace": rng.laplace(size=size),
        "uniform": rng.uniform(-1, 1, size=size),
        "outliers": rng.standard_normal(size) * np.where(rng.random(size) < 0.01, 30, 1),
        "skewed": rng.exponential(size=size),
    }[shape].astype(np.float32)
    assert _rmse(values, "search") <= _rmse(values, "absmax")
    # Block by block, up to the float16 rounding of the scale.
    searched, plain = (
        ((_round_trip(values, scales) - values) ** 2).reshape(-1, 32).sum(axis=1)
        for scales in ("search", "absmax")
    )
    assert np.all(searched <= plain * 1.01 + 1e-9)


def test_search_comes_close_to_the_best_scale_there_is() -> None:
    blocks = _gaussian(64, seed=2).reshape(64, 32)
    found = ((_round_trip(blocks.reshape(-1), "search").reshape(64, 32) - blocks) ** 2).sum(axis=1)
    extreme = np.abs(blocks).max(axis=1, keepdims=True)
    best = np.full(64, np.inf)
    for divisor in np.concatenate([np.arange(5, 16, 0.02), -np.arange(5, 16, 0.02)]):
        scale = extreme / divisor
        levels = np.clip(np.rint(blocks / scale), -8, 7)
        best = np.minimum(best, ((levels * scale - blocks) ** 2).sum(axis=1))
    assert found.sum() < 1.02 * best.sum()


@pytest.mark.parametrize("scales", ["search", "absmax"])
def test_zeros_and_values_too_small_for_float16_become_zeros(scales: Scales) -> None:
    for value in (0.0, 1e-45, -1e-40, 1e-12):
        values = np.full(32, value, np.float32)
        assert not _round_trip(values, scales).any()


@pytest.mark.parametrize("scales", ["search", "absmax"])
def test_the_largest_accepted_values_stay_finite(scales: Scales) -> None:
    values = np.array([8 * 65504.0, -8 * 65504.0] * 16, np.float32)
    assert np.isfinite(_round_trip(values, scales)).all()


def test_float16_keeps_bf16_weights_exactly_down_to_2_to_the_minus_17() -> None:
    bits = np.arange(1 << 16, dtype=np.uint32) << 16
    values = bits.view(np.float32)
    values = values[np.abs(values) <= 65504]
    stored = to_float16(values).view(np.float16).astype(np.float32)
    large = np.abs(values) >= 2.0**-17
    np.testing.assert_array_equal(stored[large], values[large])
    assert np.abs(stored - values).max() <= 2.0**-25


def test_block_sizes_are_ggmls() -> None:
    values = _gaussian(3)
    for data, kind in (
        (quantize_q4_0(values), GGMLQuantizationType.Q4_0),
        (quantize_q8_0(values), GGMLQuantizationType.Q8_0),
        (to_float16(values), GGMLQuantizationType.F16),
    ):
        elements, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        assert len(data) == len(values) // elements * block_bytes
