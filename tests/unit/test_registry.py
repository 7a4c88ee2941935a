"""Which folders are models, what the list says of them, and what is wrong with the rest."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.registry import Catalogue, Model, scan
from tests.unit.server_site import write, write_shards


def only(catalogue: Catalogue) -> Model:
    """The one model found."""
    assert [problem.to_json() for problem in catalogue.problems] == []
    assert len(catalogue.models) == 1
    return catalogue.models[0]


def codes(catalogue: Catalogue) -> list[tuple[str, str]]:
    return [(problem.where, problem.error.code) for problem in catalogue.problems]


def test_a_manifest_set_is_listed_with_what_its_manifest_says(tmp_path: Path) -> None:
    write_shards(tmp_path / "words", b"0123456789", 3, name="Words & more")
    assert only(scan([tmp_path])).to_json() == {
        "id": "words",
        "name": "Words & more",
        "task": "speech-to-text",
        "kind": "manifest",
        "bytes": 10,
        "default": True,
        "licence": "Apache-2.0",
        "description": "For tests.",
        "manifest": "/models/words/manifest.json",
        "tokenizer": None,
        "files": [
            {"name": "shard-aa", "url": "/models/words/shard-aa", "bytes": 4},
            {"name": "shard-ab", "url": "/models/words/shard-ab", "bytes": 4},
            {"name": "shard-ac", "url": "/models/words/shard-ac", "bytes": 2},
        ],
    }


def test_a_set_whose_shard_is_gone_is_listed_so_that_the_tab_can_say_which(tmp_path: Path) -> None:
    write_shards(tmp_path / "words", b"0123456789", 3)
    (tmp_path / "words" / "shard-ab").unlink()
    model = only(scan([tmp_path]))
    assert [file.name for file in model.files] == ["shard-aa", "shard-ab", "shard-ac"]
    assert model.find("shard-ab") is None
    assert model.find("shard-ac") is not None


def test_shards_without_a_manifest_are_a_set_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("shard-ac", "shard-aa", "shard-ab"):
        write(tmp_path / "bare" / name, name)
    write(tmp_path / "bare" / "tekken.json", "{}")
    model = only(scan([tmp_path]))
    assert (model.kind, model.id, model.name, model.task) == ("shards", "bare", "bare", None)
    assert [file.name for file in model.files] == ["shard-aa", "shard-ab", "shard-ac"]
    assert model.to_json()["tokenizer"] == "/models/bare/tekken.json"
    assert model.to_json()["manifest"] is None


def test_shards_go_on_with_ba_after_az(tmp_path: Path) -> None:
    names = [f"shard-{first}{second}" for first in "ab" for second in "abcdefghijklmnopqrstuvwxyz"][:28]
    for name in names:
        write(tmp_path / name, "x")
    assert [file.name for file in only(scan([tmp_path])).files] == names


@pytest.mark.parametrize("gone", ["shard-aa", "shard-ab"])
def test_a_bare_set_with_a_hole_is_a_problem_naming_the_shard(tmp_path: Path, gone: str) -> None:
    for name in {"shard-aa", "shard-ab", "shard-ac"} - {gone}:
        write(tmp_path / "bare" / name, name)
    found = scan([tmp_path])
    assert (found.models, codes(found)) == ((), [("bare", "shard-missing")])
    assert gone in found.problems[0].error.message


def test_every_gguf_is_a_model_and_splits_are_one(tmp_path: Path) -> None:
    write(tmp_path / "My model v1.gguf", "GGUF")
    write(tmp_path / "sub" / "other.gguf", "GGUF")
    for number in (2, 1, 3):
        write(tmp_path / "sub" / f"big-0000{number}-of-00003.gguf", "x" * number)
    models = {model.id: model for model in scan([tmp_path]).models}
    assert {key: (model.kind, model.name) for key, model in models.items()} == {
        "My-model-v1.gguf": ("gguf", "My model v1"),
        "sub-other.gguf": ("gguf", "other"),
        "sub-big-of-00003.gguf": ("gguf-split", "big"),
    }
    assert [file.bytes for file in models["sub-big-of-00003.gguf"].files] == [1, 2, 3]
    assert models["My-model-v1.gguf"].to_json()["files"] == [
        {"name": "My model v1.gguf", "url": "/models/My-model-v1.gguf/My%20model%20v1.gguf", "bytes": 4}
    ]


@pytest.mark.parametrize(
    "names",
    [
        ["a-00001-of-00002.gguf"],
        ["a-00002-of-00002.gguf"],
        ["a-00000-of-00000.gguf"],
        ["a-00001-of-00001.gguf", "a-00002-of-00001.gguf"],
        ["a-00001-of-99999.gguf"],
    ],
)
def test_splits_that_are_not_complete_are_a_problem(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        write(tmp_path / name, "GGUF")
    found = scan([tmp_path])
    assert (found.models, codes(found)) == ((), [("a", "shard-missing")])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": "voxtab-shards", "version": 2}',
        "[" * 5000,
        '{"a": NaN}',
        "\ufeff{}",
    ],
)
def test_an_unusable_manifest_beside_shards_is_a_problem(tmp_path: Path, text: str) -> None:
    write(tmp_path / "words" / "shard-aa", "x")
    write(tmp_path / "words" / "manifest.json", text)
    found = scan([tmp_path])
    assert (found.models, codes(found)) == ((), [("words", "manifest-invalid")])


def test_a_manifest_too_large_to_be_one_is_not_read_whole(tmp_path: Path) -> None:
    write(tmp_path / "words" / "shard-aa", "x")
    with (tmp_path / "words" / "manifest.json").open("wb") as file:
        file.truncate(1 << 40)
    assert codes(scan([tmp_path])) == [("words", "manifest-invalid")]


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    write_shards(tmp_path / "words", b"0123456789", 1)
    path = tmp_path / "words" / "manifest.json"
    fields = json.loads(path.read_text())
    for name in ("../secret", "/etc/passwd", "shard-aa/../x", "manifest.json"):
        fields["shards"][0]["name"] = name
        path.write_text(json.dumps(fields))
        assert codes(scan([tmp_path])) == [("words", "manifest-invalid")]


def test_files_of_other_programs_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "site" / "manifest.json", '{"name": "a web app", "icons": []}')
    write(tmp_path / "checkpoint" / "consolidated.safetensors", "x")
    write(tmp_path / "checkpoint" / "params.json", "{}")
    write(tmp_path / "partial.gguf.part", "x")
    write(tmp_path / ".hidden" / "model.gguf", "x")
    write(tmp_path / ".model.gguf", "x")
    write(tmp_path / "shard-a", "x")
    write(tmp_path / "shard-AA", "x")
    (tmp_path / "folder.gguf").mkdir()
    assert scan([tmp_path]) == Catalogue()


def test_links_out_of_the_root_are_passed_over_and_links_inside_are_not(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "a.gguf", "x")
    root = tmp_path / "root"
    write(root / "deep" / "b.gguf", "x")
    (root / "c.gguf").symlink_to(root / "deep" / "b.gguf")
    (root / "a.gguf").symlink_to(tmp_path / "elsewhere" / "a.gguf")
    (root / "all").symlink_to(tmp_path / "elsewhere")
    (root / "round").symlink_to(root)
    ids = {model.id for model in scan([root]).models}
    assert {"c.gguf", "deep-b.gguf"} <= ids
    assert not any("a.gguf" in found for found in ids)


def test_a_file_that_becomes_a_link_out_of_the_root_is_not_sent(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret", "secret")
    write(tmp_path / "root" / "a.gguf", "x")
    model = only(scan([tmp_path / "root"]))
    (tmp_path / "root" / "a.gguf").unlink()
    (tmp_path / "root" / "a.gguf").symlink_to(secret)
    assert model.find("a.gguf") is None


def test_the_root_itself_can_be_the_model(tmp_path: Path) -> None:
    write_shards(tmp_path / "out", b"0123456789", 2)
    assert only(scan([tmp_path / "out"])).id == "out"


def test_ids_stay_unique_over_several_roots(tmp_path: Path) -> None:
    for root in ("one", "two", "three"):
        write_shards(tmp_path / root / "words", b"0123456789", 1)
    found = scan([tmp_path / root for root in ("one", "two", "three", "absent")])
    assert [model.id for model in found.models] == ["words", "words-2", "words-3"]
    assert [model.folder.parent.name for model in found.models] == ["one", "two", "three"]


def test_the_first_that_is_known_to_turn_speech_into_text_is_the_default(tmp_path: Path) -> None:
    write(tmp_path / "a.gguf", "x")
    write_shards(tmp_path / "b", b"0123456789", 1)
    write_shards(tmp_path / "c", b"0123456789", 1)
    assert [(m.id, m.default) for m in scan([tmp_path]).models if m.default] == [("b", True)]


def test_models_too_deep_down_are_not_looked_for(tmp_path: Path) -> None:
    write(tmp_path / "1" / "2" / "3" / "found.gguf", "x")
    write(tmp_path / "1" / "2" / "3" / "4" / "lost.gguf", "x")
    assert only(scan([tmp_path])).id == "1-2-3-found.gguf"


@given(
    st.lists(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20),
        max_size=5,
    )
)
def test_whatever_files_are_called_ids_are_safe_in_urls_and_unique(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    root = tmp_path_factory.mktemp("root")
    for name in names:
        write(root / f"{name}.gguf", "x")
    found = scan([root])
    ids = [model.id for model in found.models]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[A-Za-z0-9._-]+", found) for found in ids)
    for model in found.models:
        (file,) = model.files
        assert model.find(file.name) == file
        assert model.url(file.name).isascii()
