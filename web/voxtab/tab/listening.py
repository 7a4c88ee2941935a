"""A stream of sound becomes text while it goes on."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from voxtab.errors import VoxtabError
from voxtab.models.asr_state import MAX_CHUNK_TOKENS, AsrOptions
from voxtab.sessions.listening import MAX_BACKLOG_S, Listening, ListenOptions, check_budget
from voxtab.tab.answers import answer
from voxtab.tab.calls import Call, long_call
from voxtab.tab.options import NUMBER, SWITCH, WHOLE, WORD, Kinds, read_options
from voxtab.tab.typed_arrays import floats
from voxtab.tab.worker_engine import loaded_engine

_KINDS: Kinds = {
    **dict.fromkeys(("delay_ms", "kv_window", "submit_ms"), WHOLE),
    "segment_s": NUMBER,
    "cache": WORD,
    "stepwise": SWITCH,
}


class _Stream:
    """A session, and what wakes it: sound, a wish, a step asked for, or its end."""

    def __init__(self, session: Listening, call: Call, stepwise: bool) -> None:
        self.session = session
        self.asked: deque[int] | None = deque() if stepwise else None
        """Budgets of the steps to make; None: as many as there is work for."""
        self.delay_ms: int | None = None
        """Wished for before any sound: that makes the session anew, which no step may be at work in then."""
        self.news = asyncio.Event()
        call.on_cancel = self.news.set

    def next_budget(self) -> int | None:
        """Of the step to be made now; None: there is nothing to do yet."""
        if self.asked is None:
            return None if self.session.idle else MAX_CHUNK_TOKENS
        return self.asked.popleft() if self.asked else None


_streams: dict[int, _Stream] = {}


def listen(
    call: int, options_json: str, on_open: Callable[[float], None], on_heard: Callable[[str], None]
) -> Coroutine[Any, Any, str]:
    """Listen until the stream is closed; ok: {text, words, segments, stats}.

    `on_open(most seconds that may wait)` comes once the stream takes sound, by `feed`. `on_heard` comes after every step,
    with {text, words, tokens, heard_s, fed_s, backlog_s, rtf, idle, done} as JSON: text to append, the words finished
    since the last one, the ids behind the text, special ones included. With the option `stepwise` there are steps only
    when `step` asks for them.
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
    options = read_options(options_json, _KINDS)
    stepwise = options.pop("stepwise", False)
    session = engine.listening(ListenOptions(**options))
    stream = _streams[number] = _Stream(session, call, stepwise)
    try:
        await engine.gpu.ready()  # memory that is missing is told here, not to a session beside it
        on_open(MAX_BACKLOG_S)
        while not session.done:
            if stream.delay_ms is not None:
                session.set_delay(stream.delay_ms)
                stream.delay_ms = None
            budget = stream.next_budget()
            if budget is None:
                stream.news.clear()
                call.check()
                await stream.news.wait()
                continue
            heard = await session.step(budget)
            told = {
                "text": heard.text,
                "words": [word.to_json() for word in heard.words],
                "tokens": heard.tokens,
                "heard_s": session.heard_s,
                "fed_s": session.audio_s,
                "backlog_s": session.backlog_s,
                "rtf": session.rtf,
                "idle": session.idle,
                "done": session.done,
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


def step(call: int, budget: int | None = None) -> str:
    """Ask a stepwise stream for a step of at most `budget` tokens, a chunk by default; `on_heard` tells what it brought.
    ok: {}."""

    def work(stream: _Stream) -> None:
        if stream.asked is None:
            raise VoxtabError(
                "option-invalid", "This stream makes its steps by itself.", "Open it with stepwise: true."
            )
        tokens = MAX_CHUNK_TOKENS if budget is None else budget
        if not isinstance(tokens, int) or isinstance(tokens, bool):
            raise VoxtabError("option-invalid", f"A budget can't be {tokens!r}.", "Use a number of tokens.")
        check_budget(tokens)
        stream.asked.append(tokens)

    return _to_stream(call, work)


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
