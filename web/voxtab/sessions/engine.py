"""A device with models on it: what the native commands and the browser's worker hold."""

from typing import Any

from voxtab.errors import VoxtabError
from voxtab.formats.tekken import Tekken
from voxtab.gpu.base import Gpu
from voxtab.models.asr import AsrModel
from voxtab.models.asr_state import AsrOptions
from voxtab.models.load_asr import plan_asr
from voxtab.models.load_tts import plan_tts
from voxtab.models.loading import load_model
from voxtab.models.memory import MemoryNeed, memory_need
from voxtab.models.source import ModelSource, read_directory
from voxtab.models.tasks import Task
from voxtab.models.tts import TtsModel
from voxtab.sessions.listening import Listening, ListenOptions
from voxtab.sessions.speech import Speech, SpeechOptions
from voxtab.sessions.speech_trace import SpeechTrace
from voxtab.sessions.trace import Trace
from voxtab.sessions.transcription import Transcription
from voxtab.sessions.utterance import MAX_TEXT_CHARACTERS
from voxtab.sessions.warm_up import compile_asr, compile_tts, warm_up_asr, warm_up_tts
from voxtab.tuning.sampling import check_sampling
from voxtab.tuning.tuner import Tuner


class Engine:
    """At most one model of each task, on one device; opens sessions on them.

    memory_limit: bytes that models and sessions may take in all, where the device's own limit is known or a user has
    set one; None asks the device alone. tuner: chooses how the device computes, before it is first loaded to.
    """

    def __init__(self, gpu: Gpu, memory_limit: int | None = None, tuner: Tuner | None = None) -> None:
        self.gpu = gpu
        self.memory_limit = memory_limit
        self.tuner = tuner
        self._asr: tuple[AsrModel, Tekken] | None = None
        self._tts: tuple[TtsModel, Tekken] | None = None
        self._needs: dict[Task, tuple[str, MemoryNeed]] = {}

    async def load(self, source: ModelSource, tekken_beside: bytes | None = None) -> dict[str, Any]:
        """Load a model, in place of the one of the same task, whose sessions have ended. `tekken_beside`: a tekken.json,
        used when the GGUF holds no tokenizer.

        Raises VoxtabError. For what the header tells, memory that is missing too, the model before stays; else no model
        of this task is loaded. Nothing of a failed one stays allocated.
        """
        directory = await read_directory(source)
        await check_sampling(self.gpu)
        name = str(directory.metadata.get("general.name", ""))[:200]
        need = memory_need(directory, self.gpu.info)
        self._check_memory(name, need)
        self.unload(need.task)
        if self.tuner is not None:
            await self.tuner.prepare(self.gpu, need.weights)
        loaded: dict[str, Any] = {"name": name, "task": need.task}
        if need.task == "speech-to-text":
            asr, tekken = await load_model(
                plan_asr, self.gpu, source, directory, tekken_beside, lambda: compile_asr(self.gpu, directory)
            )
            await _or_free(asr, warm_up_asr(asr))
            self._asr = asr, tekken
            loaded |= {"vocab_size": asr.config.vocab_size, "delay_ms": asr.config.n_delay_tokens * 80}
        else:
            tts, tekken = await load_model(
                plan_tts, self.gpu, source, directory, tekken_beside, lambda: compile_tts(self.gpu, directory)
            )
            await _or_free(tts, warm_up_tts(tts))
            self._tts = tts, tekken
            loaded |= {
                "vocab_size": tts.config.vocab_size,
                "voices": self.voices(),
                "voice_license": tts.config.voice_license,
                "steps": tts.config.n_steps,
                "text_limit": MAX_TEXT_CHARACTERS,
            }
        self._needs[need.task] = name, need
        return loaded | {
            "gpu_bytes": self.gpu.gpu_bytes,
            "tensor_bytes": sum(tensor.nbytes for _, tensor in directory.tensors.values()),
        }

    @property
    def tasks(self) -> list[Task]:
        """Those a model is loaded for."""
        return list(self._needs)

    def unload(self, task: Task | None = None) -> None:
        """Free the model of a task, or both. Their sessions must be freed before."""
        if task != "text-to-speech" and self._asr is not None:
            self._asr[0].free()
            self._asr = None
            del self._needs["speech-to-text"]
        if task != "speech-to-text" and self._tts is not None:
            self._tts[0].free()
            self._tts = None
            del self._needs["text-to-speech"]
        if self._asr is None and self._tts is None:
            self.gpu.forget_uniforms()

    def voices(self) -> list[dict[str, Any]]:
        """Of the loaded speech model: name, language (BCP 47) and rows of each."""
        model, _ = self._speech_model()
        return [
            {"name": voice.name, "language": voice.language, "rows": voice.rows}
            for voice in model.config.voices
        ]

    def voice_license(self) -> str:
        """Of the loaded speech model's voices; empty when its file does not say."""
        return self._speech_model()[0].config.voice_license

    def transcription(self, options: AsrOptions, trace: Trace | None = None) -> Transcription:
        """A session on the loaded model. Raises VoxtabError model-missing."""
        return Transcription(*self._listener(), options, trace)

    def listening(self, options: ListenOptions) -> Listening:
        """A live session on the loaded model. Raises VoxtabError model-missing."""
        return Listening(*self._listener(), options)

    def speech(
        self, text: str, voice: str, options: SpeechOptions, trace: SpeechTrace | None = None
    ) -> Speech:
        """A session on the loaded model. Raises VoxtabError model-missing, and what Speech raises."""
        return Speech(*self._speech_model(), text, voice, options, trace)

    def _listener(self) -> tuple[AsrModel, Tekken]:
        if self._asr is None:
            raise _missing("speech-to-text")
        return self._asr

    def _speech_model(self) -> tuple[TtsModel, Tekken]:
        if self._tts is None:
            raise _missing("text-to-speech")
        return self._tts

    def _check_memory(self, name: str, need: MemoryNeed) -> None:
        """Whether it fits beside what stays loaded. Raises VoxtabError adapter-too-small, naming what to unload."""
        if self.memory_limit is None:
            return
        others = [other for task, other in self._needs.items() if task != need.task]
        taken = sum(other.weights + other.session for _, other in others)
        missing = need.most + taken - self.memory_limit
        if missing <= 0:
            return
        beside = f" beside the {taken / 1e6:.0f} MB in use" if others else ""
        unload = " or ".join(repr(other) for other, _ in others)
        enough = need.most <= self.memory_limit  # were the others not there
        raise VoxtabError(
            "adapter-too-small",
            f"{name or 'The model'} needs {need.most / 1e6:.0f} MB of GPU memory{beside};"
            f" {missing / 1e6:.0f} MB are missing.",
            f"Unload {unload}, or choose a smaller model." if enough else "Choose a smaller model.",
        )


async def _or_free(model: AsrModel | TtsModel, work: Any) -> None:
    try:
        await work
    except BaseException:
        model.free()
        raise


def _missing(task: Task) -> VoxtabError:
    return VoxtabError("model-missing", f"No {task} model is loaded.", "Load one first.")
