"""manifest.json is believed only when all of it fits together."""

import contextlib
import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtab.formats.manifest import (
    CHUNK_BYTES,
    MAX_SHARD_BYTES,
    FileInfo,
    Manifest,
    ManifestError,
    ModelInfo,
    Shard,
    TokenizerInfo,
    parse_manifest,
)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def chunks(name: str, count: int) -> list[str]:
    return [sha256(f"{name} {index}") for index in range(count)]


FIRST, LAST = MAX_SHARD_BYTES, 20_000_000  # 64 chunks, and 3 of which the last is short

GOOD: dict[str, Any] = {
    "format": "voxtab-shards",
    "version": 1,
    "model": {
        "name": "Voxtral Mini 4B Realtime",
        "task": "speech-to-text",
        "architecture": "voxtral_realtime",
        "licence": "Apache-2.0",
        "source": "mistralai/Voxtral-Mini-4B-Realtime-2602",
        "description": "Thirteen languages, as they are spoken.",
    },
    "file": {"name": "voxtral-q4_0.gguf", "bytes": FIRST + LAST, "sha256": sha256("file")},
    "chunk_bytes": CHUNK_BYTES,
    "shards": [
        {"name": "shard-aa", "bytes": FIRST, "sha256": sha256("aa"), "chunks": chunks("aa", 64)},
        {"name": "shard-ab", "bytes": LAST, "sha256": sha256("ab"), "chunks": chunks("ab", 3)},
    ],
    "tokenizer": {"kind": "tekken", "vocab_size": 131072, "embedded": True},
}


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    """GOOD with one value replaced."""
    manifest = copy.deepcopy(GOOD)
    place: Any = manifest
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return manifest


def removed(*path: str | int) -> dict[str, Any]:
    manifest = copy.deepcopy(GOOD)
    place: Any = manifest
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return manifest


def refused(text: str | bytes) -> str:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(text)
    assert caught.value.code == "manifest-invalid"
    assert "voxtab-shards" in caught.value.hint
    return caught.value.message


def test_a_good_manifest_is_read_field_by_field() -> None:
    assert parse_manifest(json.dumps(GOOD)) == Manifest(
        model=ModelInfo(**GOOD["model"]),
        file=FileInfo(**GOOD["file"]),
        chunk_bytes=8388608,
        shards=tuple(Shard(**{**shard, "chunks": tuple(shard["chunks"])}) for shard in GOOD["shards"]),
        tokenizer=TokenizerInfo("tekken", 131072, True),
    )


def test_what_is_written_is_the_schema_and_is_read_back() -> None:
    manifest = parse_manifest(json.dumps(GOOD))
    assert json.loads(manifest.to_json()) == GOOD
    assert list(json.loads(manifest.to_json())) == list(GOOD)
    assert parse_manifest(manifest.to_json().encode()) == manifest


def test_a_manifest_against_the_schema_is_not_written() -> None:
    good = parse_manifest(json.dumps(GOOD))
    bad = Manifest(good.model, good.file, good.chunk_bytes, good.shards[:1], good.tokenizer)
    with pytest.raises(ManifestError):
        bad.to_json()


@pytest.mark.parametrize("path", [("model", "source"), ("model", "description"), ("tokenizer",)])
def test_what_may_be_absent_may_be_null_too(path: tuple[str, ...]) -> None:
    assert parse_manifest(json.dumps(removed(*path))) == parse_manifest(json.dumps(changed(*path, to=None)))


def test_keys_of_later_schemas_are_ignored() -> None:
    assert parse_manifest(json.dumps(changed("signature", to={"by": 1}))) == parse_manifest(json.dumps(GOOD))


