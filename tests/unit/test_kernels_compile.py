"""Every kernel compiles under naga, on a device that was asked for nothing beyond WebGPU's default limits.

But for those that multiply matrices by subgroups: naga does not know Chromium's experiment.
"""

from __future__ import annotations

from typing import Any

import pytest
import wgpu

from voxtab import kernels
from voxtab.gpu.native import for_naga

SOURCES = {
    name: source
    for name, source in kernels.render_all().items()
    if "enable chromium_experimental_subgroup_matrix;" not in source
}
DEFAULT_LIMITS = {
    "max-compute-invocations-per-workgroup": 256,
    "max-compute-workgroup-size-x": 256,
    "max-compute-workgroup-size-y": 256,
    "max-compute-workgroup-size-z": 64,
    "max-compute-workgroup-storage-size": 16384,
    "max-storage-buffers-per-shader-stage": 8,
    "max-storage-buffer-binding-size": 128 << 20,
}


@pytest.fixture(scope="module")
def default_device(native_adapter: Any) -> Any:
    """wgpu-py asks for all the adapter has unless told; in a browser these are what one gets for nothing."""
    device = native_adapter.request_device_sync(
        required_limits=DEFAULT_LIMITS, required_features=["subgroup"]
    )
    assert DEFAULT_LIMITS.items() <= dict(device.limits).items()
    return device


def test_naga_is_really_asked(default_device: Any) -> None:
    with pytest.raises(wgpu.GPUError, match="u32"):
        default_device.create_shader_module(
            code="@compute @workgroup_size(1) fn main() { let x: u32 = 1.5; }"
        )


@pytest.mark.parametrize("name", SOURCES)
def test_naga_compiles(name: str, default_device: Any) -> None:
    module = default_device.create_shader_module(label=name, code=for_naga(SOURCES[name]))
    default_device.create_compute_pipeline(
        label=name, layout="auto", compute={"module": module, "entry_point": "main"}
    )
