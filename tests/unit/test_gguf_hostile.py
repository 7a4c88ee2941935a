"""No file makes the GGUF reader do anything but read it, refuse it, or ask for more of it, and that soon."""

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.hostile_gguf import (
    ARRAY,
    BOOL,
    STRING,
    U8,
    array,
    gguf,
    hostile_headers,
    key,
    tensor,
    text,
    truncated_files,
    u32,
    u64,
    valid_gguf,
)
from voxtab.errors import VoxtabError
from voxtab.formats.gguf import MAX_HEADER_BYTES, Gguf, GgufError, GgufTruncated, parse_gguf

HOSTILE = hostile_headers()
VALID = valid_gguf()
GIGABYTES = 2_500_000_000


@contextmanager
def at_most(calls: int) -> Iterator[None]:
    """Fail once more functions than that have been entered: a bound on work that holds on a slow machine."""
    left = calls

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal left
        left -= event in ("call", "c_call")
        if left < 0:
            raise AssertionError(f"more than {calls} calls")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)


def outcome(head: bytes, file_bytes: int) -> Gguf | GgufError | GgufTruncated:
    """What parsing gives; anything but these three fails the test that asks."""
    try:
        return parse_gguf(head, file_bytes)
    except (GgufError, GgufTruncated) as answer:
        return answer


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_a_code_a_reason_and_a_hint(name: str) -> None:
    data = HOSTILE[name]
    with pytest.raises(VoxtabError) as caught:
        parse_gguf(data, len(data))
    assert caught.value.code in ("not-gguf", "gguf-invalid")
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")
    assert len(caught.value.message) < 300


def test_only_what_lacks_the_magic_is_called_no_gguf() -> None:
    for name, data in HOSTILE.items():
        answer = outcome(data, len(data))
        assert isinstance(answer, GgufError)
        assert (answer.code == "not-gguf") == (not data.startswith(b"GGUF")), name


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_little_work_and_memory(name: str) -> None:
    data = HOSTILE[name]
    outcome(data, len(data))  # what is imported or cached once is not the file's doing
    with at_most(100 + len(data)):
        outcome(data, len(data))
    tracemalloc.start()
    try:
        outcome(data, len(data))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32_768 + 4 * len(data)


@pytest.mark.parametrize("name", HOSTILE)
def test_the_same_header_on_a_file_of_gigabytes_takes_no_more_than_the_limit(name: str) -> None:
    data = HOSTILE[name]
    with at_most(100 + len(data)):
        answer = outcome(data, GIGABYTES)
    if isinstance(answer, GgufTruncated):
        assert len(data) < answer.needed <= MAX_HEADER_BYTES


def refused(head: bytes, file_bytes: int) -> str:
    with pytest.raises(GgufError) as caught:
        parse_gguf(head, file_bytes)
    return caught.value.message


def test_what_cannot_fit_in_the_file_is_refused_where_it_is_announced() -> None:
    assert "100 keys" in refused(gguf(key_count=100)[:24], 1000)
    assert "100 tensors" in refused(gguf(tensor_count=100)[:24], 2000)
    strings = gguf([key(b"a", ARRAY, array(STRING, 1000, b""))], alignment=1)
    assert "past the end" in refused(strings, 4000)
    assert isinstance(outcome(strings, 10_000), GgufTruncated)


def test_more_keys_or_tensors_than_the_limit_are_refused_on_a_file_of_any_size() -> None:
    assert isinstance(outcome(gguf(key_count=65_536)[:24], GIGABYTES), GgufTruncated)
    assert "65537 keys" in refused(gguf(key_count=65_537)[:24], GIGABYTES)
    assert isinstance(outcome(gguf(tensor_count=65_536)[:24], GIGABYTES), GgufTruncated)
    assert "65537 tensors" in refused(gguf(tensor_count=65_537)[:24], GIGABYTES)


def test_arrays_of_arrays_are_refused_as_such() -> None:
    nested = [data for name, data in HOSTILE.items() if "arrays" in name]
    assert len(nested) == 4
    for data in nested:
        assert "array of arrays" in refused(data, len(data))


def test_a_file_cut_at_any_byte_is_refused() -> None:
    for name, data in truncated_files().items():
        answer = outcome(data, len(data))
        assert isinstance(answer, GgufError), name
        assert answer.code == ("gguf-invalid" if len(data) >= 4 else "not-gguf")


def test_every_prefix_of_a_good_file_asks_for_more_until_the_directory_is_there() -> None:
    whole = parse_gguf(VALID, len(VALID))
    asked = 0
    for length in range(len(VALID) + 1):
        answer = outcome(VALID[:length], len(VALID))
        if isinstance(answer, GgufTruncated):
            assert length < answer.needed <= len(VALID)
            asked = length
        else:
            assert answer == whole
    assert whole.data_offset - 32 <= asked < whole.data_offset


