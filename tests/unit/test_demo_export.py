"""The demo model's export: a run becomes a checkpoint, a GGUF and shards that others read as they were trained."""

import base64
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from shard_tools import cli
from shard_tools.demo import export as module
from shard_tools.demo.export import CARD, DESCRIPTION, export, read_run
from shard_tools.demo.network import checkpoint_names
from shard_tools.demo.tokenizer import FIRST_WORD
from shard_tools.demo.train import SIZES
from shard_tools.demo.words import WORDS
from shard_tools.synth_tekken import SPECIAL_TOKENS
from shard_tools.verify import verify_shards
from tests.unit.demo_site import COMMIT, small_run
from voxtab.errors import VoxtabError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return small_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the model and, below it, the checkpoint."""
    folder = tmp_path_factory.mktemp("exported")
    export(run, folder / "model", checkpoint=folder / "checkpoint")
    return folder


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    """Under Mistral's names."""
    net = torch.load(run / "state.pt", weights_only=True)["net"]
    return {published: net[own] for own, published in checkpoint_names(SIZES).items()}


def test_the_checkpoint_holds_the_trained_weights_in_bf16_under_mistrals_names(
    run: Path, exported: Path
) -> None:
    trained = weights_of(run)
    written = load_file(exported / "checkpoint" / "consolidated.safetensors")
    assert set(written) == set(trained)
    for name, tensor in trained.items():
        assert torch.equal(written[name], tensor.bfloat16()), name


def test_gguf_py_reads_the_shards_as_the_weights_to_four_bits(run: Path, exported: Path) -> None:
    trained = weights_of(run)
    reader = gguf.GGUFReader(exported / "model" / "shard-aa")
    quantized = [tensor for tensor in reader.tensors if tensor.tensor_type == gguf.GGMLQuantizationType.Q4_0]
    matrices = [tensor for tensor in trained.values() if tensor.ndim == 2]
    assert len(quantized) == len(matrices)
    embedding = next(tensor for tensor in quantized if tensor.shape.tolist() == [192, SIZES.vocab_size])
    values = gguf.dequantize(embedding.data, embedding.tensor_type)
    expected = trained["mm_streams_embeddings.embedding_module.tok_embeddings.weight"].numpy()
    assert np.sqrt(np.mean((values - expected) ** 2) / np.mean(expected**2)) < 0.1


def test_every_word_is_a_token_inside_the_gguf(exported: Path) -> None:
    reader = gguf.GGUFReader(exported / "model" / "shard-aa")
    field = reader.fields["voxtral.tokenizer.vocab_token_bytes_b64"]
    tokens = [base64.b64decode(bytes(field.parts[index])).decode("latin-1") for index in field.data]
    for number, word in enumerate(WORDS):
        assert tokens[FIRST_WORD + number - SPECIAL_TOKENS] == f" {word}"


def test_manifest_and_shards_are_all_there_is(exported: Path) -> None:
    assert sorted(path.name for path in (exported / "model").iterdir()) == ["manifest.json", "shard-aa"]
    assert verify_shards(exported / "model") == []
    manifest = json.loads((exported / "model" / "manifest.json").read_text())
    assert manifest["model"] == {
        "name": f"Demo: {len(WORDS)} words",
        "task": "speech-to-text",
        "architecture": "voxtral_realtime",
        "licence": "Apache-2.0",
        "source": f"voxtab-shards demo-asr train, commit {COMMIT}, seed 3, 40 steps",
        "description": DESCRIPTION,
    }
    assert manifest["tokenizer"]["embedded"] is True


def test_a_model_that_is_there_is_replaced_with_force_only_and_its_card_stays(
    run: Path, tmp_path: Path
) -> None:
    export(run, tmp_path)
    (tmp_path / CARD).write_text("card")
    before = (tmp_path / "manifest.json").read_bytes()
    other = small_run(tmp_path.parent / "other-run", seed=4)
    with pytest.raises(VoxtabError, match="--force") as caught:
        export(other, tmp_path)
    assert caught.value.code == "option-invalid"
    assert (tmp_path / "manifest.json").read_bytes() == before
    export(other, tmp_path, force=True)
    assert (tmp_path / "manifest.json").read_bytes() != before
    assert verify_shards(tmp_path) == []
    assert (tmp_path / CARD).read_text() == "card"


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_with_other_files_is_refused(run: Path, tmp_path: Path, force: bool) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(VoxtabError, match=r"thesis\.txt"):
        export(run, tmp_path, force=force)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_model_too_large_for_the_repository_is_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 2_000_000)
    with pytest.raises(VoxtabError) as caught:
        export(run, tmp_path / "out")
    assert caught.value.code == "model-too-large"
    assert not (tmp_path / "out").exists()


def test_an_unfinished_run_says_how_far_it_got(tmp_path: Path) -> None:
    state = read_run(small_run(tmp_path, step=20))
    assert not state.finished
    assert state.source.endswith("20 of 40 steps")


def spoil_state(change: str) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(Path("state.pt"), weights_only=True)
    net = state["net"]
    if change == "lost":
        del net["decoder_norm.weight"]
    elif change == "shape":
        net["decoder_norm.weight"] = torch.zeros(3)
    elif change == "nan":
        net["decoder_norm.weight"][5] = torch.nan
    elif change == "no tensor":
        net["decoder_norm.weight"] = 5
    else:
        state = {"step": 1}
    return state


@pytest.mark.parametrize("change", ["lost", "shape", "nan", "no tensor", "no network"])
def test_weights_that_are_not_this_networks_are_refused(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_run(tmp_path))
    torch.save(spoil_state(change), "state.pt")
    with pytest.raises(VoxtabError, match=r"state\.pt") as caught:
        read_run(tmp_path)
    assert caught.value.code == "run-invalid"


@pytest.mark.parametrize("content", [b"", b"no zip", b"\x80\x02cos\nsystem\n(S'true'\ntR."])
def test_a_file_that_is_no_state_is_refused(tmp_path: Path, content: bytes) -> None:
    small_run(tmp_path)
    (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(VoxtabError) as caught:
        read_run(tmp_path)
    assert caught.value.code == "run-invalid"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"words": ["one"]}, "other words"),
        ({"seed": "3"}, "its seed"),
        ({"commit": None}, "its commit"),
    ],
)
def test_settings_of_other_scripts_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = small_run(tmp_path) / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(VoxtabError, match=message) as caught:
        read_run(tmp_path)
    assert caught.value.code == "run-invalid"


def test_a_folder_without_a_run_is_told_in_one_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.app, ["demo-asr", "export", str(tmp_path), str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "error[run-missing]" in done.stderr
    assert "demo-asr train" in done.stderr


def test_the_command_says_what_it_wrote(run: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.app, ["demo-asr", "export", str(run), str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "1 shards, 2,763,200 bytes" in done.stdout
