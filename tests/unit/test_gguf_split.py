"""Split GGUFs, as gguf-py splits them, make the same model as the file in one piece."""

from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from voxtab.formats.gguf import Gguf, GgufError, parse_gguf
from voxtab.formats.gguf_split import merge_splits, split_file_names


def write(
    folder: Path, *, tensors: int = 7, small_first: bool = False, per_part: int = 0, first: float = 0
) -> list[Path]:
    """One file, or parts of `per_part` tensors each, in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(
        folder / "model.gguf", "voxtral_realtime", split_max_tensors=per_part, small_first_shard=small_first
    )
    writer.add_uint32("voxtral.decoder.dim", 64)
    writer.add_array("voxtral.tensor_name.src", ["a", "b"])
    for index in range(tensors):
        writer.add_tensor(
            f"dec.blk.{index}.attn_q.weight", np.full((3, 5 + index), index + first, np.float32)
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sorted(folder.glob("*.gguf"))


def parse(paths: list[Path]) -> list[Gguf]:
    return [parse_gguf(path.read_bytes(), path.stat().st_size) for path in paths]


def without(part: Gguf, key: str) -> Gguf:
    return replace(part, metadata={name: value for name, value in part.metadata.items() if name != key})


def changed(part: Gguf, key: str, value: object) -> Gguf:
    return replace(part, metadata={**part.metadata, key: value})


@pytest.fixture
def parts(tmp_path: Path) -> list[Gguf]:
    """Parts of 2, 2, 2 and 1 tensors."""
    return parse(write(tmp_path / "parts", per_part=2))


@pytest.mark.parametrize("small_first", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_the_parts_hold_what_the_whole_file_holds(tmp_path: Path, small_first: bool, backwards: bool) -> None:
    (whole_path,) = write(tmp_path / "whole")
    whole = merge_splits(parse([whole_path]))
    paths = write(tmp_path / "parts", per_part=2, small_first=small_first)
    assert len(paths) == 5 if small_first else 4
    if backwards:
        paths.reverse()
    merged = merge_splits(parse(paths))
    assert {name: merged.metadata[name] for name in whole.metadata} == whole.metadata
    assert list(merged.tensors) == list(whole.tensors)
    for name, (index, tensor) in merged.tensors.items():
        _, expected = whole.tensors[name]
        assert (tensor.type, tensor.shape) == (expected.type, expected.shape)
        data = paths[index].read_bytes()[tensor.offset : tensor.offset + tensor.nbytes]
        assert data == whole_path.read_bytes()[expected.offset : expected.offset + expected.nbytes]


def test_a_file_that_was_never_split_is_its_own_only_part(tmp_path: Path) -> None:
    (file,) = parse(write(tmp_path))
    merged = merge_splits([file])
    assert merged.metadata == file.metadata
    assert merged.tensors == {name: (0, tensor) for name, tensor in file.tensors.items()}


def refused(files: list[Gguf]) -> str:
    with pytest.raises(GgufError) as caught:
        merge_splits(files)
    assert caught.value.code == "gguf-invalid"
    assert caught.value.hint
    return caught.value.message


def test_a_missing_part_is_told_with_the_number_of_parts(parts: list[Gguf]) -> None:
    assert refused(parts[:3]) == "The GGUF has 4 parts, but 3 are there."
    assert refused(parts[:1]) == "The GGUF has 4 parts, but 1 are there."
    assert refused([]) == "No part of the GGUF is there."


def test_a_part_given_twice_is_refused(parts: list[Gguf]) -> None:
    assert refused([*parts[:3], parts[1]]) == "Part 2 of 4 is there twice."


def test_a_tensor_in_two_parts_is_refused(parts: list[Gguf]) -> None:
    parts[3] = replace(parts[3], tensors=dict(list(parts[0].tensors.items())[:1]))
    assert refused(parts) == "The tensor 'dec.blk.0.attn_q.weight' is in two parts."


def test_a_lost_tensor_is_noticed(parts: list[Gguf]) -> None:
    parts[3] = replace(parts[3], tensors={})
    assert refused(parts) == "The parts hold 6 tensors, but one says that they hold 7."


def test_a_part_of_a_model_split_otherwise_is_refused(parts: list[Gguf], tmp_path: Path) -> None:
    others = parse(write(tmp_path / "others", per_part=2, tensors=8))
    assert len(others) == len(parts)
    refused([*parts[:3], others[3]])


@pytest.mark.parametrize("value", [-1, 4, 2**16, True, "0", 0.0, [0], None])
def test_a_part_number_that_is_none_is_refused(parts: list[Gguf], value: object) -> None:
    refused([changed(parts[0], "split.no", value), *parts[1:]])


@pytest.mark.parametrize("key", ["split.no", "split.count", "split.tensors.count"])
def test_a_part_without_its_keys_is_refused(parts: list[Gguf], key: str) -> None:
    refused([parts[0], without(parts[1], key), *parts[2:]])


@pytest.mark.parametrize("count", [0, 1, 3, 5, -4, 65535, "4"])
def test_a_count_that_is_not_the_number_of_parts_is_refused(parts: list[Gguf], count: object) -> None:
    refused([*parts[:2], changed(parts[2], "split.count", count), parts[3]])


def test_the_name_of_one_part_gives_the_names_of_all(tmp_path: Path) -> None:
    written = [path.name for path in write(tmp_path, per_part=2)]
    for name in written:
        assert split_file_names(name) == written


@pytest.mark.parametrize(
    "name",
    [
        "model.gguf",
        "model-00001-of-00002.ggu",
        "model-00003-of-00002.gguf",
        "model-00000-of-00002.gguf",
        "model-1-of-2.gguf",
        "model-00001-of-99999.gguf",
        "-00001-of-00002.gguf",
        "model-\u0661\u0661\u0661\u0661\u0661-of-\u0661\u0661\u0661\u0661\u0661.gguf",
        "",
    ],
)
def test_other_names_are_no_part(name: str) -> None:
    assert split_file_names(name) is None
