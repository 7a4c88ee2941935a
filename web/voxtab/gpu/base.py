"""What the engine asks of a GPU. Two backends answer: `browser.py` (WebGPU in a worker) and `native.py` (wgpu-py).

Everything is by handle: a buffer, a pipeline or a program is a small integer the backend understands, so that in the
browser one call crosses from Python to JavaScript per object, and one per replay of a whole program.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from voxtab.errors import VoxtabError
from voxtab.kernels.tiles import TUNED_WEIGHTS, Tiles, default_tiles


@dataclass(frozen=True)
class Buffer:
    """A storage or uniform buffer. `size` is in bytes, a multiple of 4. Starts zeroed, as WebGPU promises."""

    id: int
    size: int


# Of a texture's sides, in texels: what WebGPU promises of every device.
MOST_TEXELS = 8192


@dataclass(frozen=True)
class Texture(Buffer):
    """Rows of `width` texels of `words` f32 each, 2 or 4. Kernels fill it and sample it; the bits may mean anything."""

    width: int
    height: int
    words: int


@dataclass(frozen=True)
class AdapterInfo:
    """`name` is for people, `identity` tells it from any other, its driver's version included; `software` is true for
    CPU rasterizers, which want other tile sizes than GPUs; `features` are WebGPU's names of those the device has, and
    where subgroups multiply matrices, its name again with each of their sizes; see voxtab.kernels.tiles."""

    name: str
    software: bool
    max_binding_bytes: int
    max_buffer_bytes: int
    max_workgroups: int
    features: frozenset[str] = frozenset()
    identity: str = ""

    @property
    def samples_weights(self) -> bool:
        """Whether block-quantized weights are kept as textures: CPU adapters load a buffer's words lane by lane, each
        behind a check, but all four of a texel at once. See tuning/sampling.py for those that alter them."""
        return self.software and "float32-filterable" in self.features


@dataclass
class Counters:
    """What has crossed to the GPU so far: submits of programs, copies back, most of them in a program's submit, and
    Python's calls into the backend."""

    submits: int = 0
    readbacks: int = 0
    calls: int = 0

    def since(self, start: "Counters") -> dict[str, int]:
        return {
            "submits": self.submits - start.submits,
            "readbacks": self.readbacks - start.readbacks,
            "calls": self.calls - start.calls,
        }

    def copy(self) -> "Counters":
        return Counters(self.submits, self.readbacks, self.calls)


class Readback(ABC):
    """Bytes on their way back. The copy is in the queue already; `bytes()` waits for it."""

    @abstractmethod
    async def bytes(self) -> bytes: ...


@dataclass(frozen=True)
class Dispatch:
    """One kernel run: `bindings` are (binding number, buffer) of group 0; `grid` is in workgroups."""

    pipeline: int
    bindings: tuple[tuple[int, Buffer], ...]
    grid: tuple[int, int, int]


@dataclass
class Program:
    """A recorded list of dispatches. Building is Python; `gpu.run(program)` is one call and one submit."""

    id: int
    recorded: tuple[Dispatch, ...] = ()

    @property
    def dispatches(self) -> int:
        return len(self.recorded)


