"""Voxtral TTS: text and a preset voice in, 24 kHz speech out, 37 codes and 80 ms a frame.

    prompt (voice and text) -> backbone -> hidden -> acoustic head -> 37 codes -> codec -> 1920 samples
                                  ^                                     |
                                  +------- sum of their embeddings -----+

The 4B model: backbone 26 x 3072 (32 heads x 128, 8 kv heads, FFN 9216), acoustic head 3 x 3072 of the same widths,
8192 semantic codes, 36 x 21 acoustic ones. Facts and their sources: web/voxtab/README.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from voxtab.gpu.base import Buffer, Gpu, Program
from voxtab.models.codec import Codec
from voxtab.models.flow import AcousticHead, times
from voxtab.models.tts_config import SPECIAL_CODES, TtsConfig
from voxtab.models.tts_state import FRAME_SLOTS, MAX_CHUNK_ROWS, TtsState
from voxtab.models.voices import VOICE_BEGIN, Voice, VoicePrefixes
from voxtab.nn.block import TransformerBlock
from voxtab.nn.recorder import Workspace
from voxtab.nn.speech_recorder import SpeechRecorder
from voxtab.nn.weights import Norm, Tensor, Weight


@dataclass(frozen=True)
class Backbone:
    """Embeddings of text and of codes, and the causal stack. There is no head: text is never written."""

    token_embedding: Weight
    code_embedding: Weight
    blocks: tuple[TransformerBlock, ...]
    norm: Norm


class TtsModel:
    """Weights on a GPU, and the recording of programs for the state of one session.

    A session: `run(record_times(state))` once. For an utterance, the programs of the chunks that `begin` tells, then
    `keep_prefix`; then, with noise written, `run(record_frame(state), k)` makes k frames in one submit. Before each
    submit `state.reserve` says whether programs must be recorded again.
    """

    def __init__(
        self,
        gpu: Gpu,
        config: TtsConfig,
        backbone: Backbone,
        head: AcousticHead,
        codec: Codec,
        voices: dict[str, Voice],
    ) -> None:
        self.gpu = gpu
        self.config = config
        self.backbone = backbone
        self.head = head
        self.codec = codec
        self.voices = voices
        # Buffers of weights and voices, for free().
        self.owned: list[Buffer] = []
        self._prefixes = VoicePrefixes(gpu)
        self._scratch = Workspace(gpu, MAX_CHUNK_ROWS)

    def free(self) -> None:
        """Give back weights and scratch; sessions of this model must be freed before."""
        for buffer in self.owned:
            self.gpu.free(buffer)
        self.owned.clear()
        self._prefixes.free()
        self.codec.free()
        self._scratch.free()

    def hidden(self) -> Tensor:
        """[1, dim] after the final norm: what the newest frame was decoded from."""
        return self._scratch("hidden", self.config.backbone.dim)

    def begin(self, state: TtsState, prompt: Sequence[int]) -> list[int]:
        """Start an utterance. Gives the sizes of the chunks to prefill in turn; what is kept of the voice is not among
        them. The last row of the prompt is left to the first frame.

        The prompt is the config's for the state's voice. Chunks begin anew behind the voice, so that a kept beginning
        and one made now give the same bits.
        """
        prefix = state.voice.prefix
        kept = self._prefixes.restore(state.voice, state.caches)
        state.begin(prompt, prefix if kept else 0)
        return [*([] if kept else _chunks(prefix)), *_chunks(len(prompt) - 1 - prefix)]

    def keep_prefix(self, state: TtsState) -> None:
        """After a prompt was prefilled: the voice's part of it need not be computed again."""
        self._prefixes.keep(state.voice, state.caches)

    def record_times(self, state: TtsState) -> Program:
        """The flow's constants; run once, before any frame."""
        self.gpu.write(state.times.buffer, 0, memoryview(times(self.config.acoustic.dim, state.steps)))
        record = SpeechRecorder(self.gpu, state.control, self._scratch)
        self.head.record_times(record, state)
        return record.finish()

    def record_prefill(self, state: TtsState, n: int) -> Program:
        """n rows of the prompt, at most MAX_CHUNK_ROWS, into the caches; the row after them becomes the next input."""
        record = SpeechRecorder(self.gpu, state.control, self._scratch)
        x = self._scratch("x", self.config.backbone.dim)
        self._embed_prompt(record, state, x, n)
        self._keep(record, state, "prompt", x, n)
        for number, (block, cache) in enumerate(zip(self.backbone.blocks, state.caches, strict=True)):
            block(record, x, n, cache, state.rope)
            self._keep(record, state, f"prompt layer {number}", x, n)
        if state.trace:
            h = record.rms_norm(x, self.backbone.norm, self._scratch("h", x.width), n)
            self._keep(record, state, "prompt hidden", h, n)
        record.advance(n)
        self._embed_prompt(record, state, state.input, 1)
        return record.finish()

    def record_frame(self, state: TtsState) -> Program:
        """The next frame: the input's position through the backbone, codes, and the input of the frame after."""
        record = SpeechRecorder(self.gpu, state.control, self._scratch)
        self._record_hidden(record, state)
        self._record_codes(record, state)
        return record.finish()

    def record_hidden(self, state: TtsState) -> Program:
        """The first half of a frame, to be timed on its own."""
        record = SpeechRecorder(self.gpu, state.control, self._scratch)
        self._record_hidden(record, state)
        return record.finish()

    def record_codes(self, state: TtsState) -> Program:
        """The second half."""
        record = SpeechRecorder(self.gpu, state.control, self._scratch)
        self._record_codes(record, state)
        return record.finish()

    def _record_hidden(self, record: SpeechRecorder, state: TtsState) -> None:
        x = state.input
        for block, cache in zip(self.backbone.blocks, state.caches, strict=True):
            block(record, x, 1, cache, state.rope)
        record.rms_norm(x, self.backbone.norm, self.hidden(), 1)

    def _record_codes(self, record: SpeechRecorder, state: TtsState) -> None:
        config = self.config
        self.head.record_codes(record, config, state, self.hidden())
        rows = (config.semantic_end, config.levels + SPECIAL_CODES)
        record.embed_codes(self.backbone.code_embedding, state.codes, FRAME_SLOTS, rows, state.input)
        record.next_frame()

    def _embed_prompt(self, record: SpeechRecorder, state: TtsState, x: Tensor, n: int) -> None:
        voice = Tensor(state.voice.buffer, self.config.backbone.dim)
        span = (VOICE_BEGIN, state.voice.rows)
        record.embed_prompt(self.backbone.token_embedding, state.tokens, voice, span, x, n)

    def _keep(self, record: SpeechRecorder, state: TtsState, name: str, x: Tensor, n: int) -> None:
        if state.trace:
            record.copy_rows(x, state.keep(name, x.width, n), n)


def _chunks(rows: int) -> list[int]:
    return [min(MAX_CHUNK_ROWS, rows - done) for done in range(0, rows, MAX_CHUNK_ROWS)]
