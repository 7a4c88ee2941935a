"""What one session's codec keeps on the GPU: its position, and the left context of every layer."""

from voxtab.gpu.base import Buffer, Gpu
from voxtab.models.codec_config import LAST_TAPS, CodecConfig
from voxtab.nn.ring_cache import RingCache
from voxtab.nn.weights import Tensor

# The most frames one program takes: two seconds. Scratch and rings are sized by it.
MAX_CHUNK_FRAMES = 25


class CodecState:
    """GPU state of one sound; all of it starts as zeros.

    `codes`: a ring of u32 rows (codes a frame as the acoustic head writes them, special codes included) which someone
    else fills and owns; frame f lies at f % `code_slots`, and the two frames before a chunk must lie there still.
    `samples`: f32, the newest chunk's. `cache`: "f32" or "f16" for keys and values. `trace` keeps, under the golden
    files' names, what scratch forgets.
    """

    def __init__(
        self,
        gpu: Gpu,
        config: CodecConfig,
        codes: Tensor,
        code_slots: int,
        cache: str = "f32",
        trace: bool = False,
    ) -> None:
        self._gpu = gpu
        self.codes = codes
        self.code_slots = code_slots
        self.trace = trace
        self.kept: dict[str, Tensor] = {}
        self._buffers: list[Buffer] = []

        # The number of the next frame.
        self.control = self._buffer(16, "codec position")
        # Each stage's rows behind the context its convolution reads: the row before, and at the end LAST_TAPS - 1 rows.
        # An upsampling writes two rows at once, so that the context takes an even number.
        dim = config.layer.dim
        self.streams = []
        caches = []
        for number, stage in enumerate(config.stages):
            context = LAST_TAPS - 1 if stage is config.stages[-1] else 2
            rows = MAX_CHUNK_FRAMES << number
            buffer = self._buffer((context + rows) * dim * 4, "codec stream")
            self.streams.append(Tensor(buffer, dim, row=context))
            width, window = config.layer.n_heads * config.layer.head_dim, stage.window + 1
            caches.append(
                tuple(
                    RingCache(gpu, width, window, rows, cache, rate=1 << number)
                    for _ in range(stage.n_layers)
                )
            )
        self.caches = tuple(caches)
        for ring in self._rings():
            ring.reserve(ring.full)
        samples = MAX_CHUNK_FRAMES * config.samples_per_frame
        self.samples = Tensor(self._buffer(samples * 4, "samples"), config.patch_size)

    def restart(self) -> None:
        """Begin another sound at frame 0. It lands before later submits."""
        self._gpu.write(self.control, 0, bytes(16))
        for stream in self.streams[:-1]:
            # Zeros before the first row; what is older, no kernel reads.
            self._gpu.write(stream.buffer, 0, bytes(stream.row * stream.width * 4))

    def keep(self, name: str, width: int, rows: int) -> Tensor:
        """Where a traced program leaves a copy."""
        found = self.kept.get(name)
        if found is None or found.buffer.size < rows * width * 4:
            found = self.kept[name] = Tensor(self._buffer(rows * width * 4, f"trace {name}"), width)
        return found

    def free(self) -> None:
        for buffer in self._buffers:
            self._gpu.free(buffer)
        self._buffers.clear()
        for ring in self._rings():
            ring.free()

    def _rings(self) -> list[RingCache]:
        return [ring for rings in self.caches for ring in rings]

    def _buffer(self, size: int, label: str) -> Buffer:
        made = self._gpu.buffer(size, label)
        self._buffers.append(made)
        return made
