"""A Gpu that allocates nothing: what is built on it tells how much memory it would take, from a file's header alone."""

from collections.abc import Sequence

from voxtab.gpu.base import AdapterInfo, Dispatch, Gpu, Readback


class NothingRead(Readback):
    async def bytes(self) -> bytes:
        return b""


class MeasuringGpu(Gpu):
    """`info`: of the adapter in question, whose limits shape what is built. Read `gpu_bytes` and `most_bytes`."""

    def __init__(self, info: AdapterInfo) -> None:
        super().__init__()
        self.info = info
        self.most_bytes = 0
        """The highest `gpu_bytes` has been."""
        self._handles = 0

    def _handle(self) -> int:
        self._handles += 1
        return self._handles

    def _create_buffer(self, size: int, label: str) -> int:
        self.most_bytes = max(self.most_bytes, self.gpu_bytes + size)
        return self._handle()

    def _create_texture(self, width: int, height: int, words: int, label: str) -> int:
        return self._create_buffer(width * height * words * 4, label)

    def _create_sampler(self) -> int:
        return self._handle()

    def _create_pipeline(self, key: str, source: str, constants: dict[str, int]) -> int:
        return self._handle()

    def _create_program(self, dispatches: Sequence[Dispatch]) -> int:
        return self._handle()

    def _read_buffer(self, buffer: int, offset: int, size: int) -> Readback:
        return NothingRead()

    def _run_and_read(self, program: int, times: int, buffer: int, offset: int, size: int) -> Readback:
        return NothingRead()

    async def _check_made(self) -> None:
        return

    async def drain(self) -> None:
        return

    def _destroy_buffer(self, buffer: int) -> None:
        return

    def _write_buffer(self, buffer: int, offset: int, data: "bytes | bytearray | memoryview") -> None:
        return

    def _copy_buffer(self, source: int, target: int, size: int) -> None:
        return

    def _destroy_program(self, program: int) -> None:
        return

    def _run_program(self, program: int, times: int) -> None:
        return