BAD: dict[str, dict[str, Any]] = {
    "format": changed("format", to="shards"),
    "no format": removed("format"),
    "later version": changed("version", to=2),
    "version 0": changed("version", to=0),
    "version true": changed("version", to=True),
    "version 1.0": changed("version", to=1.0),
    "no model": removed("model"),
    "model a list": changed("model", to=[]),
    "no name": removed("model", "name"),
    "empty name": changed("model", "name", to=""),
    "long name": changed("model", "name", to="n" * 201),
    "name with a line break": changed("model", "name", to="a\nb"),
    "name that turns the text around": changed("model", "name", to="a\u202eb"),
    "name with half a character": changed("model", "name", to="\ud800"),
    "unknown task": changed("model", "task", to="translation"),
    "no licence": removed("model", "licence"),
    "source a number": changed("model", "source", to=1),
    "no file": removed("file"),
    "file name with a folder": changed("file", "name", to="../model.gguf"),
    "file name with a backslash": changed("file", "name", to="..\\model.gguf"),
    "file name with a drive": changed("file", "name", to="C:model.gguf"),
    "hidden file name": changed("file", "name", to=".bashrc"),
    "file name with NUL": changed("file", "name", to="a\0b"),
    "file of other bytes": changed("file", "bytes", to=FIRST + LAST + 1),
    "file bytes a string": changed("file", "bytes", to=str(FIRST + LAST)),
    "file bytes beyond JavaScript": changed("file", "bytes", to=2**53 + 2),
    "negative file bytes": changed("file", "bytes", to=-1),
    "file hash in capitals": changed("file", "sha256", to=sha256("file").upper()),
    "file hash with a line break": changed("file", "sha256", to=sha256("file") + "\n"),
    "file hash cut": changed("file", "sha256", to=sha256("file")[:-1]),
    "file hash missing": removed("file", "sha256"),
    "chunk bytes 0": changed("chunk_bytes", to=0),
    "chunk bytes missing": removed("chunk_bytes"),
    "chunks too large to hold": changed("chunk_bytes", to=2**30),
    "other chunk bytes": changed("chunk_bytes", to=CHUNK_BYTES // 2),
    "no shards": changed("shards", to=[]),
    "shards an object": changed("shards", to={}),
    "shard a string": changed("shards", 0, to="shard-aa"),
    "shard name with a folder": changed("shards", 0, "name", to="../shard-aa"),
    "shard name in capitals": changed("shards", 0, "name", to="shard-AA"),
    "shard name of one letter": changed("shards", 0, "name", to="shard-a"),
    "shard name of five letters": changed("shards", 0, "name", to="shard-aaaaa"),
    "shard name with an ending": changed("shards", 0, "name", to="shard-aa.part"),
    "shard name with a line break": changed("shards", 0, "name", to="shard-aa\n"),
    "shards out of order": changed("shards", 0, "name", to="shard-ac"),
    "shards of one name": changed("shards", 1, "name", to="shard-aa"),
    "empty shard": changed("shards", 1, "bytes", to=0),
    "shard over 512 MiB": changed("shards", 0, "bytes", to=MAX_SHARD_BYTES + 1),
    "chunk missing": changed("shards", 1, "chunks", to=chunks("ab", 2)),
    "chunk too many": changed("shards", 1, "chunks", to=chunks("ab", 4)),
    "chunk hash a number": changed("shards", 1, "chunks", 1, to=7),
    "chunk hash not hexadecimal": changed("shards", 1, "chunks", 2, to="g" * 64),
    "chunks a string": changed("shards", 1, "chunks", to="abc"),
    "shard hash missing": removed("shards", 1, "sha256"),
    "unknown tokenizer": changed("tokenizer", "kind", to="sentencepiece"),
    "vocabulary of 0": changed("tokenizer", "vocab_size", to=0),
    "embedded a number": changed("tokenizer", "embedded", to=1),
}


@pytest.mark.parametrize("name", BAD)
def test_a_manifest_that_does_not_fit_the_schema_is_refused(name: str) -> None:
    assert refused(json.dumps(BAD[name])).startswith("manifest.json is not usable: ")


BAD_TEXTS: dict[str, str | bytes] = {
    "nothing": "",
    "a web page": "<!DOCTYPE html>",
    "an array": "[]",
    "null": "null",
    "cut short": json.dumps(GOOD)[:-1],
    "followed by something": json.dumps(GOOD) + "{}",
    "deep arrays": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "not UTF-8": b'{"format":"\xff"}',
    "half a surrogate pair": '{"format":"\ud800"}',
    "NaN": json.dumps(GOOD)[:-1] + ',"x":NaN}',
    "an endless number": '{"version":' + "1" * 100_000 + "}",
    "an infinite number": '{"version":1e999}',
    "a key twice": json.dumps(GOOD)[:-1] + ',"version":1}',
    "too long": json.dumps(GOOD) + " " * (4 << 20),
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_a_text_that_is_no_manifest_is_refused(name: str) -> None:
    refused(BAD_TEXTS[name])


def test_a_text_too_long_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", lambda *_args, **_options: pytest.fail("was parsed"))
    refused(b" " * ((4 << 20) + 1))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=70)
    | st.sampled_from([sha256("x"), ".."]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def paths_into(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    pairs = (
        value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    )
    return ([path] if path else []) + [
        deep for step, inner in pairs for deep in paths_into(inner, (*path, step))
    ]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(paths_into(GOOD)), JSON)
def test_any_value_anywhere_is_accepted_whole_or_refused(path: tuple[str | int, ...], value: Any) -> None:
    text = json.dumps(changed(*path, to=value))
    try:
        manifest = parse_manifest(text)
    except ManifestError:
        return
    assert parse_manifest(manifest.to_json()) == manifest


EDITS: list[Callable[[bytes, int, bytes], bytes]] = [
    lambda text, at, put: text[:at] + put + text[at + len(put) :],
    lambda text, at, put: text[:at] + put + text[at:],
    lambda text, at, put: text[:at] + text[at + len(put) :],
]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(EDITS), st.floats(0, 1), st.binary(min_size=1, max_size=8))
def test_a_manifest_with_bytes_changed_is_accepted_or_refused(
    edit: Callable[[bytes, int, bytes], bytes], place: float, put: bytes
) -> None:
    text = json.dumps(GOOD).encode()
    changed_text = edit(text, int(place * len(text)), put)
    with contextlib.suppress(ManifestError):
        parse_manifest(changed_text)
