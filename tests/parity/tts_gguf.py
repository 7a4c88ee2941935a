"""A speech checkpoint as GGUF by gguf-py alone, for tests of the engine that trust no writer of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from tests.checkpoints import Float32, read_weights

_F32 = gguf.GGMLQuantizationType.F32
_BF16 = gguf.GGMLQuantizationType.BF16
_Q4_0 = gguf.GGMLQuantizationType.Q4_0

_PREFIXES = (
    ("mm_audio_embeddings.audio_codebook_embeddings.embeddings.", "audio_codebook_embeddings."),
    ("mm_audio_embeddings.tok_embeddings.", "tok_embeddings."),
    ("acoustic_transformer.", "acoustic."),
    ("audio_tokenizer.", "codec."),
)
_PARTS = (
    ("parametrizations.weight.original0", "weight_g"),
    ("parametrizations.weight.original1", "weight_v"),
)


def write_tts_gguf(checkpoint: Path, target: Path, weights: str) -> Path:
    """`weights`: "f32", or "q4_0" as the golden files mean it: matrices outside the quantizer whose rows divide by 32.

    What "q4_0" leaves alone stays BF16 (convolutions, quantizer, input projection) or F32 (norms, scales).
    """
    writer = gguf.GGUFWriter(target, "voxtral_tts")
    _metadata(writer, checkpoint)
    for name, values in read_weights(checkpoint).items():
        flat = values.reshape(-1) if name.endswith("weight.original0") else values
        _tensor(writer, file_name(name), flat, _F32 if weights == "f32" else _type(name, values))
    for voice, rows in read_voices(checkpoint).items():
        _tensor(writer, f"voice.{voice}", rows, _BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def file_name(name: str) -> str:
    """Mistral's name of a tensor -> the one in the GGUF."""
    for long, short in _PREFIXES:
        if name.startswith(long):
            name = short + name.removeprefix(long)
            break
    for long, short in _PARTS:
        name = name.replace(long, short)
    return name


def read_voices(checkpoint: Path) -> dict[str, Float32]:
    """Rows of every voice as torch reads them."""
    files = sorted((checkpoint / "voice_embedding").glob("*.pt"))
    tensors = {path.stem: torch.load(path, weights_only=True) for path in files}
    return {name: tensor.float().numpy() for name, tensor in tensors.items()}


def _type(name: str, values: Float32) -> gguf.GGMLQuantizationType:
    if "norm" in name or name.endswith("_scale"):
        return _F32
    if values.ndim == 2 and values.shape[1] % 32 == 0 and ".quantizer." not in name:
        return _Q4_0
    return _BF16


def _tensor(writer: gguf.GGUFWriter, name: str, values: Float32, kind: gguf.GGMLQuantizationType) -> None:
    if kind == _F32:
        writer.add_tensor(name, values)
        return
    data = gguf.quants.quantize(values, kind).view(np.uint8)
    writer.add_tensor(name, data, raw_shape=data.shape, raw_dtype=kind)


def _metadata(writer: gguf.GGUFWriter, checkpoint: Path) -> None:
    params: dict[str, Any] = json.loads((checkpoint / "params.json").read_text())
    audio = params["multimodal"]["audio_model_args"]
    acoustic = audio["acoustic_transformer_args"]
    codec = params["multimodal"]["audio_tokenizer_args"]
    tekken: dict[str, Any] = json.loads((checkpoint / "tekken.json").read_text())
    writer.add_name(checkpoint.name)
    writer.add_license("CC-BY-NC-4.0")
    _numbers(writer, "", {"vocab_size": params["vocab_size"]})
    _stack(writer, "backbone.", params)
    _numbers(
        writer,
        "backbone.",
        {"rope_theta": float(params["rope_theta"]), "max_position": params["max_position_embeddings"]},
    )
    _stack(writer, "acoustic.", {"norm_eps": params["norm_eps"], **acoustic})
    head = {
        "n_codebooks": audio["n_acoustic_codebook"],
        "levels": audio["acoustic_codebook_size"],
        "n_steps": 7,
        "cfg_alpha": 1.2,
    }
    _numbers(writer, "acoustic.", head)
    size = audio["semantic_codebook_size"]
    # The head's rows: the codes and two special ones, padded to a multiple of 128.
    _numbers(writer, "semantic.", {"codebook_size": size, "head_rows": -(-(size + 2) // 128) * 128})
    _codec(writer, codec)
    tokens = {"bos": 1, "audio": 24, "begin_audio": 25, "repeat_audio_text": 35, "next_audio_text": 36}
    _numbers(writer, "token.", tokens)
    voices = read_voices(checkpoint)
    writer.add_array("voxtral_tts.voice.names", list(voices))
    writer.add_array("voxtral_tts.voice.languages", ["en"] * len(voices))
    writer.add_array("voxtral_tts.voice.rows", [len(rows) for rows in voices.values()])
    writer.add_string("voxtral_tts.voice.license", "CC-BY-NC-4.0")
    _tokenizer(writer, tekken, params["vocab_size"])


def _codec(writer: gguf.GGUFWriter, codec: dict[str, Any]) -> None:
    _numbers(
        writer,
        "codec.",
        {
            **{k: codec[k] for k in ("dim", "n_heads", "head_dim", "hidden_dim", "norm_eps", "qk_norm_eps")},
            "semantic_dim": codec["semantic_dim"],
            "patch_size": codec["pretransform_patch_size"],
            "sample_rate": codec["sampling_rate"],
        },
    )
    layers = _listed(codec["decoder_transformer_lengths_str"])
    strides = _listed(codec["decoder_convs_strides_str"])
    window = codec["attn_sliding_window_size"]
    _numbers(
        writer, "codec.", {"samples_per_frame": codec["pretransform_patch_size"] * int(np.prod(strides))}
    )
    writer.add_array("voxtral_tts.codec.n_layers", layers)
    # Halved at every stride between a stage and the samples.
    windows = [window // int(np.prod(strides[stage + 1 :])) for stage in range(len(layers))]
    writer.add_array("voxtral_tts.codec.windows", windows)


def _tokenizer(writer: gguf.GGUFWriter, tekken: dict[str, Any], vocab_size: int) -> None:
    special = tekken["config"]["default_num_special_tokens"]
    prefix = "voxtral.tokenizer."
    writer.add_string(prefix + "pattern", tekken["config"]["pattern"])
    writer.add_int32(prefix + "num_special_tokens", special)
    vocabulary = [entry["token_bytes"] for entry in tekken["vocab"][: vocab_size - special]]
    writer.add_array(prefix + "vocab_token_bytes_b64", vocabulary)
    writer.add_array(prefix + "special_token_ranks", [entry["rank"] for entry in tekken["special_tokens"]])
    writer.add_array(
        prefix + "special_token_strings", [entry["token_str"] for entry in tekken["special_tokens"]]
    )


def _stack(writer: gguf.GGUFWriter, prefix: str, stack: dict[str, Any]) -> None:
    keys = ("dim", "n_layers", "n_heads", "n_kv_heads", "head_dim", "hidden_dim", "norm_eps")
    _numbers(writer, prefix, {key: stack[key] for key in keys})


def _numbers(writer: gguf.GGUFWriter, prefix: str, values: Mapping[str, int | float]) -> None:
    for key, value in values.items():
        name = f"voxtral_tts.{prefix}{key}"
        if isinstance(value, float):
            writer.add_float32(name, value)
        else:
            writer.add_int32(name, value)


def _listed(text: str) -> Sequence[int]:
    return [int(part) for part in text.split(",")]
