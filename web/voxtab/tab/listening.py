"""A stream of sound becomes text while it goes on."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

from voxtab.errors import VoxtabError
from voxtab.models.asr_state import AsrOptions
from voxtab.sessions.listening import MAX_BACKLOG_S, Listening, ListenOptions
from voxtab.tab.answers import answer
from voxtab.tab.calls import Call, long_call
from voxtab.tab.options import WHOLE, WORD, Kinds, read_options
from voxtab.tab.typed_arrays import floats
from voxtab.tab.worker_engine import loaded_engine

_KINDS: Kinds = {**dict.fromkeys(("delay_ms", "kv_window", "submit_ms"), WHOLE), "cache": WORD}


class _Stream:
    """A session, and what wakes it: sound, a wish, or its end."""

    def __init__(self, session: Listening, call: Call) -> None:
        self.session = session
        self.delay_ms: int | None = None
        """Wished for before any sound: that makes the session anew, which no step may be at work in then."""
        self.news = asyncio.Event()
        call.on_cancel = self.news.set


_streams: dict[int, _Stream] = {}


def listen(
    call: int, options_json: str, on_open: Callable[[float], None], on_heard: Callable[[str], None]
) -> Coroutine[Any, Any, str]:
    """Listen until the stream is closed; ok: {text, words, segments, stats}.

    `on_open(most seconds that may wait)` comes once the stream takes sound, by `feed`. `on_heard` comes after every step,
    with {text, words, tokens, heard_s, fed_s, backlog_s, rtf} as JSON: text to append, the words finished since the last
    one, the ids behind the text, special ones included.
    """
    return long_call(call, lambda running: _listen(call, running, options_json, on_open, on_heard))


async def _listen(
    number: int,
    call: Call,
    options_json: str,
    on_open: Callable[[float], None],
    on_heard: Callable[[str], None],
) -> dict[str, Any]:
    engine = loaded_engine()
    session = engine.listening(ListenOptions(**read_options(options_json, _KINDS)))
    stream = _streams[number] = _Stream(session, call)
    try:
        await engine.gpu.ready()  # memory that is missing is told here, not to a session beside it
        on_open(MAX_BACKLOG_S)
        while not session.done:
            if stream.delay_ms is not None:
                session.set_delay(stream.delay_ms)
                stream.delay_ms = None
            if session.idle:
                stream.news.clear()
                call.check()
                await stream.news.wait()
                continue
            heard = await session.step()
            told = {
                "text": heard.text,
                "words": [word.to_json() for word in heard.words],
                "tokens": heard.tokens,
                "heard_s": session.heard_s,
                "fed_s": session.audio_s,
                "backlog_s": session.backlog_s,
                "rtf": session.rtf,
            }
            on_heard(json.dumps(told))
            await call.breathe()
        return session.result()
    finally:
        del _streams[number]
        session.free()


def feed(call: int, pcm: Any) -> str:
    """Append a Float32Array of mono samples at 16 kHz to a stream; ok: {}. Errors leave the stream as it was."""
    return _to_stream(call, lambda stream: stream.session.feed(floats(pcm)))


def set_delay(call: int, delay_ms: int) -> str:
    """How far a stream's text lags from the next pause on; ok: {}."""

    def work(stream: _Stream) -> None:
        if not isinstance(delay_ms, int) or isinstance(delay_ms, bool):
            raise VoxtabError("option-invalid", f"A delay can't be {delay_ms!r}.", "Use milliseconds.")
        AsrOptions(delay_ms=delay_ms)
        if stream.session.audio_s:
            stream.session.set_delay(delay_ms)
        else:
            stream.delay_ms = delay_ms

    return _to_stream(call, work)


def close_stream(call: int) -> str:
    """No more sound comes; the call answers when the last words are out. ok: {}."""
    return _to_stream(call, lambda stream: stream.session.close())


def _to_stream(call: int, work: Callable[[_Stream], None]) -> str:
    def done() -> dict[str, Any]:
        stream = _streams.get(call)
        if stream is None:
            raise VoxtabError("option-invalid", "This stream has ended.", "Begin another one.")
        work(stream)
        stream.news.set()
        return {}

    return answer(done)
