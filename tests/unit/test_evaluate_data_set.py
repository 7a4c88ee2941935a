"""What `voxtab-shards eval` takes as recordings and texts."""

from __future__ import annotations

import csv
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shard_tools.evaluate.data_set import find_items
from shard_tools.evaluate.data_table import read_table
from shard_tools.evaluate.items import Item
from voxtab.errors import VoxtabError


def lay(folder: Path, *files: str) -> None:
    """Files of these names, with nothing that matters in them."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"sound")


def found(items: list[Item]) -> list[tuple[object, str, str, str]]:
    return [(item.audio, item.text, item.group, item.name) for item in items]


def refused(code: str, data: Path, audio: Path | None = None, text_column: str | None = None) -> str:
    with pytest.raises(VoxtabError) as caught:
        find_items(data, audio, text_column)
    assert caught.value.code == code
    assert caught.value.hint
    return str(caught.value)


def test_a_tsv_goes_by_its_header_in_any_order_and_case(tmp_path: Path) -> None:
    lay(tmp_path, "one.wav", "sub/two.flac")
    table = tmp_path / "list.tsv"
    table.write_text(
        '\ufeffText\tlength\tPath\tVoice\r\nsay "one"\t3\tone.wav\tslt\r\n\r\n\t4\tsub/two.flac\tked\r\n'
    )
    assert found(find_items(table)) == [
        (tmp_path / "one.wav", 'say "one"', "slt", "one.wav"),
        (tmp_path / "sub/two.flac", "", "ked", "sub/two.flac"),
    ]
    assert len(find_items(tmp_path)) == 2  # the only table of a folder


@pytest.mark.parametrize("where", ["audio/test", "test", "audio", "."])
def test_a_fleurs_table_is_read_as_it_comes(tmp_path: Path, where: str) -> None:
    lay(tmp_path, f"{where}/100.wav", f"{where}/200.wav")
    (tmp_path / "test.tsv").write_text(
        "1\t100.wav\tHe said: \"Hi\u2028, it's 21.\"\the said hi it's 21\th e |\t32000\tMALE\n"
        "1\t200.wav\tGone.\tgone\tg o n e |\t16000\tFEMALE\n"
    )
    assert found(find_items(tmp_path / "test.tsv")) == [
        (tmp_path / where / "100.wav", "he said hi it's 21", "MALE", "100.wav"),
        (tmp_path / where / "200.wav", "gone", "FEMALE", "200.wav"),
    ]
    raw = find_items(tmp_path / "test.tsv", text_column="raw_transcription")
    assert [item.text for item in raw] == ['He said: "Hi\u2028, it\'s 21."', "Gone."]


def test_two_columns_need_no_header(tmp_path: Path) -> None:
    lay(tmp_path, "a.wav", "b.wav")
    (tmp_path / "list.tsv").write_text("a.wav\ttext\nb.wav\tpath\n")
    assert [item.text for item in find_items(tmp_path / "list.tsv")] == ["text", "path"]


def test_an_audiofolder_goes_by_its_metadata(tmp_path: Path) -> None:
    lay(tmp_path, "data/a.wav", "data/b.wav", "data/unlisted.wav", "unused.tsv")
    with (tmp_path / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("file_name", "transcription"), ("data/a.wav", 'one, "two"\nthree'), ("data/b.wav", "four")]
        )
    assert [item.text for item in find_items(tmp_path)] == ['one, "two"\nthree', "four"]
    (tmp_path / "metadata.csv").rename(tmp_path / "metadata.old")
    lines = [
        {"file_name": "data/a.wav", "text": "one", "speaker": "x", "length": 1},
        {"text": "", "file_name": "data/b.wav"},
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    assert [(item.text, item.group) for item in find_items(tmp_path)] == [("one", "x"), ("", "")]


def test_librispeech_gives_texts_and_speakers(tmp_path: Path) -> None:
    lay(tmp_path, "84/121/84-121-0000.flac", "84/121/84-121-0001.flac", "99/5/99-5-0000.wav")
    (tmp_path / "84/121/84-121.trans.txt").write_text("84-121-0000 GO DO YOU HEAR\n84-121-0001 BUT\n")
    (tmp_path / "99/5/99-5.trans.txt").write_text("99-5-0000 YES\n")
    assert found(find_items(tmp_path)) == [
        (tmp_path / "84/121/84-121-0000.flac", "GO DO YOU HEAR", "84", "84/121/84-121-0000.flac"),
        (tmp_path / "84/121/84-121-0001.flac", "BUT", "84", "84/121/84-121-0001.flac"),
        (tmp_path / "99/5/99-5-0000.wav", "YES", "99", "99/5/99-5-0000.wav"),
    ]


def test_texts_may_lie_beside_the_recordings(tmp_path: Path) -> None:
    lay(tmp_path, "b.wav", "a.FLAC", "slt/c.mp3", "._b.wav", ".trash/d.wav", "README.txt")
    for name, text in (("a", "one\ntwo\n"), ("b", ""), ("slt/c", "three")):
        (tmp_path / f"{name}.txt").write_text(text)
    assert found(find_items(tmp_path)) == [
        (tmp_path / "a.FLAC", "one\ntwo", "", "a.FLAC"),
        (tmp_path / "b.wav", "", "", "b.wav"),
        (tmp_path / "slt/c.mp3", "three", "slt", "slt/c.mp3"),
    ]


def test_recordings_elsewhere_need_their_folder_named(tmp_path: Path) -> None:
    lay(tmp_path, "sound/a.wav", "lists/unused.wav")
    for name in (
        "../sound/a.wav",
        str(tmp_path / "sound/a.wav"),
        "x/../../sound/a.wav",
        "..",
        "/",
        "",
        "a\0.wav",
    ):
        (tmp_path / "lists/list.tsv").write_text(f"path\ttext\n{name}\tone\n")
        assert "--audio" in refused("dataset-invalid", tmp_path / "lists/list.tsv")
    for name in ("a.wav", str(tmp_path / "sound/a.wav")):
        (tmp_path / "lists/list.tsv").write_text(f"path\ttext\n{name}\tone\n")
        items = find_items(tmp_path / "lists/list.tsv", audio=tmp_path / "sound")
        assert [item.audio for item in items] == [tmp_path / "sound/a.wav"]


def test_a_missing_recording_is_left_to_the_run_but_not_when_all_are(tmp_path: Path) -> None:
    (tmp_path / "list.tsv").write_text("path\ttext\na.wav\tone\nb.wav\ttwo\n")
    assert "None of the 2 recordings" in refused("audio-missing", tmp_path / "list.tsv")
    lay(tmp_path, "b.wav")
    first, second = find_items(tmp_path / "list.tsv")
    assert (first.audio, second.audio) == (tmp_path / "a.wav", tmp_path / "b.wav")
    with pytest.raises(VoxtabError) as caught:
        first.samples()
    assert caught.value.code == "audio-missing"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("list.tsv", "", "no rows"),
        ("list.tsv", "path\ttext\n", "no rows"),
        ("list.tsv", "one\ttwo\n1\t2\n", "no line with column names"),
        ("list.tsv", "path\tlength\na.wav\t1\n", "no column with the texts"),
        ("list.tsv", "text\tlength\none\t1\n", "no column with the recordings"),
        ("list.tsv", "path\ttext\na.wav\tone\textra\n", "line 2 has 3 columns and not 2"),
        ("list.tsv", "path\ttext\ttext\na.wav\tone\ttwo\n", "two columns 'text'"),
        ("list.csv", 'path,text\na.wav,"one\n', "line 2"),
        ("list.jsonl", '{"path": "a.wav", "text": "one"}\n[]\n', "line 2 is no JSON object"),
        (
            "list.jsonl",
            '{"path": "a.wav", "text": "one"}\n{"path": "a.wav", "text": null}\n',
            "line 2 has no 'text'",
        ),
        ("list.jsonl", "[" * 100_000, "line 1 is no JSON object"),
    ],
)
def test_a_table_that_is_wrong_says_where(tmp_path: Path, name: str, content: str, says: str) -> None:
    lay(tmp_path, "a.wav")
    (tmp_path / name).write_text(content)
    assert says in refused("dataset-invalid", tmp_path / name)


def test_other_faults_are_named_too(tmp_path: Path) -> None:
    assert "does not exist" in refused("dataset-missing", tmp_path / "absent.tsv")
    assert "no recordings" in refused("dataset-missing", tmp_path)
    lay(tmp_path, "a.wav", "b.wav")
    assert "2 of 2 recordings" in refused("dataset-invalid", tmp_path)
    (tmp_path / "a.txt").write_text("one")
    assert "1 of 2 recordings" in refused("dataset-invalid", tmp_path)
    assert "is a recording" in refused("dataset-invalid", tmp_path / "a.wav")
    assert "no table" in refused("option-invalid", tmp_path, audio=tmp_path)
    assert "is no folder" in refused("option-invalid", tmp_path, audio=tmp_path / "a.wav")
    (tmp_path / "a.tsv").write_bytes(b"path\ttext\na.wav\t\xff\n")
    assert "not UTF-8" in refused("dataset-invalid", tmp_path / "a.tsv")
    (tmp_path / "a.tsv").write_text("path\ttext\na.wav\tone\n")
    assert "Its columns are path, text" in refused("option-invalid", tmp_path / "a.tsv", text_column="word")
    lay(tmp_path, "b.tsv")
    (tmp_path / "a.txt").unlink()
    assert "a.tsv, b.tsv" in refused("dataset-invalid", tmp_path)
    (tmp_path / "x.trans.txt").write_text("../a ONE\n")
    assert "line 1" in refused("dataset-invalid", tmp_path)
    (tmp_path / "x.trans.txt").write_text("\n")
    assert "is empty" in refused("dataset-invalid", tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(VoxtabError) as caught:
        Item(tmp_path / "a.wav", "").samples()
    assert caught.value.code == "audio-missing"


def test_a_flac_that_claims_to_be_endless_is_one_bad_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros(100, np.float32), 16000)
    data = bytearray((tmp_path / "a.flac").read_bytes())
    data[21] |= 0x0F  # the 36 bits of STREAMINFO's number of samples
    data[22:26] = b"\xff" * 4
    (tmp_path / "a.flac").write_bytes(data)
    with pytest.raises(VoxtabError) as caught:
        Item(tmp_path / "a.flac", "").samples()
    assert caught.value.code == "audio-undecodable"


@pytest.mark.parametrize(
    ("samples", "code"),
    [
        (np.zeros((2, 100), np.float32), "audio-undecodable"),
        (np.zeros(100, np.int16), "audio-undecodable"),
        (np.zeros(0, np.float32), "audio-empty"),
    ],
)
def test_samples_of_another_kind_are_refused(samples: npt.NDArray[Any], code: str) -> None:
    with pytest.raises(VoxtabError) as caught:
        Item(samples, "").samples()
    assert caught.value.code == code


CELLS = st.text(st.characters(exclude_characters="\t\r\n", exclude_categories=["Cs"]), max_size=12).map(
    str.strip
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6))
def test_whatever_a_tsv_or_csv_cell_holds_is_read_back(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    with (tmp_path / "a.tsv").open("w", newline="", encoding="utf-8") as file:
        file.write("path\ttext\n" + "".join(f"x{name}\t{text}\n" for name, text in rows))
    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "text"), *((f"x{name}", text) for name, text in rows)])
    for table in ("a.tsv", "a.csv"):
        assert [(row.recording, row.text) for row in read_table(tmp_path / table)] == [
            (f"x{name}", text) for name, text in rows
        ]


HOSTILE = st.binary(max_size=80) | st.lists(
    st.sampled_from(
        [*(b"path", b"text", b"\t", b"\n", b"\r", b",", b'"', b"a.wav", b"../a.wav", b"/etc/passwd", b"\0", b"\xff"),
         *(b'{"path": "a.wav", "text": "\\ud800"}', b"{", b"[", b"1", "\u2028".encode(), b" ")]
    ),
    max_size=20,
).map(b"".join)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(content=HOSTILE, suffix=st.sampled_from(["tsv", "csv", "jsonl"]))
def test_any_table_gives_items_inside_its_folder_or_a_voxtab_error(
    tmp_path: Path, content: bytes, suffix: str
) -> None:
    lay(tmp_path, "set/a.wav", "a.wav")
    table = tmp_path / "set" / f"list.{suffix}"
    table.write_bytes(content)
    with suppress(VoxtabError):
        items = find_items(table)
        assert items
        assert all(isinstance(item.audio, Path) and table.parent in item.audio.parents for item in items)
    table.unlink()
