"""voxtab-shards synth for speech: random models with the real names, shapes, layout and voices."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from typer.testing import CliRunner

from shard_tools.checkpoint import Checkpoint
from shard_tools.cli import app
from shard_tools.gguf_header import read_header
from shard_tools.quantize import quantize_checkpoint
from shard_tools.synth import SPEECH_PRESETS, SynthModel, synth_checkpoint, synth_gguf
from shard_tools.tts_voices import PUBLISHED
from tests.checkpoints import read_weights
from voxtab.errors import VoxtabError
from voxtab.models.tts_config import TtsConfig

GOLDEN = Path(__file__).parents[1] / "data" / "tts-tiny"
TINY = SPEECH_PRESETS["tiny-tts"]
TWO = {"casual_male": 5, "fr_female": 3}


def test_the_4b_preset_has_the_size_and_the_voices_of_the_real_model() -> None:
    model = SynthModel(SPEECH_PRESETS["voxtral-tts-4b"])
    assert len(model.tensors) == 386
    assert sum(entry.nbytes for entry in model.tensors.values()) == 2 * 4_002_353_392
    assert {voice.name: voice.rows for voice in model.voices} == PUBLISHED == model.tekken.voice_rows
    assert {len(voice.data) // voice.rows for voice in model.voices} == {2 * 3072}
    assert len(model.tekken.vocab_b64) == 131072 - 1000


def test_names_and_shapes_are_those_of_the_golden_checkpoint() -> None:
    with Checkpoint(GOLDEN) as checkpoint:
        made = SynthModel(checkpoint.sizes).tensors
    assert {name: entry.shape for name, entry in made.items()} == {
        name: tensor.shape for name, tensor in read_weights(GOLDEN).items()
    }


def test_safetensors_and_torch_read_the_checkpoint(tmp_path: Path) -> None:
    synth_checkpoint(tmp_path, TINY, seed=3)
    with safe_open(tmp_path / "consolidated.safetensors", framework="pt") as file:
        assert set(file.keys()) == set(TINY.tensor_shapes())
    voices = sorted((tmp_path / "voice_embedding").iterdir())
    assert [path.stem for path in voices] == sorted(PUBLISHED)
    for path in voices:
        rows = torch.load(path, weights_only=True)
        assert rows.dtype == torch.bfloat16
        assert tuple(rows.shape) == (PUBLISHED[path.stem], 128)
        assert 0.9 < float(rows.float().std()) < 1.1


def test_a_gguf_made_directly_equals_the_quantized_checkpoint(tmp_path: Path) -> None:
    synth_checkpoint(tmp_path / "checkpoint", TINY, seed=5, voices=TWO)
    for kind in ("q4_0", "f32"):
        synth_gguf(tmp_path / "direct.gguf", TINY, seed=5, types=kind, voices=TWO)
        quantized = tmp_path / "quantized.gguf"
        quantize_checkpoint(tmp_path / "checkpoint", quantized, kind, model_name="Random Voxtral TTS, seed 5")
        assert (tmp_path / "direct.gguf").read_bytes() == quantized.read_bytes()
    metadata = read_header(tmp_path / "direct.gguf").metadata
    config = TtsConfig.from_gguf(metadata)
    assert [(voice.name, voice.language, voice.rows) for voice in config.voices] == [
        ("casual_male", "en", 5),
        ("fr_female", "fr", 3),
    ]
    assert (metadata["general.license"], config.voice_license) == ("cc0-1.0", "cc0-1.0")
    assert (config.repeat_audio_text, config.next_audio_text) == (35, 36)


def test_the_seed_decides_everything() -> None:
    first, again, other = (SynthModel(TINY, seed, TWO) for seed in (1, 1, 2))
    assert first.voices == again.voices != other.voices
    name = "acoustic_transformer.layers.0.attention.wq.weight"
    rows = [model.read_rows(model.tensors[name], 0, 256) for model in (first, again, other)]
    assert rows[0] == rows[1] != rows[2]


def test_weights_keep_activations_near_one(tmp_path: Path) -> None:
    synth_checkpoint(tmp_path, TINY, voices=TWO)
    weights = read_weights(tmp_path)
    for name, tensor in weights.items():
        if tensor.ndim == 2 and "embedding" not in name:
            growth = float(tensor.std()) * np.sqrt(tensor.shape[1])
            assert 0.6 < growth < (3.3 if "semantic_codebook_output" in name else 2), name
    codes = weights["mm_audio_embeddings.audio_codebook_embeddings.embeddings.weight"]
    tokens = weights["mm_audio_embeddings.tok_embeddings.weight"]
    assert float(codes[:37].sum(axis=0).std()) == pytest.approx(float(tokens.std()), rel=0.3)
    assert float(weights["audio_tokenizer.quantizer.semantic_codebook.cluster_usage"].min()) > 0.4


def test_unspeakable_voices_and_impossible_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VoxtabError, match="is no name for a voice"):
        synth_checkpoint(tmp_path / "out", TINY, voices={"../up": 3})
    with pytest.raises(VoxtabError, match="gives the voice 'casual_male' 0 tokens"):
        synth_checkpoint(tmp_path / "out", TINY, voices={"casual_male": 0})
    assert not list(tmp_path.iterdir())


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synth_checkpoint(tmp_path, TINY, progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_the_command_makes_a_folder_or_a_gguf_and_keeps_what_is_there(tmp_path: Path) -> None:
    run = CliRunner().invoke
    folder, out = tmp_path / "folder", tmp_path / "m.gguf"
    assert run(app, ["synth", "--preset", "tiny-tts", "-o", str(folder)]).exit_code == 0
    with Checkpoint(folder) as checkpoint:
        assert checkpoint.sizes == TINY
        assert [voice.name for voice in checkpoint.voices] == list(PUBLISHED)
    assert run(app, ["synth", "--preset", "tiny-tts", "-o", str(out)]).exit_code == 0
    assert read_header(out).metadata["general.architecture"] == "voxtral_tts"
    for name in ("README.md", "params.json", "tekken.json", "consolidated.safetensors"):
        (folder / name).unlink()
    result = run(app, ["synth", "--preset", "tiny-tts", "-o", str(folder)])
    assert result.exit_code == 2
    assert "casual_female.pt exists already." in result.stderr
