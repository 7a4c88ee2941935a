"""GGUF files split by llama.cpp's gguf-split: NAME-00001-of-00003.gguf and so on, each a GGUF of its own.

Every part has `split.no` (from 0), `split.count` and `split.tensors.count` (of all parts); the rest of the
metadata is in part 0 only. A single file without these keys is a split of one, so that loaders need no second
path.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from voxtab.formats.gguf import Gguf, GgufError, GgufTensor

__all__ = ["MergedGguf", "merge_splits", "split_file_names"]

MAX_PARTS: Final = 1000

_NAME = re.compile(r"(.+)-([0-9]{5})-of-([0-9]{5})\.gguf", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MergedGguf:
    metadata: dict[str, Any]  # of part 0
    tensors: dict[
        str, tuple[int, GgufTensor]
    ]  # name: (index into the files given, tensor); in order of the parts


def split_file_names(name: str) -> list[str] | None:
    """The names of all parts, in order, given the file name of one; None if it is not a part's name."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    prefix, number, count = match[1], int(match[2]), int(match[3])
    if not 1 <= number <= count <= MAX_PARTS:
        return None
    return [f"{prefix}-{part:05d}-of-{count:05d}.gguf" for part in range(1, count + 1)]


def merge_splits(files: Sequence[Gguf]) -> MergedGguf:
    """One model of all its parts, given in any order. Raises GgufError when they are not exactly that."""
    if not files:
        raise _invalid("No part of the GGUF is there.")
    if len(files) == 1 and "split.count" not in files[0].metadata:
        return MergedGguf(files[0].metadata, {name: (0, tensor) for name, tensor in files[0].tensors.items()})
    order = _order(files)
    tensors: dict[str, tuple[int, GgufTensor]] = {}
    for index in order:
        for name, tensor in files[index].tensors.items():
            if name in tensors:
                raise _invalid(f"The tensor {name!r} is in two parts.")
            tensors[name] = (index, tensor)
    for file in files:
        total = _integer(file, "split.tensors.count")
        if total != len(tensors):
            raise _invalid(f"The parts hold {len(tensors)} tensors, but one says that they hold {total}.")
    return MergedGguf(files[order[0]].metadata, tensors)


def _order(files: Sequence[Gguf]) -> list[int]:
    """Indices into `files` in the order of their split.no."""
    place: dict[int, int] = {}
    for index, file in enumerate(files):
        count, number = _integer(file, "split.count"), _integer(file, "split.no")
        if count != len(files):
            raise _invalid(f"The GGUF has {count} parts, but {len(files)} are there.")
        if not 0 <= number < count:
            raise _invalid(f"A part has the number {number}, but there are {count} parts, counted from 0.")
        if number in place:
            raise _invalid(f"Part {number + 1} of {count} is there twice.")
        place[number] = index
    return [place[number] for number in range(len(files))]


def _integer(file: Gguf, key: str) -> int:
    value = file.metadata.get(key)
    if type(value) is not int:
        raise _invalid(f"A part has no number under {key!r}.")
    return value


def _invalid(message: str) -> GgufError:
    return GgufError(
        "gguf-invalid", message, "Load all the -0000N-of-0000M.gguf files of one model together."
    )
