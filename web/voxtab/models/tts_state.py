"""What one voice's speech keeps on the GPU, one utterance at a time. Weights and scratch are the model's."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from voxtab.errors import VoxtabError
from voxtab.gpu.base import Buffer, Gpu
from voxtab.models.tts_config import MOST_STEPS, TtsConfig
from voxtab.models.voices import Voice
from voxtab.nn.ring_cache import RingCache, reserve_all
from voxtab.nn.rope import RopeTable
from voxtab.nn.weights import Tensor

# The most rows of a prompt one program takes; scratch is sized by it.
MAX_CHUNK_ROWS = 64
# Frames (80 ms each) that the rings of noise and codes hold.
FRAME_SLOTS = 256

# Rows of the flow's table of tokens: the noised codes, the backbone's hidden state, nothing, a row for each time.
FLOW_X, FLOW_HIDDEN, FLOW_NOTHING, FLOW_TIMES = range(4)


@dataclass(frozen=True)
class TtsOptions:
    """What a caller may choose for a session.

    euler_steps: evaluations of the velocity field a frame; None is the model's own (7), 3 is fast. cfg_alpha: strength
    of guidance; None is the model's own (1.2), 1 is none and half the work. cache: "f16" or "f32".
    """

    euler_steps: int | None = None
    cfg_alpha: float | None = None
    cache: str = "f16"

    def __post_init__(self) -> None:
        checks = (
            (
                "euler_steps",
                self.euler_steps,
                self.euler_steps is None or 1 <= self.euler_steps <= MOST_STEPS,
            ),
            ("cfg_alpha", self.cfg_alpha, self.cfg_alpha is None or 0.0 <= self.cfg_alpha <= 100.0),
            ("cache", self.cache, self.cache in ("f16", "f32")),
        )
        for name, value, good in checks:
            if not good:
                raise VoxtabError("option-invalid", f"{name} can't be {value!r}.", _HINTS[name])


_HINTS = {
    "euler_steps": f"Use 1 to {MOST_STEPS}; 7 is what the model was made for, 3 is faster.",
    "cfg_alpha": "Use 0 to 100; 1.2 is what the model was made for.",
    "cache": "Use f16 or f32.",
}


class TtsState:
    """GPU state of one voice's session. `begin` starts an utterance; frames count from 0 in each.

    After a frame, and at no cost, lie here: `codes` in their ring; `logits` of the semantic codebook; `path`, f32[steps
    + 1, codebooks] from the noise to what is rounded; `velocity`, f32[steps, branches, codebooks], the conditional
    branch first; `input`, the embedding of the frame. `trace` adds what `kept` names.
    """

    def __init__(
        self, gpu: Gpu, config: TtsConfig, options: TtsOptions, voice: Voice, trace: bool = False
    ) -> None:
        self._gpu = gpu
        self.options = options
        self.voice = voice
        self.trace = trace
        self.steps = config.n_steps if options.euler_steps is None else options.euler_steps
        self.alpha = config.cfg_alpha if options.cfg_alpha is None else options.cfg_alpha
        # Guidance of 1 is the conditional branch alone.
        self.branches = 1 if self.alpha == 1.0 else 2
        backbone, acoustic = config.backbone, config.acoustic
        self._buffers: list[Buffer] = []

        # The position of the next row, and the number of the next frame.
        self.control = self._buffer(16, "speech position")
        self.tokens = Tensor(self._buffer((config.max_position + 1) * 4, "prompt"), 1)
        self.input = self._rows(1, backbone.dim, "input")
        self.caches = tuple(
            RingCache(
                gpu,
                backbone.n_kv_heads * backbone.head_dim,
                backbone.sliding_window,
                MAX_CHUNK_ROWS,
                options.cache,
            )
            for _ in range(backbone.n_layers)
        )
        # Every utterance starts at position 0 again, so that the angles of all positions stay.
        self.rope = RopeTable(gpu, backbone.head_dim, backbone.rope_theta, config.max_position)
        reserve_all(self.caches, voice.prefix)

        self.noise = self._rows(FRAME_SLOTS, config.n_codebooks, "noise")
        self.codes = self._rows(FRAME_SLOTS, config.codes_per_frame, "codes")
        self.logits = self._rows(1, config.semantic_rows, "semantic logits")

        # Tokens of the flow and their queries, keys and values in its first layer, which depend on nothing else.
        rows = FLOW_TIMES + self.steps
        self.times = self._rows(self.steps, acoustic.dim, "times")
        self.flow_tokens = self._rows(rows, acoustic.dim, "flow tokens")
        qkv_heads = acoustic.n_heads + 2 * acoustic.n_kv_heads
        self.flow_qkv = self._rows(rows, qkv_heads * acoustic.head_dim, "flow queries, keys and values")
        self.path = self._rows(self.steps + 1, config.n_codebooks, "path")
        self.velocity = self._rows(self.steps * self.branches, config.n_codebooks, "velocity")
        self.kept: dict[str, Tensor] = {}

    def begin(self, prompt: Sequence[int], position: int) -> None:
        """Start an utterance; positions before `position` are in the caches already. It lands before later submits.

        The prompt is at most as long as the model has positions.
        """
        self._gpu.write(self.tokens.buffer, 0, memoryview(array("I", [*prompt, 0])))
        self._gpu.write(self.control, 0, memoryview(array("I", [position, 0])))

    def write_noise(self, frame: int, noise: "array[float]") -> None:
        """Rows of noise (f32, n_codebooks each) for frames from `frame` on, at most FRAME_SLOTS ahead of the newest
        frame whose codes are still wanted."""
        data, width = memoryview(noise), self.noise.width
        while len(data):
            slot = frame % FRAME_SLOTS
            count = min(len(data) // width, FRAME_SLOTS - slot)
            self._gpu.write(self.noise.buffer, slot * width * 4, data[: count * width])
            data = data[count * width :]
            frame += count

    def reserve(self, end: int) -> bool:
        """Make caches and angles ready up to this position. True when programs must be recorded again."""
        self.rope.prepare(end)
        return reserve_all(self.caches, end)

    def keep(self, name: str, width: int, rows: int) -> Tensor:
        """Where a traced program leaves a copy of what scratch forgets."""
        found = self.kept.get(name)
        if found is None or found.buffer.size < rows * width * 4:
            found = self.kept[name] = self._rows(rows, width, f"trace {name}")
        return found

    def free(self) -> None:
        for buffer in self._buffers:
            self._gpu.free(buffer)
        for cache in self.caches:
            cache.free()
        self.rope.free()

    def _rows(self, rows: int, width: int, label: str) -> Tensor:
        return Tensor(self._buffer(rows * width * 4, label), width)

    def _buffer(self, size: int, label: str) -> Buffer:
        made = self._gpu.buffer(size, label)
        self._buffers.append(made)
        return made
