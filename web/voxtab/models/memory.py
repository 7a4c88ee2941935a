"""How much GPU memory a model will take, from its header alone, and whether that fits.

WebGPU tells how large one buffer may be, not how much memory there is. So there are two checks: every buffer against the
adapter's limits, before anything is allocated, and the sum against a limit where somebody has set one.
"""

from dataclasses import dataclass

from voxtab.formats.gguf_split import MergedGguf
from voxtab.gpu.base import AdapterInfo
from voxtab.gpu.measuring import MeasuringGpu
from voxtab.models.asr_state import MAX_CHUNK_TOKENS, AsrOptions, AsrState
from voxtab.models.codec_state import CodecState
from voxtab.models.load_asr import plan_asr
from voxtab.models.load_tts import plan_tts
from voxtab.models.tasks import Task, task_of
from voxtab.models.tts_state import FRAME_SLOTS, MAX_CHUNK_ROWS, TtsOptions, TtsState

# What a session is measured at; caches grow on as it goes on, up to the model's window.
_SESSION_S = 60


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes: of the weights, of one session of a minute, and at the worst moment of loading."""

    task: Task
    weights: int
    session: int
    loading: int

    @property
    def most(self) -> int:
        return max(self.weights + self.session, self.loading)


def memory_need(directory: MergedGguf, info: AdapterInfo) -> MemoryNeed:
    """Raises VoxtabError: what loading would raise for this header, adapter-too-small for a buffer too large."""
    task = task_of(directory)
    gpu = MeasuringGpu(info)
    if task == "speech-to-text":
        asr, upload = plan_asr(gpu, directory)
        upload.finish()
        weights = gpu.gpu_bytes
        asr.record_encode(state := AsrState(gpu, asr.config, AsrOptions(), trace=False), MAX_CHUNK_TOKENS)
        tokens = _SESSION_S * 1000 // 80
        state.reserve(tokens * asr.config.downsample_factor, tokens)
        asr.record_decode(state, MAX_CHUNK_TOKENS, head=True)
    else:
        tts, upload = plan_tts(gpu, directory)
        upload.finish()
        weights = gpu.gpu_bytes
        voice = max(tts.voices.values(), key=lambda voice: voice.rows, default=None)
        if voice is None:  # nothing can be spoken, so that no session comes
            return MemoryNeed(task, weights, 0, gpu.most_bytes)
        speech = TtsState(gpu, tts.config, TtsOptions(), voice)
        speech.reserve(voice.prefix + _SESSION_S * 1000 // 80)
        tts.record_prefill(speech, MAX_CHUNK_ROWS)
        tts.record_frame(speech)
        tts.codec.record_decode(CodecState(gpu, tts.codec.config, speech.codes, FRAME_SLOTS), 1)
    return MemoryNeed(task, weights, gpu.gpu_bytes - weights, gpu.most_bytes)
