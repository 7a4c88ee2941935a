"""A device with a model on it: what the native command and the browser worker both hold."""

from typing import Any

from voxtab.errors import VoxtabError
from voxtab.formats.tekken import Tekken
from voxtab.gpu.base import Gpu
from voxtab.models.asr import AsrModel
from voxtab.models.asr_state import AsrOptions
from voxtab.models.load_asr import load_asr, load_tekken
from voxtab.models.source import ModelSource, read_directory
from voxtab.sessions.trace import Trace
from voxtab.sessions.transcription import Transcription


class Engine:
    """Loads one model at a time and opens sessions on it."""

    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu
        self._model: AsrModel | None = None
        self._tekken: Tekken | None = None

    async def load(self, source: ModelSource, tekken_beside: bytes | None = None) -> dict[str, Any]:
        """Replace the model. `tekken_beside`: a tekken.json, used when the GGUF holds no tokenizer. Raises VoxtabError;
        then nothing is loaded and nothing stays allocated."""
        self.unload()
        directory = await read_directory(source)
        model = await load_asr(self.gpu, source, directory)
        try:
            tekken = load_tekken(directory, tekken_beside)
            if tekken.vocab_size < model.config.vocab_size:
                raise VoxtabError(
                    "tokenizer-invalid",
                    f"The tokenizer has {tekken.vocab_size} entries; the model writes {model.config.vocab_size}.",
                    "Use the tekken.json of the same checkpoint as the model.",
                )
        except VoxtabError:
            model.free()
            raise
        self._model, self._tekken = model, tekken
        return {
            "name": str(directory.metadata.get("general.name", ""))[:200],
            "task": "speech-to-text",
            "vocab_size": model.config.vocab_size,
            "gpu_bytes": self.gpu.gpu_bytes,
            "tensor_bytes": sum(tensor.nbytes for _, tensor in directory.tensors.values()),
            "delay_ms": model.config.n_delay_tokens * 80,
        }

    def unload(self) -> None:
        if self._model is not None:
            self._model.free()
        self._model = self._tekken = None

    def transcription(self, options: AsrOptions, trace: Trace | None = None) -> Transcription:
        """A session on the loaded model. Raises VoxtabError model-missing."""
        if self._model is None or self._tekken is None:
            raise VoxtabError("model-missing", "No model is loaded.", "Load a model first.")
        return Transcription(self._model, self._tekken, options, trace)
