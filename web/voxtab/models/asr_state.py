"""What one session keeps on the GPU: positions, left contexts, caches and rings. Weights and scratch are the model's."""

from array import array
from dataclasses import dataclass

from voxtab.errors import VoxtabError
from voxtab.gpu.base import Buffer, Gpu
from voxtab.models.asr_config import AsrConfig
from voxtab.models.log_mel import HOP, WINDOW
from voxtab.nn.ring_cache import RingCache, reserve_all
from voxtab.nn.rope import RopeTable
from voxtab.nn.weights import Tensor

# The most tokens (80 ms each) one program takes; scratch is sized by it.
MAX_CHUNK_TOKENS = 64

_ROPE_SLOTS = 512
_TOKEN_SLOTS = 1024


@dataclass(frozen=True)
class AsrOptions:
    """What a caller may choose for a session.

    delay_ms: multiples of 80, 80..1200 or 2400; None is the model's own. temperature: 0 is greedy.
    kv_window: at most this many past positions for the decoder, to save memory. cache: "f16" or "f32".
    gain: what the sound is multiplied with. submit_ms: about how long one submit may keep the GPU; more means fewer
    round trips, less a smoother screen and a quicker cancel.
    """

    delay_ms: int | None = None
    temperature: float = 0.0
    max_tokens: int | None = None
    kv_window: int | None = None
    left_pad_tokens: int | None = None
    seed: int = 0
    cache: str = "f16"
    gain: float = 1.0
    submit_ms: int = 200

    def __post_init__(self) -> None:
        checks = (
            ("delay_ms", self.delay_ms, self.delay_ms is None or self.delay_ms in DELAYS_MS),
            ("temperature", self.temperature, self.temperature == 0.0 or 1e-3 <= self.temperature <= 100.0),
            ("max_tokens", self.max_tokens, self.max_tokens is None or self.max_tokens >= 1),
            ("kv_window", self.kv_window, self.kv_window is None or self.kv_window >= 1),
            (
                "left_pad_tokens",
                self.left_pad_tokens,
                self.left_pad_tokens is None or 1 <= self.left_pad_tokens <= 512,
            ),
            ("gain", self.gain, 0.0 < self.gain <= 1e4),
            ("cache", self.cache, self.cache in ("f16", "f32")),
            ("submit_ms", self.submit_ms, 1 <= self.submit_ms <= 60_000),
        )
        for name, value, good in checks:
            if not good:
                raise VoxtabError("option-invalid", f"{name} can't be {value!r}.", _HINTS[name])


DELAYS_MS = (*range(80, 1201, 80), 2400)

_HINTS = {
    "delay_ms": "Use a multiple of 80 from 80 to 1200, or 2400; 480 is recommended.",
    "temperature": "Use 0 for the most likely text, else 0.001 to 100.",
    "max_tokens": "Use a whole number above 0, or leave it out.",
    "kv_window": "Use a whole number above 0, or leave it out.",
    "left_pad_tokens": "Use 1 to 512; 32 is what the model was trained with.",
    "gain": "Use a number above 0.",
    "cache": "Use f16 or f32.",
    "submit_ms": "Use 1 to 60000; 200 is the default.",
}


