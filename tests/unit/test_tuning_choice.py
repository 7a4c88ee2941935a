"""A kept choice of tiles is taken only where this device could have made it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from voxtab.cli.tuning_file import TuningFolder
from voxtab.gpu.base import AdapterInfo
from voxtab.kernels import key, source
from voxtab.kernels.tiles import CANDIDATES, GPU, SOFTWARE, Tile, Tiles, suitable
from voxtab.tuning.choice import choice_name, from_text, to_text

INFO = AdapterInfo(
    "a GPU", False, 1 << 27, 1 << 28, 65535, frozenset({"subgroups"}), "Vulkan | a GPU | driver 1"
)
CHOSEN = Tiles(Tile("matvec", 32, 8, by="subgroups", norms=True), GPU.few, Tile("matmat_shared", 128, 8, 4))


def altered(**fields: Any) -> str:
    return json.dumps(json.loads(to_text(CHOSEN, INFO)) | fields)


def test_a_choice_comes_back_as_it_was_made() -> None:
    assert from_text(to_text(CHOSEN, INFO), INFO) == CHOSEN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[" * 100_000,
        to_text(CHOSEN, INFO)[:-20],
        to_text(CHOSEN, INFO) + " " * (1 << 16),
        altered(format="something else"),
        altered(version=2),
        altered(engine="0.0.1"),
        altered(adapter="Vulkan | a GPU | driver 2"),
        altered(one=None),
        altered(few={}),
        altered(few=[]),
        altered(one=asdict(Tile("matvec", 4096, 8))),
        altered(one=asdict(CHOSEN.many)),
        altered(one={"kernel": "matvec", "threads": 32, "rows": 8, "columns": [1], "by": ""}),
        altered(one=asdict(CHOSEN.one) | {"more": 1}),
        altered(one=asdict(CHOSEN.one) | {"rows": 8.0000001}),
        altered(
            many=asdict(Tile("matmat_subgroup", 32, 64, 32, by="f32 8x8x8"))
        ),  # a feature that is not there
        altered(many=asdict(Tile("matmat_subgroup", 32, 64, 32, by="f32 1x1x1"))),
    ],
)
def test_what_is_damaged_or_foreign_is_left_alone(text: str) -> None:
    assert from_text(text, INFO) is None


def test_a_choice_names_kernels_as_they_are_named() -> None:
    found = from_text(altered(one=asdict(CHOSEN.one) | {"rows": 8.0}), INFO)
    assert found is not None
    assert found.one.parameters == CHOSEN.one.parameters
    assert "rows=8," in key("matvec", **found.one.parameters)


def test_a_gpu_s_choice_is_none_of_a_cpu_adapter_s() -> None:
    software = replace(INFO, software=True, features=INFO.features | {"float32-filterable"})
    assert from_text(to_text(CHOSEN, software), software) is None
    assert from_text(to_text(SOFTWARE, software), software) == SOFTWARE


def test_a_cpu_adapter_that_samples_no_floats_has_the_tiles_for_buffers() -> None:
    software = replace(INFO, software=True)
    assert from_text(to_text(SOFTWARE, software), software) is None
    assert from_text(to_text(GPU, software), software) == GPU


def test_every_device_has_a_name_of_its_own() -> None:
    sampling = frozenset({"float32-filterable"})
    infos = [INFO, replace(INFO, identity="another"), replace(INFO, software=True, features=sampling)]
    names = {choice_name(info) for info in infos}
    assert len(names) == 3
    assert all(name.removeprefix("tuning-").removesuffix(".json").isalnum() for name in names)


def test_candidates_need_what_their_kernels_enable() -> None:
    asked = {"subgroups": "enable subgroups;", "shader-f16": "enable f16;"}
    asked["chromium-experimental-subgroup-matrix"] = "enable chromium_experimental_subgroup_matrix;"
    for group in CANDIDATES.values():
        for tile in (*group.one, *group.many, *(tile for few in group.few for tile in few)):
            code = source(tile.kernel, weight="q4_0", storage="buffer", **tile.parameters)
            sizes = {each for each in tile.needs if each.startswith("chromium-experimental-subgroup-matrix ")}
            assert tile.needs - sizes == {name for name, directive in asked.items() if directive in code}
            assert len(sizes) == ("subgroup_matrix_left" in code)


def test_matrices_are_multiplied_in_the_sizes_that_the_device_has() -> None:
    """Named as gpu.js names them; left ones have a component, their columns, their rows."""
    has = frozenset(
        {"subgroups", "shader-f16", "chromium-experimental-subgroup-matrix"}
        | {
            f"chromium-experimental-subgroup-matrix {sort}"
            for sort in ("f16 8x16x16", "f16 16x8x8", "u8 8x8x8")
        }
    )
    found = [tile for tile in suitable(False, has).many if tile.kernel == "matmat_subgroup"]
    (code,) = (source(tile.kernel, weight="q4_0", storage="buffer", **tile.parameters) for tile in found)
    assert "subgroup_matrix_left<f16, 16, 8>" in code
    assert "subgroup_matrix_right<f16, 16, 16>" in code
    assert "subgroup_matrix_result<f32, 16, 8>" in code
    assert not any(tile.kernel == "matmat_subgroup" for tile in suitable(False, has - {"shader-f16"}).many)


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = TuningFolder(tmp_path / "file" / "voxtab")
    asyncio.run(store.write("name", "text"))
    assert asyncio.run(store.read("name")) is None
    (tmp_path / "bad").write_bytes(b"\xff\xfe")
    assert asyncio.run(TuningFolder(tmp_path).read("bad")) is None
    asyncio.run(TuningFolder(tmp_path / "new").write("name", "text"))
    assert asyncio.run(TuningFolder(tmp_path / "new").read("name")) == "text"
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["name"]
