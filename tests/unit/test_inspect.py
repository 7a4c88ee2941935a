"""voxtab-shards inspect: the same model is described alike whatever its files."""

import json
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from typer.testing import CliRunner

from shard_tools.cli import app
from shard_tools.inspect import describe
from shard_tools.quantize import quantize_checkpoint
from shard_tools.split import split_gguf
from voxtab.errors import VoxtabError

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    quantize_checkpoint(DATA / "asr-tiny", tmp_path / "m.gguf", model_name="Tiny", licence="MIT")
    return tmp_path / "m.gguf"


def _write_splits(folder: Path, parts: int) -> None:
    """Three tensors in as many files as gguf-split would make, written by gguf-py."""
    for part in range(parts):
        path = folder / f"m-{part + 1:05d}-of-{parts:05d}.gguf"
        writer = gguf.GGUFWriter(path, "voxtral_realtime")
        writer.add_uint16("split.no", part)
        writer.add_uint16("split.count", parts)
        writer.add_int32("split.tensors.count", parts)
        writer.add_tensor(f"tensor{part}", np.full((4, 8), part, np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def test_tensors_and_totals_are_those_of_gguf_py(model: Path) -> None:
    found = describe(model)
    reader = gguf.GGUFReader(model)
    assert [
        (entry["name"], entry["type"], entry["offset"], entry["bytes"]) for entry in found["tensors"]
    ] == [
        (tensor.name, tensor.tensor_type.name, tensor.data_offset, tensor.n_bytes)
        for tensor in reader.tensors
    ]
    assert found["parameters"] == sum(int(tensor.n_elements) for tensor in reader.tensors)
    assert found["bits_per_weight"] == pytest.approx(
        8 * sum(int(tensor.n_bytes) for tensor in reader.tensors) / found["parameters"], abs=1e-3
    )
    assert sum(kind["tensors"] for kind in found["types"]) == len(reader.tensors)
    assert (found["name"], found["licence"], found["architecture"]) == ("Tiny", "MIT", "voxtral_realtime")
    assert found["bytes"] == model.stat().st_size


def test_a_shard_set_with_and_without_a_manifest_is_described_like_the_file(
    model: Path, tmp_path: Path
) -> None:
    # The header is longer than the first shards: it has to be read across them.
    split_gguf(model, tmp_path / "set", 10_000, name="A name of its own")
    whole, with_manifest = describe(model), describe(tmp_path / "set")
    (tmp_path / "set" / "manifest.json").unlink()
    bare = describe(tmp_path / "set")
    assert (whole["kind"], with_manifest["kind"], bare["kind"]) == ("gguf", "manifest", "shards")
    for key in ("tensors", "metadata", "types", "bytes", "parameters"):
        assert whole[key] == with_manifest[key] == bare[key]
    assert (with_manifest["name"], bare["name"]) == ("A name of its own", "Tiny")
    assert len(with_manifest["manifest"]["shards"]) == len(bare["files"]) > 20


def test_the_parts_of_gguf_split_are_one_model_by_folder_or_by_any_part(tmp_path: Path) -> None:
    _write_splits(tmp_path, 3)
    by_folder = describe(tmp_path)
    assert by_folder["kind"] == "gguf-split"
    assert [(entry["name"], entry["file"]) for entry in by_folder["tensors"]] == [
        ("tensor0", 0),
        ("tensor1", 1),
        ("tensor2", 2),
    ]
    by_part = describe(tmp_path / "m-00002-of-00003.gguf")
    assert by_part["tensors"] == by_folder["tensors"]
    (tmp_path / "m-00003-of-00003.gguf").unlink()
    with pytest.raises(VoxtabError, match="m-00003-of-00003") as caught:
        describe(tmp_path / "m-00001-of-00003.gguf")
    assert caught.value.code == "shard-missing"


def test_long_lists_are_cut_unless_asked_for(model: Path) -> None:
    key = "voxtral.tokenizer.vocab_token_bytes_b64"
    assert describe(model)["metadata"][key] == {"length": 536, "first": ["AA==", "AQ==", "Ag==", "Aw=="]}
    assert len(describe(model, whole_lists=True)["metadata"][key]) == 536


def test_the_command_prints_tables_and_valid_json(model: Path) -> None:
    run = CliRunner().invoke
    tables = run(app, ["inspect", str(model)])
    assert tables.exit_code == 0, tables.output
    for text in ("voxtral_realtime", "Q4_0", "tok_embeddings.weight", "1536, 160", "536 entries"):
        assert text in tables.stdout
    found = json.loads(run(app, ["inspect", str(model), "--json"]).stdout)
    assert found["metadata"]["voxtral.vocab_size"] == 1536
    assert len(found["tensors"]) == 58


def test_control_characters_markup_and_nan_from_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "x")
    writer.add_string("evil", "\x1b[31mred [bold]markup[/bold]\r\n")
    writer.add_float32("nan", float("nan"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    run = CliRunner().invoke
    shown = run(app, ["inspect", str(tmp_path / "m.gguf")]).stdout
    assert "\x1b" not in shown
    assert "\\x1b[31mred [bold]markup[/bold]\\r\\n" in shown
    strict: Any = json.loads(
        run(app, ["inspect", str(tmp_path / "m.gguf"), "--json"]).stdout,
        parse_constant=lambda name: pytest.fail(f"{name} is not JSON"),
    )
    assert strict["metadata"]["nan"] == "nan"


def test_hostile_and_missing_models_give_a_code(model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    hang = (
        b"GGUF"
        + struct.pack("<IQQ", 3, 0, 1)
        + struct.pack("<Q", 1)
        + b"a"
        + struct.pack("<IIQ", 9, 9, 2**63)
    )
    (tmp_path / "hostile.gguf").write_bytes(hang)
    (tmp_path / "notes.gguf").write_bytes(b"hello, world, this is text")
    for path, code in (
        (tmp_path / "hostile.gguf", "gguf-invalid"),
        (tmp_path / "notes.gguf", "not-gguf"),
        (tmp_path / "empty", "model-missing"),
        (tmp_path / "nowhere", "model-missing"),
        (tmp_path, "model-missing"),  # several GGUFs: which one?
    ):
        with pytest.raises(VoxtabError) as caught:
            describe(path)
        assert caught.value.code == code, path
        result = CliRunner().invoke(app, ["inspect", str(path)])
        assert result.exit_code == 2
        assert result.stderr.startswith(f"error[{code}]: ")


def test_a_set_whose_shards_do_not_fit_its_manifest_is_refused(model: Path, tmp_path: Path) -> None:
    split_gguf(model, tmp_path / "set", 300_000)
    with (tmp_path / "set" / "shard-ab").open("ab") as file:
        file.write(b"x")
    with pytest.raises(VoxtabError, match="300001 bytes") as caught:
        describe(tmp_path / "set")
    assert caught.value.code == "shard-altered"
    (tmp_path / "set" / "shard-ab").unlink()
    with pytest.raises(VoxtabError, match="shard-ab is missing") as caught:
        describe(tmp_path / "set")
    assert caught.value.code == "shard-missing"
