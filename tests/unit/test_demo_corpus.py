"""The demo model's corpus on disk: read as written, and damaged files told in one clear line."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shard_tools.demo.corpus import AUDIO, INFO, PHRASES, Corpus, Phrase, read_info, read_phrases
from voxtab.errors import VoxtabError

ONE = Phrase(
    voice="flite/slt",
    split="train",
    offset=0,
    samples=1000,
    words=("turn", "tiger"),
    known=(True, False),
    starts=(0, 500),
    ends=(400, 900),
    phones=(("t", "er1", "n"), ("t", "ay1", "g", "er0")),
)
TWO = replace(ONE, split="test", offset=1000, samples=950)
DONE: dict[str, Any] = {"format": "voxtab-demo-corpus", "version": 1, "seed": 1, "finished": True}


def write(folder: Path, info: dict[str, Any] | None = None, phrases: list[Phrase] | None = None) -> Path:
    np.arange(1950, dtype="<i2").tofile(folder / AUDIO)
    lines = [phrase.to_json() + "\n" for phrase in ([ONE, TWO] if phrases is None else phrases)]
    (folder / PHRASES).write_text("".join(lines), "utf-8")
    (folder / INFO).write_text(json.dumps(DONE if info is None else info), "utf-8")
    return folder


def refused(folder: Path) -> VoxtabError:
    with pytest.raises(VoxtabError) as caught:
        Corpus.open(folder)
    return caught.value


def test_a_corpus_is_read_as_it_was_written(tmp_path: Path) -> None:
    corpus = Corpus.open(write(tmp_path))
    assert corpus.phrases == [ONE, TWO]
    assert corpus.info == DONE
    assert corpus.samples(TWO).tolist() == list(range(1000, 1950))
    assert corpus.samples(ONE).dtype == np.int16
    assert corpus.split("test") == [TWO]


def test_the_sound_is_mapped_not_loaded(tmp_path: Path) -> None:
    samples = Corpus.open(write(tmp_path)).samples(ONE)
    assert not samples.flags.owndata
    assert not samples.flags.writeable


@pytest.mark.parametrize("info", [None, DONE | {"finished": False}])
def test_an_unfinished_corpus_is_none(tmp_path: Path, info: dict[str, Any] | None) -> None:
    write(tmp_path, info)
    if info is None:
        (tmp_path / INFO).unlink()
    assert read_info(tmp_path) is None
    error = refused(tmp_path)
    assert error.code == "corpus-missing"
    assert "demo-asr data" in error.hint


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"format": "voxtab-shards"}, "not that of a corpus"),
        (DONE | {"version": 2}, "version 2"),
        ([1], "not that of a corpus"),
    ],
)
def test_another_corpus_json_is_refused(tmp_path: Path, info: Any, message: str) -> None:
    write(tmp_path, info)
    error = refused(tmp_path)
    assert error.code == "corpus-invalid"
    assert message in error.message


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_corpus_json_that_is_no_json_is_refused(tmp_path: Path, text: bytes) -> None:
    (write(tmp_path) / INFO).write_bytes(text)
    assert refused(tmp_path).code == "corpus-invalid"


@pytest.mark.parametrize("size", [0, 2 * 1949, 2 * 1950 - 1, 2 * 1951])
def test_sound_of_another_length_is_refused(tmp_path: Path, size: int) -> None:
    (write(tmp_path) / AUDIO).write_bytes(bytes(size))
    error = refused(tmp_path)
    assert error.code == "corpus-invalid"
    assert AUDIO in error.message


@pytest.mark.parametrize("name", [AUDIO, PHRASES])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (write(tmp_path) / name).unlink()
    error = refused(tmp_path)
    assert error.code == "corpus-invalid"
    assert name in error.message


@pytest.mark.parametrize(
    "change",
    [
        {"samples": -1},
        {"offset": 1.5},
        {"samples": True},
        {"words": []},
        {"words": ["turn"]},
        {"words": ["turn", 3]},
        {"known": [1, 0]},
        {"starts": [500, 0]},
        {"starts": [0, 300]},
        {"ends": [400, 1001]},
        {"split": "holiday"},
        {"voice": None},
        {"phones": [["t"], [1]]},
        {"phones": None},
    ],
)
def test_a_line_that_is_no_phrase_is_told_by_its_number(tmp_path: Path, change: dict[str, Any]) -> None:
    row = json.loads(TWO.to_json()) | change
    (write(tmp_path) / PHRASES).write_text(ONE.to_json() + "\n" + json.dumps(row) + "\n", "utf-8")
    error = refused(tmp_path)
    assert error.code == "corpus-invalid"
    assert "line 2" in error.message


@pytest.mark.parametrize("line", ["{", "[]", "3", "null", '{"voice":1}', "[" * 50_000])
def test_a_line_that_is_no_object_is_told(tmp_path: Path, line: str) -> None:
    (write(tmp_path) / PHRASES).write_text(line + "\n", "utf-8")
    assert "line 1" in refused(tmp_path).message


def test_sound_beyond_the_end_is_refused(tmp_path: Path) -> None:
    write(tmp_path, phrases=[ONE, replace(TWO, offset=1001)])
    assert "beyond the end" in refused(tmp_path).message


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 200), st.binary(min_size=1, max_size=4))
def test_any_changed_line_is_read_or_refused_but_never_crashes(
    tmp_path: Path, position: int, damage: bytes
) -> None:
    line = bytearray(ONE.to_json().encode())
    line[position : position + len(damage)] = damage
    path = tmp_path / PHRASES
    path.write_bytes(bytes(line))
    outcome = "read"
    try:
        for phrase in read_phrases(path):
            assert len(phrase.words) == len(phrase.starts) == len(phrase.ends) > 0
    except VoxtabError as error:
        outcome = error.code
    assert outcome in ("read", "corpus-invalid")
