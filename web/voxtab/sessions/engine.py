"""A device with a model on it: what the native command and the browser worker both hold."""

from typing import Any

from voxtab.errors import VoxtabError
from voxtab.formats.tekken import Tekken
from voxtab.gpu.base import Gpu, Program
from voxtab.models.asr import AsrModel
from voxtab.models.asr_state import AsrOptions, AsrState
from voxtab.models.load_asr import load_asr
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
        model, tekken = await load_asr(self.gpu, source, directory, tekken_beside)
        try:
            await self._warm_up(model)
        except BaseException:
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

    async def _warm_up(self, model: AsrModel) -> None:
        """Run every kernel once on silence: drivers compile at the first use, and that belongs to loading."""
        live, offline, prompt = 1, 5, 9  # tokens and rows that between them take every tile
        programs: list[Program] = []
        with self.gpu.all_or_nothing():
            state = AsrState(self.gpu, model.config, AsrOptions(), trace=False)
        try:
            with self.gpu.all_or_nothing():
                state.reserve((live + offline) * model.config.downsample_factor, prompt + 1)
                programs.append(model.record_time_conditioning(state))
                programs += [model.record_encode(state, tokens) for tokens in (live, offline)]
                programs += [model.record_decode(state, rows, head=True) for rows in (prompt, 1)]
            await self.gpu.ready()
            for program in programs:
                self.gpu.run(program)
            await self.gpu.drain()
        finally:
            for program in programs:
                self.gpu.free_program(program)
            state.free()

    def unload(self) -> None:
        if self._model is not None:
            self._model.free()
            self.gpu.forget_uniforms()
        self._model = self._tekken = None

    def transcription(self, options: AsrOptions, trace: Trace | None = None) -> Transcription:
        """A session on the loaded model. Raises VoxtabError model-missing."""
        if self._model is None or self._tekken is None:
            raise VoxtabError("model-missing", "No model is loaded.", "Load a model first.")
        return Transcription(self._model, self._tekken, options, trace)
