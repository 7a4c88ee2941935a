"""voxtab-shards synth: random models with the real names, shapes and layout."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from typer.testing import CliRunner

from shard_tools.checkpoint import Checkpoint
from shard_tools.cli import app
from shard_tools.gguf_header import read_header
from shard_tools.quantize import quantize_checkpoint
from shard_tools.synth import PRESETS, SynthModel, SynthSizes, synth_checkpoint, synth_gguf
from tests.checkpoints import read_weights
from voxtab.errors import VoxtabError
from voxtab.formats.tekken import Tekken

DATA = Path(__file__).parents[1] / "data"
TINY = PRESETS["tiny"]
EMBEDDING = "mm_streams_embeddings.embedding_module.tok_embeddings.weight"


def test_the_4b_preset_has_the_tensors_of_the_real_model() -> None:
    model = SynthModel(PRESETS["voxtral-realtime-4b"])
    shapes = {name: entry.shape for name, entry in model.tensors.items()}
    assert len(shapes) == 711
    assert sum("whisper_encoder" in name for name in shapes) == 421
    assert sum(name.startswith("layers.") for name in shapes) == 286
    assert sum("audio_language_projection" in name for name in shapes) == 2
    assert sum(entry.nbytes for entry in model.tensors.values()) == pytest.approx(8.86e9, rel=1e-3)
    encoder = "mm_streams_embeddings.embedding_module.whisper_encoder."
    for name, shape in {
        EMBEDDING: (131072, 3072),
        "mm_streams_embeddings.embedding_module.audio_language_projection.0.weight": (3072, 5120),
        encoder + "conv_layers.0.conv.weight": (1280, 128, 3),
        encoder + "conv_layers.1.conv.weight": (1280, 1280, 3),
        encoder + "transformer.layers.31.attention.wo.weight": (1280, 2048),
        encoder + "transformer.layers.31.feed_forward.w2.bias": (1280,),
        "layers.25.attention.wk.weight": (1024, 3072),
        "layers.25.feed_forward.w1.weight": (9216, 3072),
        "layers.25.ada_rms_norm_t_cond.2.weight": (3072, 32),
    }.items():
        assert shapes[name] == shape, name
    assert len(model.tekken.vocab_b64) == 131072 - 1000


def test_names_and_shapes_are_those_of_the_golden_checkpoints() -> None:
    for model in ("asr-tiny", "asr-window", "asr-words"):
        with Checkpoint(DATA / model) as checkpoint:
            made = SynthModel(checkpoint.sizes).tensors
        golden = read_weights(DATA / model)
        assert {name: entry.shape for name, entry in made.items()} == {
            name: tensor.shape for name, tensor in golden.items()
        }


def test_the_safetensors_library_reads_the_checkpoint(tmp_path: Path) -> None:
    synth_checkpoint(tmp_path, TINY, seed=3)
    with safe_open(tmp_path / "consolidated.safetensors", framework="pt") as file:
        assert set(file.keys()) == set(TINY.tensor_shapes())
        for name, shape in TINY.tensor_shapes().items():
            view = file.get_slice(name)
            assert tuple(view.get_shape()) == shape
            assert view.get_dtype() == "BF16"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "consolidated.safetensors",
        "params.json",
        "tekken.json",
    ]


def test_a_gguf_made_directly_equals_the_quantized_checkpoint(tmp_path: Path) -> None:
    synth_checkpoint(tmp_path / "checkpoint", TINY, seed=5)
    for kind in ("q4_0", "f32"):
        synth_gguf(tmp_path / "direct.gguf", TINY, seed=5, types=kind)
        quantize_checkpoint(
            tmp_path / "checkpoint",
            tmp_path / "quantized.gguf",
            kind,
            model_name="Random Voxtral Realtime, seed 5",
        )
        assert (tmp_path / "direct.gguf").read_bytes() == (tmp_path / "quantized.gguf").read_bytes()
    assert read_header(tmp_path / "direct.gguf").metadata["general.license"] == "cc0-1.0"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1535), st.integers(0, 1536))
def test_any_rows_of_a_tensor_are_the_same_however_they_are_read(start: int, stop: int) -> None:
    sizes = SynthSizes(TINY.encoder, TINY.decoder, vocab_size=8000)
    model = SynthModel(sizes, seed=1)
    entry = model.tensors[EMBEDDING]
    # Rows are drawn in groups of 1638 here: the range is laid over the border between two.
    start, stop = 1000 + min(start, stop), 1000 + max(start, stop)
    whole = model.read_rows(entry, 0, 8000)
    assert model.read_rows(entry, start, stop) == whole[start * entry.row_bytes : stop * entry.row_bytes]


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        synth_checkpoint(tmp_path / name, TINY, seed)
    first, again, other = (
        (tmp_path / name / "consolidated.safetensors").read_bytes() for name in ("a", "b", "c")
    )
    assert first == again != other
    values = read_weights(tmp_path / "a")
    assert not np.array_equal(values["layers.0.attention.wk.weight"], values["layers.1.attention.wk.weight"])


def test_weights_keep_activations_near_one(tmp_path: Path) -> None:
    synth_checkpoint(tmp_path, TINY)
    for name, tensor in read_weights(tmp_path).items():
        spread = float(tensor.std())
        if name.endswith("norm.weight"):
            assert float(tensor.mean()) == pytest.approx(1.0, abs=0.06)
            assert 0.1 < spread < 0.2
        elif tensor.ndim > 1:
            # Times the square root of the inputs, this is the growth of a signal through the matrix.
            assert 0.6 < spread * np.sqrt(tensor[0].size) < 2.4, name
            assert abs(float(tensor.mean())) < 0.2 * spread


def test_the_vocabulary_is_the_bytes_and_distinct_pieces() -> None:
    tekken_json = json.dumps(SynthModel(PRESETS["tiny"]).tekken_json).encode()
    tekken = Tekken.from_json(tekken_json)
    assert [tekken.token_bytes(1000 + value) for value in range(256)] == [
        bytes([value]) for value in range(256)
    ]
    pieces = SynthModel(PRESETS["voxtral-realtime-4b"]).tekken.vocab_b64
    assert len(set(pieces)) == len(pieces) == 130072
    assert tekken.decode([1000 + ord("H"), 1000 + ord("i"), 33, 32]) == "Hi"


def test_impossible_sizes_and_seeds_are_refused(tmp_path: Path) -> None:
    for sizes, seed, code in (
        (SynthSizes(TINY.encoder, TINY.decoder, vocab_size=1255), 0, "option-invalid"),
        (SynthSizes(TINY.encoder, TINY.decoder, vocab_size=1536, ada_dim=0), 0, "checkpoint-invalid"),
        (TINY, -1, "option-invalid"),
    ):
        with pytest.raises(VoxtabError) as caught:
            synth_checkpoint(tmp_path / "out", sizes, seed)
        assert caught.value.code == code
    assert not list(tmp_path.iterdir())


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    makers: list[Callable[[], None]] = [
        lambda: synth_checkpoint(tmp_path, TINY, progress=interrupt),
        lambda: synth_gguf(tmp_path / "m.gguf", TINY, progress=interrupt),
    ]
    for make in makers:
        with pytest.raises(KeyboardInterrupt):
            make()
    assert not list(tmp_path.iterdir())


def test_the_command_makes_a_folder_or_a_gguf(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(app, ["synth", "--preset", "tiny", "-o", str(tmp_path / "folder")]).exit_code == 0
    with Checkpoint(tmp_path / "folder") as checkpoint:
        assert checkpoint.sizes == TINY
        assert checkpoint.licence == "cc0-1.0"
    out = tmp_path / "m.gguf"
    assert (
        run(app, ["synth", "--preset", "tiny", "--seed", "9", "--type", "q8_0", "-o", str(out)]).exit_code
        == 0
    )
    assert read_header(out).metadata["general.file_type"] == 7
    unknown = run(app, ["synth", "--preset", "huge", "-o", str(tmp_path / "x")])
    assert unknown.exit_code == 2
    assert "error[option-invalid]: 'huge' is no preset." in unknown.stderr


def test_the_command_replaces_a_gguf_or_a_checkpoint_only_with_force(tmp_path: Path) -> None:
    run = CliRunner().invoke
    folder, out = tmp_path / "folder", tmp_path / "m.gguf"
    folder.mkdir()
    for mine, target in ((folder / "tekken.json", folder), (out, out)):
        mine.write_bytes(b"mine")
        result = run(app, ["synth", "-o", str(target)])
        assert result.exit_code == 2
        assert f"error[option-invalid]: {mine} exists already." in result.stderr
        assert "--force" in result.stderr
        assert mine.read_bytes() == b"mine"
        assert run(app, ["synth", "-o", str(target), "--force"]).exit_code == 0
        assert mine.read_bytes() != b"mine"
    with Checkpoint(folder) as checkpoint:
        assert checkpoint.sizes == TINY


def test_a_folder_may_hold_other_files_and_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert CliRunner().invoke(app, ["synth", "-o", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"
    result = CliRunner().invoke(app, ["synth", "-o", str(tmp_path / "notes.txt"), "--force"])
    assert result.exit_code == 2
    assert f"error[option-invalid]: {tmp_path / 'notes.txt'} is a file." in result.stderr


@pytest.mark.parametrize("option", [["--type", "f32"], ["--scales", "absmax"], ["--names", "mistral"]])
def test_options_of_a_gguf_are_refused_for_a_folder(option: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["synth", "-o", str(tmp_path / "folder"), *option])
    assert result.exit_code == 2
    assert f"error[option-invalid]: {option[0]} is for a GGUF" in result.stderr
    assert not list(tmp_path.iterdir())
