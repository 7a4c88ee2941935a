"""What the browser's worker calls. Answers are JSON, {"ok": ...} or {"error": {code, message, hint}}; nothing is raised.

`gpu` is the object of web/worker/gpu.js, `source` the one of web/worker/source.js.
"""

import asyncio
import json
from array import array
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from voxtab.errors import VoxtabError
from voxtab.formats.manifest import parse_manifest
from voxtab.formats.wav import read_wav
from voxtab.gpu.base import Gpu
from voxtab.gpu.browser import BrowserGpu
from voxtab.models.asr_state import AsrOptions
from voxtab.models.log_mel import SAMPLE_RATE
from voxtab.models.source import ModelSource
from voxtab.nn.upload import Piece
from voxtab.sessions.engine import Engine
from voxtab.sessions.level import peak_gain
from voxtab.sessions.trace import Trace

# The sound stays on JavaScript's side but for the part being worked on.
_FEED_SAMPLES = 30 * SAMPLE_RATE
_MOST_CHUNK_MS = 1000 * _FEED_SAMPLES // SAMPLE_RATE
_SWITCHES = ("normalize_peak", "trace")
_OPTIONS = (
    *("delay_ms", "temperature", "max_tokens", "left_pad_tokens", "kv_window", "seed", "cache", "submit_ms"),
    "chunk_ms",  # the one that is not the session's
)


class BrowserSource(ModelSource):
    """The worker's source: it fetches, verifies, caches and writes to the GPU; only headers come to Python."""

    def __init__(self, js: Any) -> None:
        self._js = js
        self.stream_bytes = [int(stream.bytes) for stream in js.streams]

    async def read(self, stream: int, offset: int, length: int) -> bytes:
        return bytes((await self._js.read(stream, offset, length)).to_bytes())

    async def upload(self, gpu: Gpu, stream: int, pieces: Sequence[Piece]) -> None:
        import js  # type: ignore[import-not-found]

        assert isinstance(gpu, BrowserGpu)
        rows = array("d")
        for piece in pieces:
            program = piece.program.id if piece.program else -1
            rows.extend((piece.offset, piece.nbytes, piece.buffer.id, piece.buffer_offset, program))
        plan = js.Float64Array.new(len(rows))
        plan.assign(memoryview(rows))
        await self._js.upload(gpu.js, stream, plan)

    async def tekken(self) -> bytes | None:
        """The tekken.json beside the model's files, if there is one."""
        found = await self._js.tekken()
        return bytes(found.to_bytes()) if found else None


