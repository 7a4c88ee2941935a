"""The model that comes with voxtab: small, whole, and what the page starts with."""

from pathlib import Path

import pytest

from server.app import own_models
from server.engine_build import WEB
from server.registry import Model, scan
from shard_tools.verify import verify_shards
from tests.unit.server_site import write_shards

FOLDER = WEB / "models" / "demo-asr"
MOST_BYTES = 12_000_000


@pytest.fixture(scope="module")
def model() -> Model:
    (model,) = scan(own_models()).models
    return model


def test_it_is_the_default_with_nothing_built(model: Model) -> None:
    assert (model.id, model.folder, model.kind, model.default) == ("demo-asr", FOLDER, "manifest", True)
    assert (model.task, model.licence) == ("speech-to-text", "Apache-2.0")


def test_it_stays_the_default_beside_the_visitors_own_models(tmp_path: Path) -> None:
    write_shards(tmp_path / "a-model", b"0123456789", 1)
    found = scan([*own_models(), tmp_path])
    assert [(model.id, model.default) for model in found.models] == [("demo-asr", True), ("a-model", False)]


def test_it_says_how_many_words_it_knows(model: Model) -> None:
    assert model.description is not None
    assert "English words" in model.description


def test_every_byte_is_as_its_manifest_says() -> None:
    assert verify_shards(FOLDER) == []


def test_it_is_small_and_nothing_else_lies_beside_it(model: Model) -> None:
    files = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert set(files) == {"README.md", "manifest.json", *(file.name for file in model.files)}
    assert sum(files.values()) <= MOST_BYTES
