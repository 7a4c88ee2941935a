"""Byte ranges and conditional requests, as RFC 9110 has them."""

import hashlib
import random
from collections.abc import Iterator
from io import BufferedReader

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.ranges import UnsatisfiableRangeError, accepts_gzip, is_unchanged, parse_range, range_applies
from tests.unit.server_site import Site, running_site, sha256, write

BODY = random.Random(7).randbytes(3 * (1 << 20) + 12345)  # more than two of the pieces it is sent in
PATH = "/models/big.gguf/big.gguf"
ETAG = f'"{sha256(BODY)}"'

sizes = st.integers(0, 2000)
positions = st.one_of(st.integers(0, 2100), st.integers(0, 2**64))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as site:
        write(site.models / "big.gguf", BODY)
        write(site.models / "empty.gguf", b"")
        yield site


def bytes_asked(header: str, content: bytes) -> bytes | None:
    """The bytes a range means, by Python's slices; None where there are none."""
    found = parse_range(header, len(content))
    return None if found is None else content[found.start : found.stop]


@given(sizes, positions, positions)
def test_first_to_last_is_a_slice_with_its_end_included(size: int, first: int, last: int) -> None:
    content = bytes(i % 251 for i in range(size))
    header = f"bytes={first}-{last}"
    if last < first:
        assert parse_range(header, size) is None
    elif first >= size:
        with pytest.raises(UnsatisfiableRangeError):
            parse_range(header, size)
    else:
        assert bytes_asked(header, content) == content[first : last + 1]


@given(sizes, positions)
def test_an_open_range_goes_to_the_end(size: int, first: int) -> None:
    content = bytes(i % 251 for i in range(size))
    if first >= size:
        with pytest.raises(UnsatisfiableRangeError):
            parse_range(f"bytes={first}-", size)
    else:
        assert bytes_asked(f"bytes={first}-", content) == content[first:]


@given(sizes, positions)
def test_a_suffix_range_is_the_last_bytes_or_all_there_are(size: int, count: int) -> None:
    content = bytes(i % 251 for i in range(size))
    if count == 0 or size == 0:
        with pytest.raises(UnsatisfiableRangeError):
            parse_range(f"bytes=-{count}", size)
    else:
        assert bytes_asked(f"bytes=-{count}", content) == content[-count:]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40), sizes)
def test_any_text_is_a_range_inside_the_file_or_ignored_or_refused(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        try:
            found = parse_range(text, size)
        except UnsatisfiableRangeError:
            continue
        assert found is None or 0 <= found.start < found.stop <= size


@pytest.mark.parametrize(
    "header",
    [
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=1-2-3",
        "bytes=--1",
        "bytes=+1-2",
        "bytes=1_0-",
        "bytes=0x1-",
        "bytes=1 -2",
        "bytes=\u0661-\u0662",
        "items=0-1",
        "=0-1",
        "",
        "bytes 0-1",
        "bytes=,",
    ],
)
def test_malformed_ranges_and_other_units_are_ignored(header: str) -> None:
    assert parse_range(header, 100) is None


@pytest.mark.parametrize("header", ["bytes=0-4,", "bytes=,0-4", "bytes= 0-4", "BYTES=0-4", "bytes =0-4"])
def test_case_blanks_and_empty_list_elements_are_legal(header: str) -> None:
    assert bytes_asked(header, b"0123456789") == b"01234"


@given(st.integers(2, 10_000))
def test_more_than_one_range_is_refused(count: int) -> None:
    with pytest.raises(UnsatisfiableRangeError):
        parse_range("bytes=" + ",".join(["0-0"] * count), 100)


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=1048570-1048580", 1048570, 1048581),
        ("bytes=3000000-", 3000000, len(BODY)),
        ("bytes=-7", len(BODY) - 7, len(BODY)),
        ("bytes=5-99999999999999999999", 5, len(BODY)),
        (f"bytes=0-{len(BODY) - 1}", 0, len(BODY)),
        ("bytes=-99999999", 0, len(BODY)),
    ],
)
def test_the_server_sends_exactly_the_range(site: Site, header: str, start: int, stop: int) -> None:
    reply = site.ask(PATH, range=header)
    assert (reply.status, reply.body == BODY[start:stop]) == (206, True)
    assert reply.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(BODY)}"
    assert reply.headers["content-length"] == str(stop - start)
    assert reply.headers["etag"] == ETAG


