"""A speech model on its way from the hub to shards: fetch, split, verify, join, inspect."""

import json
from pathlib import Path
from typing import Any

import gguf
import pytest
from typer.testing import CliRunner

from shard_tools.cli import app
from shard_tools.inspect import describe
from shard_tools.quantize import quantize_checkpoint
from tests.hub_stub import HubStub, Repository
from voxtab.formats.manifest import parse_manifest

GOLDEN = Path(__file__).parents[1] / "data" / "tts-tiny"
CHECKPOINT = {
    str(path.relative_to(GOLDEN)): path.read_bytes()
    for name in ("params.json", "consolidated.safetensors", "tekken.json", "voice_embedding/*.pt")
    for path in GOLDEN.glob(name)
}
VOICES = [
    {"name": "neutral_female", "language": "en", "rows": 19, "licence": "CC-BY-NC-4.0"},
    {"name": "casual_male", "language": "en", "rows": 13, "licence": "CC-BY-NC-4.0"},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    quantize_checkpoint(GOLDEN, path, model_name="Tiny TTS")
    return path


def _run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_fetch_brings_the_voices_of_a_speech_checkpoint_and_nothing_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(CHECKPOINT) == 5
    others = {"voice_embedding/notes.txt": b"no", "voice_embedding/old/a.pt": b"no", "picture.png": b"no"}
    card = {"README.md": b"---\nlicense: cc-by-nc-4.0\n---\n"}
    monkeypatch.setenv("HF_TOKEN", "")
    with HubStub({"mistral/tts": Repository({**CHECKPOINT, **card, **others})}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        said = _run("fetch", "mistral/tts", "-o", tmp_path / "checkpoint")
    assert "6 file(s)" in said
    got = {
        str(path.relative_to(tmp_path / "checkpoint")): path.read_bytes()
        for path in (tmp_path / "checkpoint").rglob("*")
        if path.is_file()
    }
    assert got == CHECKPOINT | card
    _run("quantize", tmp_path / "checkpoint", "-o", tmp_path / "m.gguf")
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    assert reader.fields["general.license"].contents() == "cc-by-nc-4.0"
    assert reader.fields["voxtral_tts.voice.license"].contents() == "CC-BY-NC-4.0"


def test_shards_of_a_speech_model_say_so_and_join_to_the_same_file(model: Path, tmp_path: Path) -> None:
    _run("split", model, "-o", tmp_path / "set", "--shard-bytes", "500000")
    manifest = parse_manifest((tmp_path / "set" / "manifest.json").read_text())
    assert (manifest.model.task, manifest.model.architecture) == ("text-to-speech", "voxtral_tts")
    assert (manifest.model.name, manifest.model.licence) == ("Tiny TTS", "CC-BY-NC-4.0")
    assert manifest.tokenizer is not None
    assert (manifest.tokenizer.vocab_size, manifest.tokenizer.embedded) == (2048, True)
    assert "matches its SHA-256" in _run("verify", tmp_path / "set")
    _run("join", tmp_path / "set", "-o", tmp_path / "joined.gguf")
    assert (tmp_path / "joined.gguf").read_bytes() == model.read_bytes()
    damaged = bytearray((tmp_path / "set" / "shard-ab").read_bytes())
    damaged[7] ^= 1
    (tmp_path / "set" / "shard-ab").write_bytes(damaged)
    result = CliRunner().invoke(app, ["verify", str(tmp_path / "set")])
    assert result.exit_code == 1
    assert "error[shard-altered]: shard-ab: chunk 0" in result.stderr


def test_inspect_shows_the_architecture_and_every_voice_with_language_and_licence(model: Path) -> None:
    found: dict[str, Any] = json.loads(_run("inspect", model, "--json"))
    assert (found["architecture"], found["licence"]) == ("voxtral_tts", "CC-BY-NC-4.0")
    assert found["voices"] == VOICES
    assert found["parameters"] == sum(int(tensor.n_elements) for tensor in gguf.GGUFReader(model).tensors)
    tables = _run("inspect", model)
    for row in (["neutral_female", "en", "19", "CC-BY-NC-4.0"], ["casual_male", "en", "13", "CC-BY-NC-4.0"]):
        assert any(all(cell in line for cell in row) for line in tables.splitlines())


def test_inspect_survives_voices_listed_in_any_other_way(tmp_path: Path) -> None:
    cases: list[tuple[Any, Any, Any]] = [
        ("a name", ["en"], [3]),
        (["a", "b"], ["en"], [3, 4]),
        ([1, 2], ["en", "fr"], [3, 4]),
        (["a\x1b[2J"], ["en"], [3]),
    ]
    for names, languages, rows in cases:
        writer = gguf.GGUFWriter(tmp_path / "m.gguf", "voxtral_tts")
        for key, value in (("names", names), ("languages", languages), ("rows", rows)):
            if isinstance(value, str):
                writer.add_string(f"voxtral_tts.voice.{key}", value)
            else:
                writer.add_array(f"voxtral_tts.voice.{key}", value)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        assert isinstance(describe(tmp_path / "m.gguf")["voices"], list)
        assert "\x1b" not in _run("inspect", tmp_path / "m.gguf")


def test_a_speech_recognition_model_has_no_voices(tmp_path: Path) -> None:
    quantize_checkpoint(GOLDEN.parent / "asr-window", tmp_path / "m.gguf")
    assert describe(tmp_path / "m.gguf")["voices"] == []
    assert "voices" not in _run("inspect", tmp_path / "m.gguf")
