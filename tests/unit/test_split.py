"""voxtab-shards split and join."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from shard_tools.cli import app
from shard_tools.join import join_shards
from shard_tools.quantize import quantize_checkpoint
from shard_tools.shard_names import shard_names
from shard_tools.sizes import ModelSizes, StackSizes
from shard_tools.split import split_gguf
from shard_tools.synth import synth_gguf
from voxtab.errors import VoxtabError
from voxtab.formats.manifest import parse_manifest
from voxtab.formats.model_layout import find_model, find_shards

DATA = Path(__file__).parents[1] / "data"
MIB = 1 << 20


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """0.8 MB."""
    path = tmp_path_factory.mktemp("split") / "small.gguf"
    quantize_checkpoint(DATA / "asr-window", path, licence="Apache-2.0", model_name="Small")
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 21 MB: several chunks of 8 MiB."""
    path = tmp_path_factory.mktemp("split") / "large.gguf"
    stack = StackSizes(dim=64, layers=1, heads=2, kv_heads=2, head_dim=32, ffn=64, window=8)
    wide = StackSizes(dim=256, layers=1, heads=2, kv_heads=2, head_dim=32, ffn=64, window=8)
    synth_gguf(path, ModelSizes(encoder=stack, decoder=wide, vocab_size=20000), types="f32")
    return path


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_cat_gives_the_gguf_back(large: Path, tmp_path: Path) -> None:
    split_gguf(large, tmp_path / "set", 3 * MIB)
    joined = subprocess.run(
        "cat set/shard-*", shell=True, cwd=tmp_path, check=True, capture_output=True
    ).stdout
    assert joined == large.read_bytes()


def test_the_manifest_has_the_hash_of_the_whole_each_shard_and_each_chunk(
    large: Path, tmp_path: Path
) -> None:
    split_gguf(
        large, tmp_path, 12 * MIB, licence="MIT", source="https://example.org/model", description="A model"
    )
    raw = json.loads((tmp_path / "manifest.json").read_text())
    whole = large.read_bytes()
    assert raw["format"] == "voxtab-shards"
    assert raw["version"] == 1
    assert raw["file"] == {"name": "large.gguf", "bytes": len(whole), "sha256": _sha256(whole)}
    assert raw["chunk_bytes"] == 8 * MIB
    assert raw["model"] == {
        "name": "Random Voxtral Realtime, seed 0",
        "task": "speech-to-text",
        "architecture": "voxtral_realtime",
        "licence": "MIT",
        "source": "https://example.org/model",
        "description": "A model",
    }
    assert raw["tokenizer"] == {"kind": "tekken", "vocab_size": 20000, "embedded": True}
    expected = []
    for start in range(0, len(whole), 12 * MIB):
        shard = whole[start : start + 12 * MIB]
        # Chunks start anew at each shard: 8 MiB, and the 4 MiB that are left.
        chunks = [_sha256(shard[at : at + 8 * MIB]) for at in range(0, len(shard), 8 * MIB)]
        expected.append({"bytes": len(shard), "sha256": _sha256(shard), "chunks": chunks})
    assert [{key: shard[key] for key in ("bytes", "sha256", "chunks")} for shard in raw["shards"]] == expected
    assert [shard["name"] for shard in raw["shards"]] == ["shard-aa", "shard-ab"]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(shard_bytes=st.integers(20_000, 1_200_000))
def test_any_shard_size_joins_to_the_same_bytes(small: Path, tmp_path: Path, shard_bytes: int) -> None:
    manifest = split_gguf(small, tmp_path / "set", shard_bytes, force=True)
    shards = find_shards(tmp_path / "set")
    assert [shard.stat().st_size for shard in shards[:-1]] == [shard_bytes] * (len(shards) - 1)
    assert b"".join(shard.read_bytes() for shard in shards) == small.read_bytes()
    assert parse_manifest((tmp_path / "set" / "manifest.json").read_bytes()) == manifest
    assert join_shards(tmp_path / "set", tmp_path / "joined.gguf", force=True)
    assert (tmp_path / "joined.gguf").read_bytes() == small.read_bytes()