class Gpu(ABC):
    """A device. Sizes and offsets are bytes and multiples of 4. Raises VoxtabError with code device-lost or
    adapter-too-small; every other failure is a bug of ours and stays what it is."""

    info: AdapterInfo
    most_in_flight = 2
    """Submits worth having under way beyond the one waited for."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.allocated: dict[int, int] = {}
        self.chosen_tiles: Tiles | None = None
        self._unchecked = False
        self._sampler: Buffer | None = None
        self._uniforms: dict[bytes, Buffer] = {}
        self._pipelines: dict[tuple[str, tuple[tuple[str, int], ...]], int] = {}

    @property
    def gpu_bytes(self) -> int:
        return sum(self.allocated.values())

    @property
    def tiles(self) -> Tiles:
        """How products with block-quantized weights are cut in what is recorded from now on."""
        return self.tiles_for(TUNED_WEIGHTS[0])

    def tiles_for(self, weight: str) -> Tiles:
        """The same for a kind of weight. The candidates for a choice are for TUNED_WEIGHTS alone."""
        if weight in TUNED_WEIGHTS:
            return self.chosen_tiles or default_tiles(self.info.samples_weights)
        return default_tiles(self.info.software)

    def buffer(self, size: int, label: str) -> Buffer:
        """A zeroed buffer of at least `size` bytes."""
        size = max(4, (size + 3) // 4 * 4)
        most = min(self.info.max_buffer_bytes, self.info.max_binding_bytes)  # kernels see buffers whole
        if size > most:
            raise VoxtabError(
                "adapter-too-small",
                f"{label} needs a buffer of {size / 1e6:.0f} MB; this adapter allows {most / 1e6:.0f} MB.",
                "Use a smaller model or a smaller kv window.",
            )
        self.counters.calls += 1
        self._unchecked = True
        made = Buffer(self._create_buffer(size, label), size)
        self.allocated[made.id] = size
        return made

    def texture(self, width: int, height: int, words: int, label: str) -> Texture:
        """Zeros. Sides are at most MOST_TEXELS."""
        self.counters.calls += 1
        self._unchecked = True
        size = width * height * words * 4
        made = Texture(self._create_texture(width, height, words, label), size, width, height, words)
        self.allocated[made.id] = size
        return made

    def sampler(self) -> Buffer:
        """Gives a texture's nearest texel, from edge to edge. Not to be freed."""
        if self._sampler is None:
            self.counters.calls += 1
            self._sampler = Buffer(self._create_sampler(), 0)
        return self._sampler

    def free(self, buffer: Buffer) -> None:
        if self.allocated.pop(buffer.id, None) is not None:
            self.counters.calls += 1
            self._destroy_buffer(buffer.id)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Buffers made inside are freed again if it ends in an exception. Nothing else may make any meanwhile."""
        before = set(self.allocated)
        try:
            yield
        except BaseException:
            shared = {buffer.id for buffer in self._uniforms.values()}
            for handle in set(self.allocated) - before - shared:
                self.free(Buffer(handle, self.allocated[handle]))
            raise

    def write(self, buffer: Buffer, offset: int, data: "bytes | bytearray | memoryview") -> None:
        """Queue `data` for `buffer` at `offset`; it lands before whatever is run later."""
        self.counters.calls += 1
        self._write_buffer(buffer.id, offset, data)

    def uniform(self, values: bytes) -> Buffer:
        """A constant buffer with these bytes; equal contents share one buffer."""
        found = self._uniforms.get(values)
        if found is None:
            found = self.buffer(max(16, len(values)), "uniform")
            self.write(found, 0, values)
            self._uniforms[values] = found
        return found

    def forget_uniforms(self) -> None:
        """Free the shared constants; only when no program that was recorded with them will run again."""
        for buffer in self._uniforms.values():
            self.free(buffer)
        self._uniforms.clear()

    def pipeline(self, key: str, source: str, constants: dict[str, int] | None = None) -> int:
        """The compute pipeline of kernel `key` (entry point `main`) with WGSL override constants; made once."""
        identity = (key, tuple(sorted((constants or {}).items())))
        found = self._pipelines.get(identity)
        if found is None:
            self.counters.calls += 1
            self._unchecked = True
            found = self._create_pipeline(key, source, constants or {})
            self._pipelines[identity] = found
        return found

    def kernel_of(self, dispatch: Dispatch) -> str:
        """The key its pipeline was made with."""
        return next(key for (key, _), made in self._pipelines.items() if made == dispatch.pipeline)

    def program(self, dispatches: Sequence[Dispatch]) -> Program:
        self.counters.calls += 1
        return Program(self._create_program(dispatches), tuple(dispatches))

    def free_program(self, program: Program) -> None:
        self.counters.calls += 1
        self._destroy_program(program.id)

    def run(self, program: Program, times: int = 1) -> None:
        """Replay `program` `times` times in one submit."""
        self.counters.calls += 1
        self.counters.submits += 1
        self._run_program(program.id, times)

    def run_and_read(
        self, program: Program, buffer: Buffer, offset: int, size: int, times: int = 1
    ) -> Readback:
        """`run`, and `read` behind it, in one submit."""
        self.counters.calls += 1
        self.counters.submits += 1
        self.counters.readbacks += 1
        return self._run_and_read(program.id, times, buffer.id, offset, size)

    async def timed(self, program: Program, times: int) -> float:
        """Run it, and wait; seconds it took, by the device's clock where that can be read, else with the way there and
        back."""
        await self.drain()
        start = time.perf_counter()
        self.run(program, times)
        await self.drain()
        return time.perf_counter() - start

    def read(self, buffer: Buffer, offset: int, size: int) -> Readback:
        """Queue a copy of these bytes and start bringing them back."""
        self.counters.calls += 1
        self.counters.readbacks += 1
        return self._read_buffer(buffer.id, offset, size)

    def copy(self, source: Buffer, target: Buffer, size: int) -> None:
        """Copy the first `size` bytes from one buffer to another."""
        self.counters.calls += 1
        self._copy_buffer(source.id, target.id, size)

    async def ready(self) -> None:
        """Wait until buffers and pipelines made since the last time are known to be good; raises if one is not.
        Returns at once when there are none."""
        if self._unchecked:
            self._unchecked = False
            await self._check_made()

    @abstractmethod
    async def _check_made(self) -> None: ...

    @abstractmethod
    async def drain(self) -> None:
        """Wait until the queue is empty."""

    @abstractmethod
    def _create_buffer(self, size: int, label: str) -> int: ...

    @abstractmethod
    def _create_texture(self, width: int, height: int, words: int, label: str) -> int: ...

    @abstractmethod
    def _create_sampler(self) -> int: ...

    @abstractmethod
    def _destroy_buffer(self, buffer: int) -> None: ...

    @abstractmethod
    def _write_buffer(self, buffer: int, offset: int, data: "bytes | bytearray | memoryview") -> None: ...

    @abstractmethod
    def _copy_buffer(self, source: int, target: int, size: int) -> None: ...

    @abstractmethod
    def _create_pipeline(self, key: str, source: str, constants: dict[str, int]) -> int: ...

    @abstractmethod
    def _create_program(self, dispatches: Sequence[Dispatch]) -> int: ...

    @abstractmethod
    def _destroy_program(self, program: int) -> None: ...

    @abstractmethod
    def _run_program(self, program: int, times: int) -> None: ...

    @abstractmethod
    def _run_and_read(self, program: int, times: int, buffer: int, offset: int, size: int) -> Readback: ...

    @abstractmethod
    def _read_buffer(self, buffer: int, offset: int, size: int) -> Readback: ...