class AsrState:
    """GPU state of one session; all of it starts as zeros, which is the silence before the sound."""

    def __init__(self, gpu: Gpu, config: AsrConfig, options: AsrOptions, trace: bool) -> None:
        self._gpu = gpu
        self.options = options
        self.trace = trace
        delay_ms = options.delay_ms
        self.n_delay_tokens = config.n_delay_tokens if delay_ms is None else delay_ms // 80
        self.n_left_pad = options.left_pad_tokens or config.n_left_pad_tokens
        encoder, decoder = config.encoder, config.decoder
        chunk_frames = MAX_CHUNK_TOKENS * config.frames_per_token
        chunk_positions = MAX_CHUNK_TOKENS * config.downsample_factor
        self._buffers: list[Buffer] = []

        self.encoder_position = self._buffer(16, "encoder position")
        self.decoder_position = self._buffer(16, "decoder position")
        # Frame k looks 200 samples to both sides of 160 k.
        self.pcm = self._buffer((chunk_frames * HOP + WINDOW - HOP) * 4, "pcm")
        # Left context before the chunk: two mel frames, one frame of the first convolution.
        self.mel = Tensor(
            self._buffer((2 + chunk_frames) * config.num_mel_bins * 4, "mel"), config.num_mel_bins
        )
        self.conv0 = Tensor(self._buffer((1 + chunk_frames) * encoder.dim * 4, "conv0"), encoder.dim)

        window = min(decoder.sliding_window, options.kv_window or decoder.sliding_window)
        self.encoder_caches = tuple(
            RingCache(
                gpu,
                encoder.n_kv_heads * encoder.head_dim,
                encoder.sliding_window,
                chunk_positions,
                options.cache,
            )
            for _ in range(encoder.n_layers)
        )
        self.decoder_caches = tuple(
            RingCache(gpu, decoder.n_kv_heads * decoder.head_dim, window, MAX_CHUNK_TOKENS, options.cache)
            for _ in range(decoder.n_layers)
        )
        self.encoder_rope = RopeTable(gpu, encoder.head_dim, encoder.rope_theta, _ROPE_SLOTS)
        self.decoder_rope = RopeTable(gpu, decoder.head_dim, decoder.rope_theta, _ROPE_SLOTS)

        # The prompt must fit at once, with a chunk on either side of it.
        self.audio_slots = self.prompt_length + 2 * MAX_CHUNK_TOKENS
        self.audio = Tensor(self._buffer(self.audio_slots * decoder.dim * 4, "audio embeddings"), decoder.dim)
        self.token_slots = _TOKEN_SLOTS + self.prompt_length
        self.tokens = Tensor(self._buffer(self.token_slots * 4, "tokens"), 1)
        self.time = self._buffer(decoder.dim * 4, "time embedding")
        # What the feed-forwards' norms multiply with: their own gains conditioned on the delay, a row a layer.
        self.ffn_gains = Tensor(
            self._buffer(decoder.n_layers * decoder.dim * 4, "time conditioning"), decoder.dim
        )
        self.logits = Tensor(self._buffer(config.vocab_size * 4, "logits"), config.vocab_size)

        self._prompt = array("I", [config.bos] + [config.streaming_pad] * (self.prompt_length - 1))
        gpu.write(self.tokens.buffer, 0, memoryview(self._prompt))

    def rewind(self) -> None:
        """Make it what it was at the start, for programs submitted from now on. Caches keep their size; what they hold
        lies ahead of every new position, and nothing looks there."""
        for position in (self.encoder_position, self.decoder_position):
            self._gpu.write(position, 0, memoryview(bytes(position.size)))
        self._gpu.write(self.mel.buffer, 0, memoryview(bytes(2 * self.mel.width * 4)))
        self._gpu.write(self.conv0.buffer, 0, memoryview(bytes(self.conv0.width * 4)))
        self._gpu.write(self.tokens.buffer, 0, memoryview(self._prompt))
        self.encoder_rope.rewind()
        self.decoder_rope.rewind()

    @property
    def prompt_length(self) -> int:
        """BOS, then a pad for each token of left padding and of delay."""
        return 1 + self.n_left_pad + self.n_delay_tokens

    def reserve(self, encoder_end: int, decoder_end: int) -> bool:
        """Make caches and angles ready up to these positions. True when programs must be recorded again."""
        self.encoder_rope.prepare(encoder_end)
        self.decoder_rope.prepare(decoder_end)
        moved = reserve_all(self.encoder_caches, encoder_end)
        return reserve_all(self.decoder_caches, decoder_end) or moved

    def free(self) -> None:
        for buffer in self._buffers:
            self._gpu.free(buffer)
        for cache in (*self.encoder_caches, *self.decoder_caches):
            cache.free()
        self.encoder_rope.free()
        self.decoder_rope.free()

    def _buffer(self, size: int, label: str) -> Buffer:
        made = self._gpu.buffer(size, label)
        self._buffers.append(made)
        return made
