"""JSON that nests deeply is told apart from JSON that only looks it, without parsing."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voxtab.formats.json_nesting import MAX_CONTAINERS, MAX_DEPTH, check_nesting

TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from('[]{}"\\'), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=60,
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def accepted(text: str | bytes) -> bool:
    try:
        check_nesting(text.encode() if isinstance(text, str) else text)
    except ValueError:
        return False
    return True


def wrapped(value: Any, levels: int) -> Any:
    for level in range(levels):
        value = [value] if level % 2 else {"[": value}
    return value


@settings(max_examples=500)
@given(JSON, st.integers(0, 2 * MAX_DEPTH), st.booleans())
@example(['\\"', "[", "]", '"'], MAX_DEPTH - 1, False)
@example(["\\", {"\\": "\\\\"}], MAX_DEPTH - 2, True)
def test_json_is_accepted_up_to_the_limit_and_no_deeper(value: Any, levels: int, ascii_only: bool) -> None:
    value = wrapped(value, levels)
    assert accepted(json.dumps(value, ensure_ascii=ascii_only)) == (depth(value) <= MAX_DEPTH)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '["]",' * 1000,
        '{"}":' * 1000,
        '["\\\\",' * 1000,
        '["\\"]",' * 1000,
        '[""' * 1000,
        '["","]","",' * 1000,
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "]",
    ],
)
def test_brackets_that_only_strings_close_are_not_closed(text: str) -> None:
    assert not accepted(text)


def test_more_objects_than_the_limit_are_refused() -> None:
    assert accepted("[" + "{}," * (MAX_CONTAINERS - 1) + "0]")
    assert not accepted("[" + "{}," * MAX_CONTAINERS + "0]")


@pytest.mark.parametrize("token", ["a\\", "[", '}"', ""])
def test_many_strings_take_little_more_memory_than_the_text(token: str) -> None:
    text = json.dumps([{"rank": rank, token: token} for rank in range(50_000)]).encode()
    tracemalloc.start()
    try:
        check_nesting(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * len(text) + 4_000_000
