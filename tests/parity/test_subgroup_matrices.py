"""The kernel for matrices that subgroups multiply, against numpy, on an adapter that has none: each multiplication is
written out here by what WebGPU's proposal says of it. So sizes, offsets, edges and the sum of two f16 are tried."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.parity.test_linear import computed, uploaded
from voxtab.formats.gguf import GgmlType
from voxtab.gpu.native import NativeGpu
from voxtab.kernels.tiles import GPU, Tile, Tiles, candidates
from voxtab.nn.recorder import Epilogue
from voxtab.nn.weights import Linear

TILES = [tile for tile in candidates(software=False) if tile.kernel == "matmat_subgroup"]
# Which multiplications there are: names of the left and the right one's parts.
PAIRS = {"f16": (("high", "high"), ("high", "low"), ("low", "high")), "f32": (("high", "high"),)}


def written_out(source: str) -> str:
    """The kernel with matrices as what this stands for: where the left and the right one begin in workgroup memory, in
    vectors of four, and each thread's share of the sums. Halves are floats rounded to f16."""
    component, deep, high = _found(r"subgroup_matrix_left<(\w+), (\d+), (\d+)>", source)
    (wide,) = _found(r"subgroup_matrix_right<\w+, (\d+),", source)
    (threads,) = _found(r"@workgroup_size\((\d+)\)", source)
    share = int(high) * int(wide) // int(threads)
    for directive in ("subgroups", "chromium_experimental_subgroup_matrix", "f16"):
        source = source.replace(f"enable {directive};\n", "")
    source = re.sub(r"alias \w+ = subgroup_matrix_.*\n", "", source)
    source = re.sub(r"subgroupMatrixLoad<Left, row_major>\(&weights_\w+, (\d+u), 8u\)", r"\1", source)
    source = re.sub(r"subgroupMatrixLoad<Right, col_major>\(&values_\w+, (\d+u), 8u\)", r"\1", source)
    source = re.sub(
        r"(\w+) = subgroupMatrixMultiplyAccumulate\(w_([a-z]+), x_([a-z]+)(\d+), \1\)",
        r"multiply_\2_\3(w_\2, x_\3\4, lane, &\1)",
        source,
    )
    source = re.sub(
        r"subgroupMatrixStore<col_major>\(&sums, (\d+u), (\w+), 16u\)", r"store(\1, lane, &\2)", source
    )
    source = source.replace("array<vec4<f16>", "array<vec4<f32>").replace("vec4<f16>(", "rounded(")
    assert "subgroupMatrix" not in source
    # Compilers would take minutes to write out loops that they know the end of.
    written = f"""
      alias Sums = array<f32, {share}>;
      fn rounded(v: vec4<f32>) -> vec4<f32> {{
        return vec4<f32>(unpack2x16float(pack2x16float(v.xy)), unpack2x16float(pack2x16float(v.zw)));
      }}
      fn store(at: u32, lane: u32, sum: ptr<function, Sums>) {{
        for (var i = 0u; i < min({share}u, 1024u * dims.n); i++) {{
          let element = lane * {share}u + i;
          sums[at + element % {wide}u * 16u + element / {wide}u] = (*sum)[i];
        }}
      }}"""
    for left, right in PAIRS[component]:
        written += f"""
      fn multiply_{left}_{right}(left: u32, right: u32, lane: u32, sum: ptr<function, Sums>) {{
        for (var i = 0u; i < min({share}u, 1024u * dims.n); i++) {{
          let element = lane * {share}u + i;
          for (var k = 0u; k < min({deep}u, 1024u * dims.n); k++) {{
            let a = weights_{left}[left + element / {wide}u * 8u + k / 4u][k % 4u];
            (*sum)[i] += a * values_{right}[right + element % {wide}u * 8u + k / 4u][k % 4u];
          }}
        }}
      }}"""
    return source + written


def _found(pattern: str, source: str) -> tuple[str, ...]:
    match = re.search(pattern, source)
    assert match, pattern
    return match.groups()


class WrittenOut(NativeGpu):
    def _create_pipeline(self, name: str, source: str, constants: dict[str, int]) -> int:
        if name.startswith("matmat_subgroup"):
            source = written_out(source)
        return super()._create_pipeline(name, source, constants)


@pytest.mark.parametrize("tile", TILES, ids=lambda tile: f"{tile.by} {tile.threads}")
def test_products_equal_numpy(native_adapter: Any, tile: Tile) -> None:
    """Tiles of few matrices, which compile in a fraction of the time; rows and columns that fill none; a row of x far
    beyond f16, and one far below."""
    gpu = WrittenOut(native_adapter)
    gpu.info = replace(gpu.info, software=False)
    gpu.chosen_tiles = Tiles(GPU.one, (), replace(tile, rows=16, columns=2 * int(tile.parameters["wide"])))
    rng = np.random.default_rng(6)
    kind, rows, cols = (GgmlType.Q8_0, 36, 64) if tile.by.startswith("f32") else (GgmlType.Q4_0, 68, 96)
    weight, meant = uploaded(gpu, kind, rng.standard_normal((rows, cols)).astype(np.float32))
    for n in (2, 37):
        x = rng.standard_normal((n, cols)).astype(np.float32)
        x[0] *= 1e7
        x[-1] *= 1e-7
        got = computed(gpu, Linear(weight), x, np.zeros((n, rows), np.float32), Epilogue.STORE)
        want = x.astype(np.float64) @ meant.astype(np.float64).T
        scale = np.abs(x).astype(np.float64) @ np.abs(meant).T
        assert np.max(np.abs(got - want) / scale) < 4e-6, n
