"""The GPU through wgpu-py: for the native commands, for tests without a browser, and for naga's view of our WGSL."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import wgpu

from voxtab.errors import VoxtabError
from voxtab.gpu.base import AdapterInfo, Dispatch, Gpu, Readback

_STORAGE = (
    wgpu.BufferUsage.STORAGE
    | wgpu.BufferUsage.UNIFORM
    | wgpu.BufferUsage.COPY_SRC
    | wgpu.BufferUsage.COPY_DST
)
_TEXTURE = wgpu.TextureUsage.TEXTURE_BINDING | wgpu.TextureUsage.STORAGE_BINDING
# Asked for as far as the adapter goes; everything runs with the defaults too.
# WebGPU's names of features, and what wgpu calls them.
_FEATURES = {
    "subgroups": "subgroup",
    "timestamp-query": "timestamp-query",
    "float32-filterable": "float32-filterable",
}
_LIMITS = ("max-buffer-size", "max-storage-buffer-binding-size")
_IDENTITY = ("backend_type", "vendor", "architecture", "device", "description")


def choose_adapter() -> Any:
    """The best Vulkan, Metal or D3D12 adapter; `VOXTAB_ADAPTER` picks one by a part of its name."""
    os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")  # Mesa prints an error for each adapter without it
    wanted = os.environ.get("VOXTAB_ADAPTER", "").lower()
    adapters = [a for a in wgpu.gpu.enumerate_adapters_sync() if a.info["backend_type"] != "OpenGL"]
    if wanted:
        adapters = [a for a in adapters if wanted in _name(a).lower()]
    if not adapters:
        raise VoxtabError(
            "no-adapter",
            "No Vulkan, Metal or Direct3D 12 adapter was found" + (f" named {wanted!r}." if wanted else "."),
            "Install a GPU driver, or Mesa's software one (Debian: apt install mesa-vulkan-drivers libvulkan1).",
        )
    order = {"DiscreteGPU": 0, "IntegratedGPU": 1, "VirtualGPU": 2}
    return min(adapters, key=lambda a: order.get(a.info["adapter_type"], 3))


def for_naga(source: str) -> str:
    """A kernel as naga wants it: it knows subgroups, but not yet the directive that asks for them."""
    return source.replace("enable subgroups;\n", "")


def _name(adapter: Any) -> str:
    return str(adapter.info["device"] or adapter.info["vendor"] or "unknown adapter")


class NativeReadback(Readback):
    def __init__(self, staging: Any, size: int, pool: list[Any]) -> None:
        self._staging = staging
        self._size = size
        self._pool = pool
        self._promise = staging.map_async("READ", 0, size)

    async def bytes(self) -> bytes:
        self._promise.sync_wait()
        data = bytes(self._staging.read_mapped(0, self._size))
        self._staging.unmap()
        self._pool.append(self._staging)
        return data


class NativeGpu(Gpu):
    """A device on `adapter`, or on the best one there is."""

    # Waiting for one readback waits for all that was submitted before, so more could not be told apart.
    most_in_flight = 0

    def __init__(self, adapter: Any = None) -> None:
        super().__init__()
        adapter = adapter or choose_adapter()
        limits = {name: int(adapter.limits[name]) for name in _LIMITS}
        features = frozenset(name for name, wgpu_name in _FEATURES.items() if wgpu_name in adapter.features)
        self._device: Any = adapter.request_device_sync(
            required_limits=limits, required_features=[_FEATURES[name] for name in sorted(features)]
        )
        self.info = AdapterInfo(
            name=_name(adapter),
            software=adapter.info["adapter_type"] == "CPU",
            max_binding_bytes=limits["max-storage-buffer-binding-size"],
            max_buffer_bytes=limits["max-buffer-size"],
            max_workgroups=int(adapter.limits["max-compute-workgroups-per-dimension"]),
            features=features,
            identity=" | ".join(str(adapter.info[key]) for key in _IDENTITY),
        )
        self._buffers: dict[int, Any] = {}
        self._compute: list[Any] = []
        self._programs: dict[int, list[tuple[Any, Any, tuple[int, int, int]]]] = {}
        self._modules: dict[str, Any] = {}
        self._pool: list[Any] = []
        self._next = 0
        self._fence = self._create_buffer(4, "fence")

    def _handle(self) -> int:
        self._next += 1
        return self._next

    async def _check_made(self) -> None:
        """Here every failure is raised as a thing is made."""

    async def drain(self) -> None:
        # wgpu-py 0.32 can't build the callback of onSubmittedWorkDone; a readback waits for the same.
        await self._read_buffer(self._fence, 0, 4).bytes()

    def _create_buffer(self, size: int, label: str) -> int:
        return self._made(
            size, label, lambda: self._device.create_buffer(label=label, size=size, usage=_STORAGE)
        )

    def _create_texture(self, width: int, height: int, words: int, label: str) -> int:
        shape = {
            "label": label,
            "size": (width, height, 1),
            "format": "rgba32float" if words == 4 else "rg32float",
            "usage": _TEXTURE,
        }
        return self._made(width * height * words * 4, label, lambda: self._device.create_texture(**shape))

    def _create_sampler(self) -> int:
        handle = self._handle()
        self._buffers[handle] = self._device.create_sampler()
        return handle

    def _made(self, size: int, label: str, make: Callable[[], Any]) -> int:
        handle = self._handle()
        try:
            self._buffers[handle] = make()
        except wgpu.GPUOutOfMemoryError as error:
            raise VoxtabError(
                "adapter-too-small",
                f"The GPU could not give {size / 1e6:.0f} MB for {label}"
                f" ({self.gpu_bytes / 1e6:.0f} MB are in use here).",
                "Close other programs that use the GPU, or choose a smaller model or kv window.",
            ) from error
        return handle

    def _destroy_buffer(self, buffer: int) -> None:
        self._buffers.pop(buffer).destroy()

    def _write_buffer(self, buffer: int, offset: int, data: bytes | bytearray | memoryview) -> None:
        self._device.queue.write_buffer(self._buffers[buffer], offset, data)

    def _copy_buffer(self, source: int, target: int, size: int) -> None:
        encoder = self._device.create_command_encoder()
        encoder.copy_buffer_to_buffer(self._buffers[source], 0, self._buffers[target], 0, size)
        self._device.queue.submit([encoder.finish()])

    def _create_pipeline(self, key: str, source: str, constants: dict[str, int]) -> int:
        module = self._modules.get(key)
        if module is None:
            module = self._modules[key] = self._device.create_shader_module(label=key, code=for_naga(source))
        self._compute.append(
            self._device.create_compute_pipeline(
                label=key,
                layout="auto",
                compute={"module": module, "entry_point": "main", "constants": constants},
            )
        )
        return len(self._compute) - 1

    def _create_program(self, dispatches: Sequence[Dispatch]) -> int:
        recorded = []
        for dispatch in dispatches:
            pipeline = self._compute[dispatch.pipeline]
            group = self._device.create_bind_group(
                layout=pipeline.get_bind_group_layout(0),
                entries=[
                    {"binding": number, "resource": self._resource(view.id)}
                    for number, view in dispatch.bindings
                ],
            )
            recorded.append((pipeline, group, dispatch.grid))
        handle = self._handle()
        self._programs[handle] = recorded
        return handle

    def _resource(self, handle: int) -> Any:
        found = self._buffers[handle]
        if isinstance(found, wgpu.GPUBuffer):
            return {"buffer": found}
        return found.create_view() if isinstance(found, wgpu.GPUTexture) else found

    def _destroy_program(self, program: int) -> None:
        del self._programs[program]

    def _run_program(self, program: int, times: int) -> None:
        encoder = self._device.create_command_encoder()
        self._replay(encoder, program, times)
        self._device.queue.submit([encoder.finish()])

    def _run_and_read(self, program: int, times: int, buffer: int, offset: int, size: int) -> Readback:
        encoder = self._device.create_command_encoder()
        self._replay(encoder, program, times)
        return self._bring_back(encoder, buffer, offset, size)

    def _replay(self, encoder: Any, program: int, times: int) -> None:
        compute = encoder.begin_compute_pass()
        for _ in range(times):
            for pipeline, group, grid in self._programs[program]:
                compute.set_pipeline(pipeline)
                compute.set_bind_group(0, group)
                compute.dispatch_workgroups(*grid)
        compute.end()

    def _read_buffer(self, buffer: int, offset: int, size: int) -> Readback:
        return self._bring_back(self._device.create_command_encoder(), buffer, offset, size)

    def _bring_back(self, encoder: Any, buffer: int, offset: int, size: int) -> Readback:
        """Submits what was encoded and a copy of these bytes."""
        staging = self._staging(size)
        encoder.copy_buffer_to_buffer(self._buffers[buffer], offset, staging, 0, size)
        self._device.queue.submit([encoder.finish()])
        return NativeReadback(staging, size, self._pool)

    def _staging(self, size: int) -> Any:
        for index, staging in enumerate(self._pool):
            if size <= staging.size <= 4 * size + 4096:
                return self._pool.pop(index)
        return self._device.create_buffer(
            label="readback", size=size, usage=wgpu.BufferUsage.MAP_READ | wgpu.BufferUsage.COPY_DST
        )
