"""A text becomes sound."""

from array import array
from collections.abc import Callable, Coroutine
from typing import Any

from voxtab.errors import VoxtabError
from voxtab.sessions.engine import Engine
from voxtab.sessions.speech import Speech, SpeechOptions
from voxtab.sessions.speech_trace import SpeechTrace
from voxtab.tab.calls import Call, long_call
from voxtab.tab.options import NUMBER, SWITCH, WHOLE, WORD, Kinds, read_options
from voxtab.tab.typed_arrays import floats, to_js
from voxtab.tab.worker_engine import loaded_engine

_KINDS: Kinds = {
    "voice": WORD,
    "euler_steps": WHOLE,
    "cfg_alpha": NUMBER,
    "seed": WHOLE,
    "cache": WORD,
    "submit_ms": WHOLE,
    "trace": SWITCH,
}

# Standard normal numbers are never so large.
_MOST_NOISE = 100.0

OnSound = Callable[[Any], None]


def speak(call: int, text: str, options_json: str, noise: Any, on_sound: OnSound) -> Coroutine[Any, Any, str]:
    """Speak a text; ok: {codes, frames, cut_short, stats}.

    `on_sound(Float32Array of 24 kHz mono)` comes as soon as there is any. noise: None, or a Float32Array in place of the
    seed's. The option `voice` is the model's first by default; `trace` adds to the answer what every stage computed,
    {stages: {name: {width, base64 of float32}}}, to hold it against a reference; it makes things slow.
    """
    return long_call(call, lambda running: _speak(running, text, options_json, noise, on_sound))


async def _speak(call: Call, text: str, options_json: str, noise: Any, on_sound: OnSound) -> dict[str, Any]:
    given = read_options(options_json, _KINDS)
    trace = SpeechTrace() if given.pop("trace", False) else None
    voice = given.pop("voice", None)
    options = SpeechOptions(**given, noise=_noise(noise))
    session = _session(loaded_engine(), text, voice, options, trace)
    try:
        while not session.done:
            sound = await session.step()
            if len(sound):
                on_sound(to_js("Float32Array", sound))
            await call.breathe()
        return session.result() | ({"trace": trace.to_json()} if trace else {})
    finally:
        session.free()


def _session(
    engine: Engine, text: str, voice: str | None, options: SpeechOptions, trace: SpeechTrace | None
) -> Speech:
    if voice is None:
        voice = next((entry["name"] for entry in engine.voices()), "")
    return engine.speech(text, voice, options, trace)


def _noise(typed: Any) -> "array[float] | None":
    if typed is None:
        return None
    noise = array("f", floats(typed))
    if not all(-_MOST_NOISE < value < _MOST_NOISE for value in noise):  # NaN is in no range
        raise VoxtabError(
            "option-invalid", "The noise holds values that are no noise.", "Give standard normal numbers."
        )
    return noise
