"""A recording becomes text."""

from collections.abc import Callable, Coroutine
from typing import Any

from voxtab.errors import VoxtabError
from voxtab.models.asr_state import AsrOptions
from voxtab.models.log_mel import SAMPLE_RATE
from voxtab.sessions.level import peak_gain
from voxtab.sessions.trace import Trace
from voxtab.tab.calls import Call, long_call
from voxtab.tab.options import NUMBER, SWITCH, WHOLE, WORD, Kinds, read_options
from voxtab.tab.typed_arrays import floats
from voxtab.tab.worker_engine import loaded_engine

# The sound stays on JavaScript's side but for the part being worked on.
_FEED_SAMPLES = 30 * SAMPLE_RATE
_MOST_CHUNK_MS = 1000 * _FEED_SAMPLES // SAMPLE_RATE
_KINDS: Kinds = {
    **dict.fromkeys(("delay_ms", "max_tokens", "left_pad_tokens", "kv_window", "seed", "submit_ms"), WHOLE),
    "temperature": NUMBER,
    "cache": WORD,
    # Not the session's own.
    "chunk_ms": WHOLE,
    "normalize_peak": SWITCH,
    "trace": SWITCH,
}

OnDelta = Callable[[str, float, float], None]


def transcribe(call: int, pcm: Any, options_json: str, on_delta: OnDelta) -> Coroutine[Any, Any, str]:
    """Transcribe a Float32Array of mono samples at 16 kHz; ok: {text, tokens, words, stats}.

    `on_delta(text, seconds done, seconds in all)` comes after every step. The option `chunk_ms` feeds the sound in
    pieces of that length with a step after each, as a live source would; 0 feeds it as fast as it is taken. The option
    `trace` adds to the answer what every stage computed, {stages: {name: {width, base64 of float32}}, tokens_full}, to
    hold it against a reference; it makes things slow.
    """
    return long_call(call, lambda running: _transcribe(running, pcm, options_json, on_delta))


async def _transcribe(call: Call, pcm: Any, options_json: str, on_delta: OnDelta) -> dict[str, Any]:
    engine = loaded_engine()
    samples = int(pcm.length)
    if not samples:
        raise VoxtabError(
            "audio-empty", "The recording holds no sound.", "Record something, or choose another file."
        )

    def piece(start: int, size: int) -> Any:
        return floats(pcm.subarray(start, min(start + size, samples)))

    def gain() -> float:
        return peak_gain(piece(start, _FEED_SAMPLES) for start in range(0, samples, _FEED_SAMPLES))

    options, chunk_ms, traced = _options(options_json, gain)
    size = chunk_ms * SAMPLE_RATE // 1000 or _FEED_SAMPLES
    trace = Trace() if traced else None
    session = engine.transcription(options, trace)
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
            await call.breathe()
        return session.result() | ({"trace": trace.to_json()} if trace else {})
    finally:
        session.free()


def _options(options_json: str, gain: Callable[[], float]) -> tuple[AsrOptions, int, bool]:
    """The session's options, chunk_ms, and whether to trace. Raises VoxtabError option-invalid for all else."""
    given = read_options(options_json, _KINDS)
    chunk_ms = given.pop("chunk_ms", 0)
    if not 0 <= chunk_ms <= _MOST_CHUNK_MS:
        raise VoxtabError("option-invalid", f"chunk_ms can't be {chunk_ms}.", f"Use 0 to {_MOST_CHUNK_MS}.")
    traced, normalize = given.pop("trace", False), given.pop("normalize_peak", False)
    return AsrOptions(**given, gain=gain() if normalize else 1.0), chunk_ms, traced