class _Tab:
    """The worker's one engine, on the device it was last handed."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.device: Any = None
        self.cancelled = False
        self.pcm: array[float] = array("f")

    def engine_on(self, device: Any) -> Engine:
        if self.engine is None or self.device != device:
            self.device = device
            self.engine = Engine(BrowserGpu(device))
        return self.engine

    def check_cancelled(self) -> None:
        if self.cancelled:
            raise VoxtabError("cancelled", "Stopped, as asked.", "")


_tab = _Tab()


async def load(gpu: Any, source: Any) -> str:
    """Load a model; ok: {name, task, vocab_size, gpu_bytes, tensor_bytes, delay_ms}."""

    async def work() -> dict[str, Any]:
        model = BrowserSource(source)
        engine = _tab.engine_on(gpu)
        loaded = await engine.load(model, await model.tekken())
        if _tab.cancelled:
            engine.unload()
        _tab.check_cancelled()
        return loaded

    return await _answer(work())


async def transcribe(pcm: Any, options_json: str, on_delta: Callable[[str, float, float], None]) -> str:
    """Transcribe a Float32Array of mono samples at 16 kHz; ok: {text, tokens, words, stats}.

    `on_delta(text, seconds done, seconds in all)` comes after every step. The option `chunk_ms` feeds the sound in
    pieces of that length with a step after each, as a live source would; 0 feeds it as fast as it is taken. The option
    `trace` adds to the answer what every stage computed, {stages: {name: {width, base64 of float32}}, tokens_full}, to
    hold it against a reference; it makes things slow.
    """
    return await _answer(_transcribe(pcm, options_json, on_delta))


async def _transcribe(
    pcm: Any, options_json: str, on_delta: Callable[[str, float, float], None]
) -> dict[str, Any]:
    if _tab.engine is None:
        raise VoxtabError("model-missing", "No model is loaded.", "Load a model first.")
    samples = int(pcm.length)
    if not samples:
        raise VoxtabError(
            "audio-empty", "The recording holds no sound.", "Record something, or choose another file."
        )

    def piece(start: int, size: int) -> Any:
        part = pcm.subarray(start, min(start + size, samples))
        return memoryview(part.to_bytes()).cast("f")

    def gain() -> float:
        return peak_gain(piece(start, _FEED_SAMPLES) for start in range(0, samples, _FEED_SAMPLES))

    options, chunk_ms, traced = _options(options_json, gain)
    size = chunk_ms * SAMPLE_RATE // 1000 or _FEED_SAMPLES
    trace = Trace() if traced else None
    session = _tab.engine.transcription(options, trace)
    fed = 0
    try:
        while not session.done:
            if fed < samples and (chunk_ms or session.backlog < _FEED_SAMPLES // 2):
                session.feed(piece(fed, size))
                fed += size
                if fed >= samples:
                    session.close()
            delta = await session.step()
            on_delta(delta, session.heard_s, samples / SAMPLE_RATE)
            await asyncio.sleep(0)  # lets a cancellation in
            _tab.check_cancelled()
        return session.result() | ({"trace": trace.to_json()} if trace else {})
    finally:
        session.free()


def _options(options_json: str, gain: Callable[[], float]) -> tuple[AsrOptions, int, bool]:
    """The session's options, chunk_ms, and whether to trace. Raises VoxtabError option-invalid for all else."""
    given = json.loads(options_json)
    hint = "Use " + ", ".join([*_OPTIONS, *_SWITCHES]) + "."
    if not isinstance(given, dict):
        raise VoxtabError("option-invalid", "The options are not an object.", hint)
    switches = {name: given.pop(name, False) for name in _SWITCHES}
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise VoxtabError("option-invalid", f"The option {name!r} can't be {value!r}.", hint)
    for name, value in given.items():
        kinds: tuple[type, ...] = (
            (str,) if name == "cache" else (int, float) if name == "temperature" else (int,)
        )
        if name not in _OPTIONS or not isinstance(value, kinds) or isinstance(value, bool):
            raise VoxtabError("option-invalid", f"The option {name!r} can't be {value!r}.", hint)
    chunk_ms = given.pop("chunk_ms", 0)
    if not 0 <= chunk_ms <= _MOST_CHUNK_MS:
        raise VoxtabError("option-invalid", f"chunk_ms can't be {chunk_ms}.", f"Use 0 to {_MOST_CHUNK_MS}.")
    options = AsrOptions(**given, gain=gain() if switches["normalize_peak"] else 1.0)
    return options, chunk_ms, switches["trace"]


def decode_wav(data: Any) -> str:
    """Read a WAV file's bytes; ok: {sample_rate, samples}. The samples are fetched with `take_pcm`."""

    def work() -> dict[str, Any]:
        wav = read_wav(bytes(data.to_bytes()))
        _tab.pcm = wav.samples
        return {"sample_rate": wav.sample_rate, "samples": len(wav.samples)}

    return _answer_now(work)


def take_pcm() -> Any:
    """The samples of the last `decode_wav`, as a buffer of float32; they are Python's no longer."""
    taken, _tab.pcm = _tab.pcm, array("f")
    return taken


def check_manifest(text: str) -> str:
    """Check a manifest.json; ok: the manifest, normalized."""
    return _answer_now(lambda: json.loads(parse_manifest(text).to_json()))


def cancel() -> None:
    """Make a running load or transcription answer `cancelled` soon."""
    _tab.cancelled = True


def unload() -> str:
    """Free the model's GPU memory; ok: {gpu_bytes}."""

    def work() -> dict[str, Any]:
        if _tab.engine is None:
            return {"gpu_bytes": 0}
        _tab.engine.unload()
        return {"gpu_bytes": _tab.engine.gpu.gpu_bytes}

    return _answer_now(work)


async def _answer(work: Awaitable[dict[str, Any]]) -> str:
    """The answer of a call that can be cancelled, from before its first step until its last."""
    try:
        return json.dumps({"ok": await work})
    except Exception as error:
        return json.dumps({"error": _plain(error)})
    finally:
        _tab.cancelled = False


def _answer_now(work: Callable[[], dict[str, Any]]) -> str:
    try:
        return json.dumps({"ok": work()})
    except Exception as error:
        return json.dumps({"error": _plain(error)})


def _plain(error: Exception) -> dict[str, str]:
    """A VoxtabError as it is; one thrown by JavaScript by its fields; anything else is a bug of ours and says so."""
    if isinstance(error, VoxtabError):
        return error.to_json()
    thrown: Any = getattr(error, "js_error", error)
    code = getattr(thrown, "code", None)
    if isinstance(code, str) and code:
        return {
            "code": code,
            "message": str(getattr(thrown, "message", error)),
            "hint": str(getattr(thrown, "hint", "")),
        }
    message = f"{type(error).__name__}: {error}"[:500]
    return {"code": "internal", "message": message, "hint": "This is a fault in voxtab; please report it."}