def test_names_sort_like_the_file_for_any_number_of_shards() -> None:
    for count in (1, 26, 27, 676, 677, 10_000):
        names = shard_names(count)
        assert len(set(names)) == count
        assert names == sorted(names)
    assert shard_names(3) == ["shard-aa", "shard-ab", "shard-ac"]
    assert shard_names(677)[0] == "shard-aaa"


@pytest.mark.parametrize("shard_bytes", [512 * MIB + 1, 0, -1])
def test_a_shard_over_512_mib_is_refused(shard_bytes: int, small: Path, tmp_path: Path) -> None:
    with pytest.raises(VoxtabError, match="the limit is 536870912") as caught:
        split_gguf(small, tmp_path / "set", shard_bytes)
    assert caught.value.code == "option-invalid"
    assert not (tmp_path / "set").exists()


def test_a_set_of_too_many_shards_is_refused(small: Path, tmp_path: Path) -> None:
    with pytest.raises(VoxtabError, match="more than 10000 shards") as caught:
        split_gguf(small, tmp_path / "set", 10)
    assert caught.value.code == "option-invalid"


def test_an_existing_set_is_kept_unless_forced_and_then_replaced_whole(small: Path, tmp_path: Path) -> None:
    split_gguf(small, tmp_path, 100_000)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(VoxtabError, match="--force") as caught:
        split_gguf(small, tmp_path, 400_000)
    assert caught.value.code == "option-invalid"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    manifest = split_gguf(small, tmp_path, 400_000, force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "manifest.json",
        *(shard.name for shard in manifest.shards),
    ]


def test_an_interrupted_split_leaves_nothing_and_the_old_set_whole(small: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        split_gguf(small, tmp_path, 100_000, progress=interrupt)
    assert not list(tmp_path.iterdir())
    split_gguf(small, tmp_path, 300_000)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        split_gguf(small, tmp_path, 100_000, force=True, progress=interrupt)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"PK\x03\x04" + b"\0" * 1000)
    with pytest.raises(VoxtabError) as caught:
        split_gguf(tmp_path / "weights.bin", tmp_path / "set")
    assert caught.value.code == "not-gguf"
    with pytest.raises(VoxtabError) as caught:
        split_gguf(tmp_path / "nothing.gguf", tmp_path / "set")
    assert caught.value.code == "model-missing"


def test_what_the_manifest_cannot_say_is_refused_before_anything_is_written(
    small: Path, tmp_path: Path
) -> None:
    with pytest.raises(VoxtabError, match="description") as caught:
        split_gguf(small, tmp_path / "set", description="two\nlines")
    assert caught.value.code == "manifest-invalid"
    assert not (tmp_path / "set").exists()


def test_joining_names_the_shard_and_chunk_that_differ_and_leaves_no_file(
    large: Path, tmp_path: Path
) -> None:
    split_gguf(large, tmp_path / "set", 12 * MIB)
    path = tmp_path / "set" / "shard-aa"
    data = bytearray(path.read_bytes())
    data[9 * MIB] ^= 1
    path.write_bytes(data)
    with pytest.raises(VoxtabError, match="shard-aa: chunk 1 does not match") as caught:
        join_shards(tmp_path / "set", tmp_path / "out.gguf")
    assert caught.value.code == "shard-altered"
    path.unlink()
    with pytest.raises(VoxtabError, match="shard-aa cannot be read") as caught:
        join_shards(tmp_path / "set", tmp_path / "out.gguf")
    assert caught.value.code == "shard-missing"
    assert [entry.name for entry in tmp_path.iterdir()] == ["set"]


