"""voxtab-shards verify: every way a set can differ from its manifest is found and named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from shard_tools.cli import app
from shard_tools.quantize import quantize_checkpoint
from shard_tools.split import split_gguf
from shard_tools.verify import verify_shards
from voxtab.errors import VoxtabError

DATA = Path(__file__).parents[1] / "data"
CHUNK = 8 << 20


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    quantize_checkpoint(DATA / "asr-window", tmp_path / "m.gguf")
    split_gguf(tmp_path / "m.gguf", tmp_path / "set", 300_000)
    return tmp_path / "set"


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x80
    path.write_bytes(data)


def _edit_manifest(shards: Path, change: Callable[[Any], None]) -> None:
    path = shards / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_a_whole_set_has_no_faults(shards: Path) -> None:
    assert verify_shards(shards) == []


@pytest.mark.parametrize("at", [0, 123_456, -1])
def test_a_flipped_bit_is_found_in_its_shard_and_chunk(at: int, shards: Path) -> None:
    _flip(shards / "shard-ab", at)
    (fault,) = verify_shards(shards)
    assert (fault.code, fault.shard, fault.chunk) == ("shard-altered", "shard-ab", 0)


def test_only_the_chunks_that_differ_are_named(tmp_path: Path) -> None:
    # Chunks are 8 MiB: a GGUF of zeros after its header is quick to make.
    quantize_checkpoint(DATA / "asr-window", tmp_path / "m.gguf")
    with (tmp_path / "m.gguf").open("r+b") as file:
        file.truncate(3 * CHUNK + 5)
    split_gguf(tmp_path / "m.gguf", tmp_path / "set")
    for at in (CHUNK, 3 * CHUNK + 4):
        _flip(tmp_path / "set" / "shard-aa", at)
    assert [(fault.shard, fault.chunk) for fault in verify_shards(tmp_path / "set")] == [
        ("shard-aa", 1),
        ("shard-aa", 3),
    ]


def test_all_faults_are_reported_not_only_the_first(shards: Path) -> None:
    (shards / "shard-aa").unlink()
    with (shards / "shard-ab").open("ab") as file:
        file.write(b"x")
    _flip(shards / "shard-ac", 7)
    (shards / "shard-ba").write_bytes(b"left over")
    found = verify_shards(shards)
    assert [(fault.code, fault.shard) for fault in found] == [
        ("shard-missing", "shard-aa"),
        ("shard-altered", "shard-ab"),
        ("shard-altered", "shard-ac"),
        ("shard-altered", "shard-ba"),
    ]
    assert "300001 bytes, the manifest says 300000" in found[1].message


@pytest.mark.parametrize("of", ["file", "shard"])
def test_a_manifest_that_contradicts_itself_is_found(of: str, shards: Path) -> None:
    def change(manifest: Any) -> None:
        (manifest["file"] if of == "file" else manifest["shards"][1])["sha256"] = "0" * 64

    _edit_manifest(shards, change)
    faults = verify_shards(shards)
    assert {fault.code for fault in faults} == {"manifest-invalid"}
    assert "contradicts itself" in faults[0].message


def test_a_folder_without_or_with_a_broken_manifest_is_an_error(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(VoxtabError) as caught:
        verify_shards(tmp_path)
    assert caught.value.code == "model-missing"
    (shards / "manifest.json").write_text("{}")
    with pytest.raises(VoxtabError) as caught:
        verify_shards(shards)
    assert caught.value.code == "manifest-invalid"


def test_progress_reaches_the_end(shards: Path) -> None:
    steps: list[tuple[int, int]] = []
    verify_shards(shards, lambda *step: steps.append(step))
    total = (shards.parent / "m.gguf").stat().st_size
    assert steps[-1] == (total, total)


def test_the_command_exits_with_1_for_a_difference_and_2_for_no_manifest(
    shards: Path, tmp_path: Path
) -> None:
    run = CliRunner().invoke
    assert run(app, ["verify", str(shards)]).exit_code == 0
    _flip(shards / "shard-ac", 7)
    result = run(app, ["verify", str(shards)])
    assert result.exit_code == 1
    assert "error[shard-altered]: shard-ac: chunk 0 does not match its SHA-256." in result.stderr
    assert run(app, ["verify", str(tmp_path)]).exit_code == 2
