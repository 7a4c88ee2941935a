"""The model the page starts with: built from the small checkpoint, found by the server, readable by gguf-py."""

from pathlib import Path

import pytest
from gguf import GGMLQuantizationType, GGUFReader

from server.demo_model import NAME, build_demo_model
from server.registry import scan
from voxtab.formats.manifest import MAX_SHARD_BYTES


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build") / "models"
    (folder / "words").mkdir(parents=True)
    (folder / "words" / "left over").touch()
    build_demo_model(folder=folder / "words")
    return folder


def test_the_server_offers_it_as_its_default(models: Path) -> None:
    (model,) = scan([models]).models
    assert (model.id, model.name, model.kind, model.default) == ("words", NAME, "manifest", True)
    assert (model.task, model.licence) == ("speech-to-text", "Apache-2.0")
    assert all(file.path.stat().st_size == file.bytes <= MAX_SHARD_BYTES for file in model.files)


def test_nothing_but_the_set_is_left(models: Path) -> None:
    assert [path.name for path in models.iterdir()] == ["words"]
    assert sorted(path.name for path in (models / "words").iterdir()) == ["manifest.json", "shard-aa"]


def test_its_shards_are_a_gguf_with_q4_0_weights(models: Path, tmp_path: Path) -> None:
    (model,) = scan([models]).models
    (tmp_path / "joined.gguf").write_bytes(b"".join(file.path.read_bytes() for file in model.files))
    types = {tensor.tensor_type for tensor in GGUFReader(tmp_path / "joined.gguf").tensors}
    assert GGMLQuantizationType.Q4_0 in types
