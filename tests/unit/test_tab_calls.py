"""What the worker calls in Python: answers are JSON, and each long call is cancelled by its own number."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from voxtab.errors import VoxtabError
from voxtab.tab.answers import answer
from voxtab.tab.calls import Call, cancel, long_call
from voxtab.tab.options import NUMBER, SWITCH, WHOLE, WORD, read_options

KINDS = {"delay_ms": WHOLE, "temperature": NUMBER, "cache": WORD, "trace": SWITCH}


async def patient(call: Call) -> str:
    """Done after three turns."""
    for _ in range(3):
        await call.breathe()
    return "done"


def test_a_cancellation_ends_the_call_of_its_number_alone() -> None:
    async def run() -> list[Any]:
        calls = [asyncio.ensure_future(long_call(number, patient)) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        cancel(2)
        return [json.loads(text) for text in await asyncio.gather(*calls)]

    one, two, three = asyncio.run(run())
    assert one == three == {"ok": "done"}
    assert two["error"]["code"] == "cancelled"


def test_a_cancellation_before_the_first_step_counts_and_one_after_the_last_does_not() -> None:
    async def run() -> list[str]:
        waiting = long_call(4, patient)
        cancel(4)
        ended = await waiting
        cancel(4)
        return [ended, await long_call(4, patient)]

    ended, next_one = asyncio.run(run())
    assert json.loads(ended)["error"]["code"] == "cancelled"
    assert json.loads(next_one) == {"ok": "done"}


def test_a_cancellation_wakes_a_call_that_waits_for_more_to_do() -> None:
    async def idle(call: Call) -> None:
        news = asyncio.Event()
        call.on_cancel = news.set
        await news.wait()
        call.check()

    async def run() -> str:
        waiting = asyncio.ensure_future(long_call(5, idle))
        await asyncio.sleep(0)
        cancel(5)
        return await asyncio.wait_for(waiting, 10)

    assert json.loads(asyncio.run(run()))["error"]["code"] == "cancelled"


def test_errors_are_told_as_they_are_and_faults_as_internal() -> None:
    def refuse() -> None:
        raise VoxtabError("not-gguf", "No GGUF.", "Choose another.")

    class JavaScriptError(Exception):
        js_error: Any

    def fetch() -> None:
        error = JavaScriptError()
        error.js_error = type("Thrown", (), {"code": "shard-missing", "message": "Gone.", "hint": "Look."})()
        raise error

    def stumble() -> None:
        raise KeyError("x")

    assert json.loads(answer(refuse)) == {
        "error": {"code": "not-gguf", "message": "No GGUF.", "hint": "Choose another."}
    }
    assert json.loads(answer(fetch)) == {
        "error": {"code": "shard-missing", "message": "Gone.", "hint": "Look."}
    }
    assert json.loads(answer(stumble))["error"]["code"] == "internal"


def test_options_of_the_right_kinds_are_given_as_they_are() -> None:
    given = {"delay_ms": 480, "temperature": 0.5, "cache": "f32", "trace": True}
    assert read_options(json.dumps(given), KINDS) == given
    assert read_options('{"temperature": 1}', KINDS) == {"temperature": 1}


@pytest.mark.parametrize(
    "given",
    ['{"delay_ms": true}', '{"delay_ms": 0.5}', '{"cache": 16}', '{"trace": 1}', '{"other": 1}', "[1]", "7"],
)
def test_an_option_of_another_name_or_kind_is_refused_with_those_there_are(given: str) -> None:
    with pytest.raises(VoxtabError) as refused:
        read_options(given, KINDS)
    assert refused.value.code == "option-invalid"
    assert refused.value.hint == "Use delay_ms, temperature, cache, trace."