def test_bare_shards_join_too_unless_one_is_missing(small: Path, tmp_path: Path) -> None:
    split_gguf(small, tmp_path / "set", 250_000)
    (tmp_path / "set" / "manifest.json").unlink()
    assert not join_shards(tmp_path / "set", tmp_path / "out.gguf")
    assert (tmp_path / "out.gguf").read_bytes() == small.read_bytes()
    (tmp_path / "out.gguf").unlink()
    last = find_shards(tmp_path / "set")[-1]
    kept = last.read_bytes()
    last.unlink()
    with pytest.raises(VoxtabError) as caught:
        join_shards(tmp_path / "set", tmp_path / "out.gguf")
    assert caught.value.code == "gguf-invalid"
    last.write_bytes(kept)
    (tmp_path / "set" / "shard-ab").unlink()
    with pytest.raises(VoxtabError, match="lacks shard-ab") as caught:
        join_shards(tmp_path / "set", tmp_path / "out.gguf")
    assert caught.value.code == "shard-missing"
    assert [entry.name for entry in tmp_path.iterdir()] == ["set"]


def test_join_does_not_overwrite_without_force(small: Path, tmp_path: Path) -> None:
    split_gguf(small, tmp_path / "set")
    (tmp_path / "out.gguf").write_bytes(b"mine")
    with pytest.raises(VoxtabError, match="exists already"):
        join_shards(tmp_path / "set", tmp_path / "out.gguf")
    assert (tmp_path / "out.gguf").read_bytes() == b"mine"


def test_the_commands_split_and_join(small: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    split = ["split", str(small), "-o", str(tmp_path / "set"), "--shard-bytes", "300000"]
    result = run(app, split)
    assert result.exit_code == 0, result.output
    assert "3 shards" in result.stdout
    assert run(app, split).exit_code == 2
    assert run(app, [*split, "--force"]).exit_code == 0
    result = run(app, ["join", str(tmp_path / "set"), "-o", str(tmp_path / "out.gguf")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out.gguf").read_bytes() == small.read_bytes()
    too_large = run(app, ["split", str(small), "-o", str(tmp_path / "b"), "--shard-bytes", "536870913"])
    assert too_large.exit_code == 2
    assert "error[option-invalid]: " in too_large.stderr


@pytest.mark.parametrize("name", ["shard-aa", "manifest.json"])
def test_join_never_replaces_what_it_reads(name: str, small: Path, tmp_path: Path) -> None:
    split_gguf(small, tmp_path, 300_000)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    result = CliRunner().invoke(app, ["join", str(tmp_path), "-o", str(tmp_path / name), "--force"])
    assert result.exit_code == 2
    assert f"error[option-invalid]: {tmp_path / name} is one of the files to read" in result.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_split_never_replaces_what_it_reads(small: Path, tmp_path: Path) -> None:
    (tmp_path / "shard-aa").write_bytes(small.read_bytes())
    command = ["split", str(tmp_path / "shard-aa"), "-o", str(tmp_path), "--shard-bytes", "300000", "--force"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "is one of the files to read" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["shard-aa"]
    assert (tmp_path / "shard-aa").read_bytes() == small.read_bytes()


def test_join_refuses_a_folder_as_output_by_name(small: Path, tmp_path: Path) -> None:
    split_gguf(small, tmp_path)
    result = CliRunner().invoke(app, ["join", str(tmp_path), "-o", str(tmp_path), "--force"])
    assert result.exit_code == 2
    assert f"error[option-invalid]: {tmp_path} is a folder." in result.stderr


@pytest.mark.parametrize("gone", ["shard-aa", "shard-ab"])
def test_a_gap_in_bare_shards_is_found_and_named(gone: str, small: Path, tmp_path: Path) -> None:
    split_gguf(small, tmp_path, 250_000)
    (tmp_path / "manifest.json").unlink()
    assert find_model(tmp_path).streams == (tuple(find_shards(tmp_path)),)
    (tmp_path / gone).unlink()
    with pytest.raises(VoxtabError, match=f"lacks {gone}") as caught:
        find_model(tmp_path)
    assert caught.value.code == "shard-missing"


def test_long_shard_names_begin_at_aaa(tmp_path: Path) -> None:
    for name in shard_names(677):
        (tmp_path / name).write_bytes(b"GGUF")
    assert len(find_model(tmp_path).streams[0]) == 677
    (tmp_path / "shard-azz").unlink()
    with pytest.raises(VoxtabError, match="lacks shard-azz"):
        find_model(tmp_path)
