"""Voxtral Realtime as Hugging Face transformers computes it: the truth the engine is held against.

`Reference(checkpoint)` reads a checkpoint in Mistral's layout (params.json, consolidated.safetensors,
tekken.json), converts it in memory and runs transformers' own `VoxtralRealtime` classes on the CPU: float32,
eager attention, one thread. Every number from the padded audio on is transformers'; this file adds the names,
the row order of wq and wk, the padding and the greedy loop.

mistral_common, which transformers' processor needs for padding and prompt, is left out: it wants pydantic 2,
which pyodide-build on Python 3.11 refuses. The padding below is checked against golden data made with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from transformers import (
    DynamicCache,
    VoxtralRealtimeConfig,
    VoxtralRealtimeEncoderConfig,
    VoxtralRealtimeFeatureExtractor,
    VoxtralRealtimeForConditionalGeneration,
    VoxtralRealtimeTextConfig,
)

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]

SAMPLE_RATE = 16000
TOKEN_MS = 80
TOKEN_SAMPLES = SAMPLE_RATE * TOKEN_MS // 1000  # 1280
FINISH_TOKENS = 11  # silence behind the delay: 1 for the look-ahead, 10 for the model to finish its sentence
BOS, EOS, STREAMING_PAD = 1, 2, 32

EMBEDDING = "mm_streams_embeddings.embedding_module."
ENCODER = EMBEDDING + "whisper_encoder."


@dataclass(frozen=True)
class Expected:
    """Outputs under the golden files' names. N audio tokens, L prompt ids, S = N - L + 1 generated tokens."""

    prompt_ids: Ids  # [L]
    mel: Floats  # [128, 8 N]
    conv_out: Floats  # [4 N, encoder dim], behind the second GELU
    enc_out: Floats  # [4 N, encoder dim], behind the final norm
    adapter_out: Floats  # [N, decoder dim]
    logits: Floats  # [S, vocabulary], at positions L-1 .. N-1
    tokens_full: Ids  # [S], greedy; EOS is fed back like any other token
    tokens: Ids  # [<= S], tokens_full up to and including the first EOS
    margin: Floats  # [S], best minus second-best logit