def test_without_a_range_the_whole_file_comes_and_ranges_are_offered(site: Site) -> None:
    reply = site.ask(PATH)
    assert (reply.status, reply.body == BODY) == (200, True)
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["content-length"] == str(len(BODY))
    assert reply.headers["content-type"] == "application/octet-stream"
    assert "content-range" not in reply.headers


@pytest.mark.parametrize("header", [f"bytes={len(BODY)}-", "bytes=99999999999-", "bytes=-0", "bytes=0-0,-1"])
def test_an_unsatisfiable_range_is_416_with_the_size(site: Site, header: str) -> None:
    reply = site.ask(PATH, range=header)
    assert (reply.status, reply.body) == (416, b"")
    assert reply.headers["content-range"] == f"bytes */{len(BODY)}"


def test_a_header_of_thousands_of_ranges_gets_no_body_at_all(site: Site) -> None:
    reply = site.ask(PATH, range="bytes=" + ",".join(f"{i}-" for i in range(2000)))
    assert (reply.status, reply.body) == (416, b"")


@pytest.mark.parametrize(
    "header",
    ["bytes=0-0,2-2", "bytes=" + ",".join(["0-0"] * 2000), "bytes=0-" + "9" * 100, "pages=" + "1" * 100],
)
def test_a_header_that_asks_too_much_is_refused_without_hashing_the_file(
    site: Site, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    content = header.encode()  # a file of its own, not hashed before
    name = f"fresh{sha256(content)[:8]}.gguf"
    write(site.models / name, content)
    site.ask("/api/models")
    hashed: list[str] = []
    digest = hashlib.file_digest

    def watched(file: BufferedReader, kind: str) -> object:
        hashed.append(file.name)
        return digest(file, kind)

    monkeypatch.setattr(hashlib, "file_digest", watched)
    reply = site.ask(f"/models/{name}/{name}", range=header)
    assert (reply.status, reply.body) == (416, b"")
    assert reply.headers["content-range"] == f"bytes */{len(content)}"
    assert hashed == []
    assert site.ask(f"/models/{name}/{name}", range="bytes=0-0").status == 206
    assert hashed == [str(site.models / name)]
    assert site.ask(f"/models/{name}/other", range=header).status == 404


def test_an_empty_file_has_no_range_but_can_be_had(site: Site) -> None:
    assert site.ask("/models/empty.gguf/empty.gguf", range="bytes=0-").status == 416
    whole = site.ask("/models/empty.gguf/empty.gguf")
    assert (whole.status, whole.body, whole.headers["content-length"]) == (200, b"", "0")


def test_head_has_the_headers_of_get_and_takes_no_range(site: Site) -> None:
    reply = site.ask(PATH, "HEAD", range="bytes=0-0")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-length"] == str(len(BODY))
    assert reply.headers["etag"] == ETAG


@pytest.mark.parametrize(
    ("validator", "status"),
    [(ETAG, 206), ('"something else"', 200), (f"W/{ETAG}", 200), ("Sat, 21 Nov 2026 00:00:00 GMT", 200)],
)
def test_if_range_sends_the_part_only_of_the_same_content(site: Site, validator: str, status: int) -> None:
    reply = site.ask(PATH, range="bytes=10-19", if_range=validator)
    assert reply.status == status
    assert reply.body == (BODY[10:20] if status == 206 else BODY)


@pytest.mark.parametrize("tags", [ETAG, f"W/{ETAG}", f'"other", {ETAG}', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_none_match_with_our_tag_is_304_even_with_a_range(site: Site, method: str, tags: str) -> None:
    reply = site.ask(PATH, method, if_none_match=tags, range="bytes=0-9")
    assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", ETAG)


def test_if_none_match_with_another_tag_sends_the_file(site: Site) -> None:
    assert site.ask(PATH, if_none_match='"other", "tags"').body == BODY


@given(st.lists(st.sampled_from(['"abc"', 'W/"abc"', '"abc-gzip"', '"x"']), min_size=1, max_size=4))
def test_a_tag_in_a_list_matches_weakly_and_in_if_range_alone_and_strongly(tags: list[str]) -> None:
    header = ", ".join(tags)
    assert is_unchanged(header, '"abc"') == bool({'"abc"', 'W/"abc"'} & set(tags))
    assert range_applies(header, '"abc"') == (tags == ['"abc"'])


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("GZIP", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("identity", False),
        ("gzipx", False),
        ("br;q=1.0, *;q=0.1", True),
        ("x-gzip", True),
    ],
)
def test_gzip_is_sent_to_those_who_take_it(header: str | None, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted
