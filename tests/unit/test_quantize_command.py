"""The command `voxtab-shards quantize`: its options, and what it never writes over."""

import re
import shlex
from pathlib import Path

import gguf
import pytest
from gguf import GGMLQuantizationType
from typer.testing import CliRunner

from shard_tools.cli import app
from shard_tools.gguf_header import read_header
from shard_tools.quantize import quantize_checkpoint
from tests.checkpoints import copy_checkpoint
from tests.unit.test_quantize import DATA, EMBEDDING, ENCODER_W1, WQ
from voxtab.errors import VoxtabError


@pytest.mark.parametrize(
    "arguments", [["--type", "q5_0"], ["--encoder", "int8"], ["--scales", "x"], ["--names", "y"]]
)
def test_the_command_refuses_unknown_options_with_a_code(arguments: list[str], tmp_path: Path) -> None:
    out = tmp_path / "m.gguf"
    result = CliRunner().invoke(app, ["quantize", str(DATA / "asr-tiny"), "-o", str(out), *arguments])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("error[option-invalid]: ")
    assert not list(tmp_path.iterdir())


def test_the_command_takes_the_options_of_the_documentation(tmp_path: Path) -> None:
    out = tmp_path / "m.gguf"
    command = ["quantize", str(DATA / "asr-tiny"), "-o", str(out), "--type", "q8_0", "--encoder", "f16"]
    command += ["--decoder", "q4_0", "--embedding", "f32", "--scales", "absmax", "--names", "mistral"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    found = {tensor.name: tensor for tensor in gguf.GGUFReader(out).tensors}
    assert found[WQ].tensor_type == GGMLQuantizationType.Q4_0
    assert found[ENCODER_W1].tensor_type == GGMLQuantizationType.F16
    assert found[EMBEDDING].tensor_type == GGMLQuantizationType.F32


def test_the_command_replaces_a_file_only_with_force(tmp_path: Path) -> None:
    out = tmp_path / "m.gguf"
    out.write_bytes(b"mine")
    command = ["quantize", str(DATA / "asr-window"), "-o", str(out)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert f"error[option-invalid]: {out} exists already." in result.stderr
    assert "--force" in result.stderr
    assert out.read_bytes() == b"mine"
    assert CliRunner().invoke(app, [*command, "--force"]).exit_code == 0
    assert read_header(out).metadata["general.architecture"] == "voxtral_realtime"


@pytest.mark.parametrize("name", ["consolidated.safetensors", "params.json", "tekken.json", "link.gguf"])
def test_the_checkpoint_itself_is_never_replaced(name: str, tmp_path: Path) -> None:
    checkpoint = copy_checkpoint(DATA / "asr-window", tmp_path / "mine")
    (checkpoint / "link.gguf").symlink_to(checkpoint / "consolidated.safetensors")
    before = {path.name: path.read_bytes() for path in checkpoint.iterdir()}
    command = ["quantize", str(checkpoint), "-o", str(checkpoint / name), "--force"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert f"error[option-invalid]: {checkpoint / name} is one of the files to read" in result.stderr
    with pytest.raises(VoxtabError, match="one of the files to read"):
        quantize_checkpoint(checkpoint, checkpoint / name)
    assert {path.name: path.read_bytes() for path in checkpoint.iterdir()} == before


def test_a_folder_as_output_is_refused_by_name(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["quantize", str(DATA / "asr-window"), "-o", str(tmp_path), "--force"])
    assert result.exit_code == 2
    assert f"error[option-invalid]: {tmp_path} is a folder." in result.stderr
    assert not list(tmp_path.iterdir())


def test_the_command_gives_the_model_its_name(tmp_path: Path) -> None:
    out = tmp_path / "m.gguf"
    command = ["quantize", str(DATA / "asr-window"), "-o", str(out), "--name", "Voxtral Mini 4B Realtime"]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert read_header(out).metadata["general.name"] == "Voxtral Mini 4B Realtime"


@pytest.mark.parametrize("path", ["README.md", "server/templates/model.html.j2"])
def test_the_documented_commands_make_a_model_with_its_own_name(path: str, tmp_path: Path) -> None:
    """Following them, the page must not list the model under the folder's name, "checkpoint"."""
    text = (Path(__file__).parents[2] / path).read_text()
    (line,) = re.findall(
        r"\.venv/bin/voxtab-shards (quantize checkpoint .*?)(?:</code>)?$", text, re.MULTILINE
    )
    words = shlex.split(line)
    words[words.index("checkpoint")] = str(DATA / "asr-window")
    words[words.index("-o") + 1] = str(tmp_path / "m.gguf")
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert read_header(tmp_path / "m.gguf").metadata["general.name"] == "Voxtral Mini 4B Realtime"