class Reference:
    """One checkpoint, ready to transcribe.

    checkpoint: a folder in Mistral's layout. q4_0: replace every matrix that Q4_0 can hold by its round trip
    through gguf-py's quantizer (`--scales absmax` here) before computing in float32.
    """

    model: VoxtralRealtimeForConditionalGeneration

    def __init__(self, checkpoint: Path, *, q4_0: bool = False) -> None:
        torch.set_num_threads(1)
        params = json.loads((checkpoint / "params.json").read_text())
        self.left_pad_tokens: int = json.loads((checkpoint / "tekken.json").read_text())["audio"][
            "streaming_n_left_pad_tokens"
        ]
        weights = {
            name: tensor.float()
            for name, tensor in load_file(checkpoint / "consolidated.safetensors").items()
        }
        if q4_0:
            weights = {name: q4_0_round_trip(tensor) for name, tensor in weights.items()}
        self.model = build_model(params, weights)
        audio = params["multimodal"]["whisper_model_args"]["encoder_args"]["audio_encoding_args"]
        self.features = VoxtralRealtimeFeatureExtractor(
            feature_size=audio["num_mel_bins"],
            sampling_rate=audio["sampling_rate"],
            hop_length=audio["hop_length"],
            n_fft=audio["window_size"],
            win_length=audio["window_size"],
            global_log_mel_max=audio["global_log_mel_max"],
        )

    def transcribe(self, audio: Floats, *, delay_ms: int = 480) -> Expected:
        """audio: [samples], mono, 16 kHz, in [-1, 1]; delay_ms: a positive multiple of 80."""
        return self.listen(self.log_mel(audio, delay_ms=delay_ms), delay_ms=delay_ms)

    @torch.inference_mode()
    def log_mel(self, audio: Floats, *, delay_ms: int = 480) -> Floats:
        """[128, 8 N] of the padded audio, by transformers' feature extractor."""
        padded = pad(audio, left=self.left_pad_tokens, right=delay_tokens(delay_ms) + FINISH_TOKENS)
        features = self.features(padded, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features
        return np.asarray(features[0].numpy())

    @torch.inference_mode()
    def listen(self, mel: Floats, *, delay_ms: int = 480) -> Expected:
        """mel: [128, 8 N], padding included; everything behind the feature extractor."""
        delay = delay_tokens(delay_ms)
        prompt = [BOS] + [STREAMING_PAD] * (self.left_pad_tokens + delay)
        tower = self.model.model.audio_tower
        conv_out = tower.embedder(torch.from_numpy(mel)[None])
        audio_out = self.model.get_audio_features(encoder_inputs_embeds=conv_out, use_cache=False)
        adapter_out = audio_out.pooler_output
        logits, tokens_full = self._greedy(adapter_out, prompt, delay)

        eos = np.flatnonzero(tokens_full == EOS)
        best = torch.topk(logits, 2, dim=-1).values
        return Expected(
            prompt_ids=np.array(prompt, np.int32),
            mel=mel,
            conv_out=conv_out[0].numpy(),
            enc_out=audio_out.last_hidden_state[0].numpy(),
            adapter_out=adapter_out[0].numpy(),
            logits=logits.numpy(),
            tokens_full=tokens_full,
            tokens=tokens_full[: eos[0] + 1] if eos.size else tokens_full,
            margin=(best[:, 0] - best[:, 1]).numpy(),
        )

    def _greedy(self, adapter_out: torch.Tensor, prompt: list[int], delay: int) -> tuple[torch.Tensor, Ids]:
        """Prefill with the prompt, then one token a position up to the last one that has audio.

        `generate` is not used: it stops at EOS and never feeds the last position.
        """
        decoder = self.model.model.language_model
        t_cond = self.model.model.time_embedding(torch.full((1,), float(delay)))[None]
        cache = DynamicCache(config=self.model.config.text_config)
        rows: list[torch.Tensor] = []
        tokens: list[int] = []
        ids, start = prompt, 0
        while start + len(ids) <= adapter_out.shape[1]:
            embeddings = decoder.embed_tokens(torch.tensor([ids])) + adapter_out[:, start : start + len(ids)]
            hidden = decoder(inputs_embeds=embeddings, t_cond=t_cond, past_key_values=cache, use_cache=True)
            rows.append(self.model.lm_head(hidden.last_hidden_state[0, -1]))
            start += len(ids)
            ids = [int(rows[-1].argmax())]
            tokens += ids
        return torch.stack(rows), np.array(tokens, np.int32)


def delay_tokens(delay_ms: int) -> int:
    """480 -> 6. Raises ValueError for what is not a positive multiple of 80."""
    if delay_ms <= 0 or delay_ms % TOKEN_MS:
        raise ValueError(f"delay_ms is {delay_ms}, not a positive multiple of {TOKEN_MS}")
    return delay_ms // TOKEN_MS


def pad(audio: Floats, *, left: int, right: int) -> Floats:
    """Silence around the recording: `left` tokens before, up to a whole token and `right` more behind it."""
    align = -len(audio) % TOKEN_SAMPLES
    return np.pad(audio.astype(np.float32), (left * TOKEN_SAMPLES, align + right * TOKEN_SAMPLES))


def q4_0_round_trip(weight: torch.Tensor) -> torch.Tensor:
    """What gguf-py's Q4_0 leaves of a weight; vectors, convolutions and odd row lengths pass unchanged."""
    if weight.ndim != 2 or weight.shape[1] % 32:
        return weight
    q4_0 = gguf.GGMLQuantizationType.Q4_0
    blocks = gguf.quants.quantize(weight.numpy(), q4_0)
    return torch.from_numpy(gguf.quants.dequantize(blocks, q4_0).reshape(weight.shape))


def build_model(
    params: dict[str, Any], weights: dict[str, torch.Tensor]
) -> VoxtralRealtimeForConditionalGeneration:
    """transformers' model with Mistral's weights (float32). Every weight finds its place, or this raises."""
    config = model_config(params)
    model = VoxtralRealtimeForConditionalGeneration(config).eval().float()
    if (ada := params["ada_rms_norm_t_cond_dim"]) != 32:
        # transformers knows one width of the time conditioning, the real model's.
        for layer in model.model.language_model.layers:
            layer.ada_rms_norm.linear1 = torch.nn.Linear(config.text_config.hidden_size, ada, bias=False)
            layer.ada_rms_norm.linear2 = torch.nn.Linear(ada, config.text_config.hidden_size, bias=False)
    model.load_state_dict(converted_weights(config, weights), strict=True)
    return model


def model_config(params: dict[str, Any]) -> VoxtralRealtimeConfig:
    """params.json in transformers' words."""
    whisper = params["multimodal"]["whisper_model_args"]
    encoder = whisper["encoder_args"]
    fixed = [
        (encoder["use_biases"], True),
        (encoder["n_kv_heads"], encoder["n_heads"]),
        (params["use_biases"], False),
        (params["tied_embeddings"], True),
        (params["ada_rms_norm_t_cond"], True),
    ]
    if any(given != supported for given, supported in fixed):
        raise ValueError(f"params.json describes a model that transformers has no class for: {params}")
    config = VoxtralRealtimeConfig(
        audio_config=VoxtralRealtimeEncoderConfig(
            hidden_size=encoder["dim"],
            num_hidden_layers=encoder["n_layers"],
            num_attention_heads=encoder["n_heads"],
            head_dim=encoder["head_dim"],
            intermediate_size=encoder["hidden_dim"],
            num_mel_bins=encoder["audio_encoding_args"]["num_mel_bins"],
            rms_norm_eps=encoder["norm_eps"],
            sliding_window=encoder["sliding_window"],
            rope_parameters={"rope_type": "default", "rope_theta": encoder["rope_theta"]},
        ),
        text_config=VoxtralRealtimeTextConfig(
            vocab_size=params["vocab_size"],
            hidden_size=params["dim"],
            num_hidden_layers=params["n_layers"],
            num_attention_heads=params["n_heads"],
            num_key_value_heads=params["n_kv_heads"],
            head_dim=params["head_dim"],
            intermediate_size=params["hidden_dim"],
            rms_norm_eps=params["norm_eps"],
            sliding_window=params["sliding_window"],
            max_position_embeddings=params["model_max_length"],
            rope_parameters={"rope_type": "default", "rope_theta": params["rope_theta"]},
        ),
        downsample_factor=whisper["downsample_args"]["downsample_factor"],
        tie_word_embeddings=True,
    )
    config._attn_implementation = "eager"
    return config


def converted_weights(
    config: VoxtralRealtimeConfig, weights: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Mistral's tensor names and row order -> transformers'. Raises KeyError for a tensor without a place."""
    names = {
        EMBEDDING + "tok_embeddings.weight": "model.language_model.embed_tokens.weight",
        EMBEDDING + "audio_language_projection.0.weight": "model.multi_modal_projector.linear_1.weight",
        EMBEDDING + "audio_language_projection.2.weight": "model.multi_modal_projector.linear_2.weight",
        ENCODER + "transformer.norm.weight": "model.audio_tower.norm.weight",
        "norm.weight": "model.language_model.norm.weight",
    }
    for conv in (0, 1):
        for part in ("weight", "bias"):
            names[f"{ENCODER}conv_layers.{conv}.conv.{part}"] = (
                f"model.audio_tower.embedder.conv{conv + 1}.{part}"
            )
    linear = {
        "attention.wq": "self_attn.q_proj",
        "attention.wk": "self_attn.k_proj",
        "attention.wv": "self_attn.v_proj",
        "attention.wo": "self_attn.o_proj",
        "feed_forward.w1": "mlp.gate_proj",
        "feed_forward.w2": "mlp.down_proj",
        "feed_forward.w3": "mlp.up_proj",
    }
    encoder_layer = {**linear, "attention_norm": "self_attn_layer_norm", "ffn_norm": "final_layer_norm"}
    decoder_layer = {
        **linear,
        "attention_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
        "ada_rms_norm_t_cond.0": "ada_rms_norm.linear1",
        "ada_rms_norm_t_cond.2": "ada_rms_norm.linear2",
    }
    for layer in range(config.audio_config.num_hidden_layers):
        for mistral, theirs in encoder_layer.items():
            for part in ("weight", "bias"):
                names[f"{ENCODER}transformer.layers.{layer}.{mistral}.{part}"] = (
                    f"model.audio_tower.layers.{layer}.{theirs}.{part}"
                )
    for layer in range(config.text_config.num_hidden_layers):
        for mistral, theirs in decoder_layer.items():
            names[f"layers.{layer}.{mistral}.weight"] = f"model.language_model.layers.{layer}.{theirs}.weight"

    converted: dict[str, torch.Tensor] = {}
    for name, weight in weights.items():
        head_dim = (config.audio_config if name.startswith(ENCODER) else config.text_config).head_dim
        rotated = ".wq." in name or ".wk." in name
        converted[names[name]] = halves_from_pairs(weight, head_dim) if rotated else weight
    converted["lm_head.weight"] = converted["model.language_model.embed_tokens.weight"]
    return converted


def halves_from_pairs(rows: torch.Tensor, head_dim: int) -> torch.Tensor:
    """Reorder each head's rows (weight or bias) from RoPE pairs (2j, 2j+1) to pairs (j, j + head_dim/2)."""
    pairs = rows.reshape(-1, head_dim // 2, 2, *rows.shape[1:])
    return pairs.transpose(1, 2).reshape(rows.shape)
