"""The GPU in a worker: each call goes to the JavaScript object of `web/worker/gpu.js` that `voxtab.tab` was handed."""

import json
from collections.abc import Sequence
from typing import Any

from voxtab.gpu.base import AdapterInfo, Dispatch, Gpu, Program, Readback


class BrowserReadback(Readback):
    def __init__(self, promise: Any) -> None:
        self._promise = promise

    async def bytes(self) -> bytes:
        return bytes((await self._promise).to_bytes())


class BrowserGpu(Gpu):
    """`js` is an instance of `Gpu` in web/worker/gpu.js."""

    def __init__(self, js: Any) -> None:
        super().__init__()
        self.js = js
        info = js.info
        self.info = AdapterInfo(
            name=str(info.name),
            software=bool(info.software),
            max_binding_bytes=int(info.maxBindingBytes),
            max_buffer_bytes=int(info.maxBufferBytes),
            max_workgroups=int(info.maxWorkgroups),
            features=frozenset(str(name) for name in info.features),
            identity=str(info.identity),
        )

    async def _check_made(self) -> None:
        await self.js.ready()

    async def drain(self) -> None:
        await self.js.drain()

    async def timed(self, program: Program, times: int) -> float:
        if "timestamp-query" not in self.info.features:
            return await super().timed(program, times)
        self.counters.calls += 1
        self.counters.submits += 1
        return float(await self.js.timed(program.id, times))

    def _create_buffer(self, size: int, label: str) -> int:
        return int(self.js.buffer(size, label))

    def _create_texture(self, width: int, height: int, words: int, label: str) -> int:
        return int(self.js.texture(width, height, words, label))

    def _create_sampler(self) -> int:
        return int(self.js.sampler())

    def _destroy_buffer(self, buffer: int) -> None:
        self.js.freeBuffer(buffer)

    def _write_buffer(self, buffer: int, offset: int, data: bytes | bytearray | memoryview) -> None:
        self.js.write(buffer, offset, _array("Uint8Array", data))

    def _copy_buffer(self, source: int, target: int, size: int) -> None:
        self.js.copy(source, target, size)

    def _create_pipeline(self, key: str, source: str, constants: dict[str, int]) -> int:
        return int(self.js.pipeline(key, source, json.dumps(constants)))

    def _create_program(self, dispatches: Sequence[Dispatch]) -> int:
        from array import array

        flat = array("i")
        for dispatch in dispatches:
            flat.extend((dispatch.pipeline, *dispatch.grid, len(dispatch.bindings)))
            for number, buffer in dispatch.bindings:
                flat.extend((number, buffer.id))
        return int(self.js.program(_array("Int32Array", flat)))

    def _destroy_program(self, program: int) -> None:
        self.js.freeProgram(program)

    def _run_program(self, program: int, times: int) -> None:
        self.js.run(program, times)

    def _run_and_read(self, program: int, times: int, buffer: int, offset: int, size: int) -> Readback:
        return BrowserReadback(self.js.runAndRead(program, times, buffer, offset, size))

    def _read_buffer(self, buffer: int, offset: int, size: int) -> Readback:
        return BrowserReadback(self.js.read(buffer, offset, size))


def _array(kind: str, data: Any) -> Any:
    """A JavaScript typed array holding a copy of a Python buffer."""
    import js  # type: ignore[import-not-found]

    view = memoryview(data)
    made = getattr(js, kind).new(view.nbytes if kind == "Uint8Array" else len(view))
    made.assign(view.cast("B") if kind == "Uint8Array" else view)
    return made