@pytest.mark.parametrize("name", HOSTILE)
def test_no_prefix_of_a_hostile_file_is_accepted(name: str) -> None:
    data = HOSTILE[name]
    for length in range(min(len(data), 600)):
        assert not isinstance(outcome(data[:length], len(data)), Gguf)


def test_more_elements_than_the_limit_are_refused_though_they_are_there() -> None:
    many = [key(b"k%d" % i, ARRAY, array(U8, 2**20, bytes(2**20))) for i in range(3)]
    assert isinstance(outcome(gguf(many[:2]), len(gguf(many[:2]))), Gguf)
    answer = outcome(gguf(many), len(gguf(many)))
    assert isinstance(answer, GgufError)
    assert "elements" in answer.message


def test_a_header_longer_than_the_limit_is_refused_before_it_is_read() -> None:
    long = [key(b"k%d" % i, 8, text(b"", 40 << 20)) for i in range(2)]
    answer = outcome(gguf(long[:1]), GIGABYTES)
    assert isinstance(answer, GgufTruncated)
    first = key(b"k0", 8, text(bytes(40 << 20)))
    answer = outcome(gguf([first, long[1]]), GIGABYTES)
    assert isinstance(answer, GgufError)
    assert str(MAX_HEADER_BYTES) in answer.message


def test_a_long_array_of_booleans_is_checked_to_the_end() -> None:
    for last, good in ((b"\x01", True), (b"\x02", False)):
        data = gguf([key(b"a", ARRAY, array(BOOL, 100_000, bytes(99_999) + last))])
        assert isinstance(outcome(data, len(data)), Gguf) == good


INTERESTING = st.sampled_from(
    [0, 1, 7, 8, 9, 31, 2**16, 2**21, 2**31, 2**32 - 1, 2**63, 2**64 - 33, 2**64 - 1]
)


def _overwrite(data: bytes, at: int, put: bytes) -> bytes:
    return data[:at] + put + data[at + len(put) :]


def _insert(data: bytes, at: int, put: bytes) -> bytes:
    return data[:at] + put + data[at:]


def _delete(data: bytes, at: int, put: bytes) -> bytes:
    return data[:at] + data[at + len(put) :]


EDITS: list[Callable[[bytes, int, bytes], bytes]] = [_overwrite, _overwrite, _insert, _delete]
PIECES = st.binary(min_size=1, max_size=12) | INTERESTING.map(u64) | INTERESTING.map(lambda n: u32(n % 2**32))


def check_any(data: bytes, file_bytes: int) -> None:
    with at_most(1000 + 20 * len(data)):
        answer = outcome(data, file_bytes)
    if isinstance(answer, GgufTruncated):
        assert len(data) < answer.needed <= file_bytes
    elif isinstance(answer, Gguf):
        end = answer.data_offset
        for entry in answer.tensors.values():
            assert end <= entry.offset
            assert entry.nbytes > 0
            assert entry.offset % answer.alignment == 0
            end = entry.offset + entry.nbytes
            assert end <= file_bytes


@settings(max_examples=1500, deadline=None)
@given(
    edits=st.lists(
        st.tuples(st.sampled_from(EDITS), st.integers(0, len(VALID)), PIECES), min_size=1, max_size=4
    ),
    missing=st.sampled_from([0, 0, 1, 100, GIGABYTES]),
)
def test_a_good_file_with_bytes_changed_is_read_or_refused(
    edits: list[tuple[Callable[[bytes, int, bytes], bytes], int, bytes]], missing: int
) -> None:
    data = VALID
    for edit, at, put in edits:
        data = edit(data, at, put)
    check_any(data, len(data) + missing)


@settings(max_examples=300, deadline=None)
@given(tail=st.binary(max_size=400), key_count=st.integers(0, 9), tensor_count=st.integers(0, 9))
@example(tail=tensor(b"w", (8,), 0, 0) + bytes(64), key_count=0, tensor_count=1)
def test_a_header_followed_by_noise_is_read_or_refused(
    tail: bytes, key_count: int, tensor_count: int
) -> None:
    data = gguf([tail], key_count=key_count, tensor_count=tensor_count)
    check_any(data, len(data))


def test_every_byte_of_a_good_file_set_to_telling_values_is_read_or_refused() -> None:
    directory = parse_gguf(VALID, len(VALID)).data_offset
    for at in range(directory):
        for value in (0, 1, 2, 9, 13, 0x20, 0x7F, 0x80, 0xFF):
            changed = _overwrite(VALID, at, bytes([value]))
            answer = outcome(changed, len(changed))
            assert not isinstance(answer, GgufTruncated)
