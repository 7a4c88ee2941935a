"""Damaged and hostile speech checkpoints: each is refused with a code, before anything is written."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from shard_tools.quantize import quantize_checkpoint
from tests.checkpoints import copy_checkpoint, edit_json
from voxtab.errors import VoxtabError

GOLDEN = Path(__file__).parents[1] / "data" / "tts-tiny"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    copy = copy_checkpoint(GOLDEN, tmp_path / "checkpoint")
    shutil.copytree(GOLDEN / "voice_embedding", copy / "voice_embedding")
    return copy


def _refused(checkpoint: Path) -> VoxtabError:
    with pytest.raises(VoxtabError) as caught:
        quantize_checkpoint(checkpoint, checkpoint.parent / "m.gguf")
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]
    assert caught.value.message.endswith(".")
    return caught.value


Edit = Callable[[Any], Any]


def _audio(params: Any) -> Any:
    return params["multimodal"]["audio_model_args"]


def _head(params: Any) -> Any:
    return _audio(params)["acoustic_transformer_args"]


def _codec(params: Any) -> Any:
    return params["multimodal"]["audio_tokenizer_args"]


PARAMS: dict[str, tuple[str, Edit]] = {
    "dim-text": ("checkpoint-invalid", lambda p: p.update(dim="128")),
    "dim-other": ("not-voxtral", lambda p: p.update(dim=96)),
    "layers-huge": ("checkpoint-invalid", lambda p: p.update(n_layers=10**9)),
    "layers-more": ("checkpoint-invalid", lambda p: p.update(n_layers=4)),
    "kv-heads": ("checkpoint-invalid", lambda p: p.update(n_kv_heads=3)),
    "positions-zero": ("checkpoint-invalid", lambda p: p.update(max_position_embeddings=0)),
    "theta-nan": ("checkpoint-invalid", lambda p: p.update(rope_theta=float("nan"))),
    "audio-list": ("checkpoint-invalid", lambda p: p["multimodal"].update(audio_model_args=[])),
    "audio-missing": ("not-voxtral", lambda p: p["multimodal"].pop("audio_model_args")),
    "head-missing": ("checkpoint-invalid", lambda p: _audio(p).pop("acoustic_transformer_args")),
    "head-wider": ("not-voxtral", lambda p: _head(p).update(dim=256, input_dim=256)),
    "steps-huge": ("checkpoint-invalid", lambda p: _head(p).update(n_decoding_steps=10**6)),
    "concatenated": ("not-voxtral", lambda p: _audio(p).update(input_embedding_concat_type="cat")),
    "codebooks": ("not-voxtral", lambda p: _audio(p).update(n_acoustic_codebook=35)),
    "levels-float": ("checkpoint-invalid", lambda p: _audio(p).update(acoustic_codebook_size=21.0)),
    "codec-missing": ("checkpoint-invalid", lambda p: p["multimodal"].pop("audio_tokenizer_args")),
    "codec-semantic": ("not-voxtral", lambda p: _codec(p).update(semantic_codebook_size=512)),
    "codec-grouped": ("not-voxtral", lambda p: _codec(p).update(n_kv_heads=2)),
    "codec-stereo": ("not-voxtral", lambda p: _codec(p).update(channels=2)),
    "codec-unnormed": ("not-voxtral", lambda p: _codec(p).update(conv_weight_norm=False)),
    "kernels": ("not-voxtral", lambda p: _codec(p).update(decoder_convs_kernels_str="3,4,4,5")),
    "strides": ("not-voxtral", lambda p: _codec(p).update(decoder_convs_strides_str="1,2,2,4")),
    "stages-text": (
        "checkpoint-invalid",
        lambda p: _codec(p).update(decoder_transformer_lengths_str="2,2,x,2"),
    ),
    "stages-list": ("checkpoint-invalid", lambda p: _codec(p).update(decoder_transformer_lengths_str=[2])),
    "stages-long": (
        "checkpoint-invalid",
        lambda p: _codec(p).update(decoder_transformer_lengths_str="2," * 999),
    ),
    "stages-empty": ("checkpoint-invalid", lambda p: _codec(p).update(decoder_transformer_lengths_str="")),
    "stages-digits": (
        "checkpoint-invalid",
        lambda p: _codec(p).update(decoder_transformer_lengths_str="²,2"),
    ),
    "window": ("checkpoint-invalid", lambda p: _codec(p).update(attn_sliding_window_size=12)),
}


@pytest.mark.parametrize("case", PARAMS)
def test_bad_params_json_is_refused(case: str, checkpoint: Path) -> None:
    code, edit = PARAMS[case]
    edit_json(checkpoint / "params.json", edit)
    assert _refused(checkpoint).code == code


TEKKEN: dict[str, tuple[str, Edit]] = {
    "list": ("tokenizer-invalid", lambda t: t["audio"].update(voice_num_audio_tokens=[])),
    "text": ("tokenizer-invalid", lambda t: t["audio"]["voice_num_audio_tokens"].update(casual_male="13")),
    "bool": ("tokenizer-invalid", lambda t: t["audio"]["voice_num_audio_tokens"].update(casual_male=True)),
    "zero": ("tokenizer-invalid", lambda t: t["audio"]["voice_num_audio_tokens"].update(casual_male=0)),
    "huge": ("tokenizer-invalid", lambda t: t["audio"]["voice_num_audio_tokens"].update(casual_male=10**9)),
    "many": (
        "tokenizer-invalid",
        lambda t: t["audio"].update(voice_num_audio_tokens={f"v{i}": 1 for i in range(300)}),
    ),
    "one-more": ("checkpoint-invalid", lambda t: t["audio"]["voice_num_audio_tokens"].update(casual_male=14)),
    "unlisted": ("checkpoint-invalid", lambda t: t["audio"].pop("voice_num_audio_tokens")),
    "another": ("checkpoint-invalid", lambda t: t["audio"]["voice_num_audio_tokens"].update(fr_male=97)),
    "short": ("tokenizer-invalid", lambda t: t.update(vocab=t["vocab"][:100])),
}


@pytest.mark.parametrize("case", TEKKEN)
def test_a_bad_list_of_voices_is_refused(case: str, checkpoint: Path) -> None:
    code, edit = TEKKEN[case]
    edit_json(checkpoint / "tekken.json", edit)
    assert _refused(checkpoint).code == code


def test_missing_and_foreign_voices_are_refused(checkpoint: Path) -> None:
    voice = checkpoint / "voice_embedding" / "casual_male.pt"
    data = voice.read_bytes()
    torch.save({"not": "a voice"}, voice)
    error = _refused(checkpoint)
    assert error.code == "checkpoint-invalid"
    assert error.message.startswith("voice_embedding/casual_male.pt is no voice")
    voice.unlink()
    assert "lacks the voice 'casual_male'" in _refused(checkpoint).message
    voice.write_bytes(data)
    quantize_checkpoint(checkpoint, checkpoint.parent / "m.gguf")
