"""The metadata of a Voxtral Realtime GGUF.

Keys and value types are those of the public voxtral.cpp converter, so that its files and ours open in the
same programs, and a few `general.*` keys that GGUF readers show.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from gguf import GGUFValueType

from shard_tools.gguf_file import Value, boolean, float32, int32, int32s, string, strings, uint32
from shard_tools.sizes import ModelSizes, StackSizes
from shard_tools.tekken_file import TekkenFile
from voxtab.models.asr_config import ARCHITECTURE
from voxtab.models.tensor_names import ENCODER, TOKEN_EMBEDDING

MEL_FILTERS: Final = "audio.mel_filters"
CHECKSUM_KEY: Final = "voxtral.verify.checksum.sha256"
UNKNOWN_CHECKSUM: Final = "0" * 64

# The keys of params.json are short; longer ones are not worth carrying along.
_MAX_KEY: Final = 1000

# general.file_type, as ggml numbers them.
FILE_TYPES: Final = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 7, "bf16": 32}


def checksummed_tensors(sizes: ModelSizes) -> list[str]:
    """The tensors whose float32 values' SHA-256 go into the metadata."""
    return [
        TOKEN_EMBEDDING,
        "layers.0.attention.wq.weight",
        f"layers.{sizes.decoder.layers - 1}.feed_forward.w2.weight",
        ENCODER + "conv_layers.0.conv.weight",
        ENCODER + "transformer.norm.weight",
    ]


def model_metadata(
    sizes: ModelSizes,
    params: Mapping[str, Any],
    tekken: TekkenFile,
    names: Mapping[str, str],
    file_type: str,
    model_name: str,
    licence: str | None,
    mel_filters_sha256: str,
) -> dict[str, Value]:
    """`names` maps Mistral's tensor names to the ones in the file."""
    return {
        **general_metadata(ARCHITECTURE, model_name, licence, file_type),
        "voxtral.format_version": int32(1),
        **_stack("voxtral.decoder.", sizes.decoder),
        **_stack("voxtral.encoder.", sizes.encoder),
        "voxtral.encoder.causal": boolean(True),
        "voxtral.encoder.norm_type": string("rmsnorm"),
        "voxtral.encoder.ffn_type": string("swiglu"),
        "voxtral.decode.offline": boolean(False),
        "voxtral.ada_rms_norm_t_cond": boolean(True),
        "voxtral.ada_rms_norm_t_cond_dim": int32(sizes.ada_dim),
        "voxtral.vocab_size": int32(sizes.vocab_size),
        **_audio(sizes, tekken),
        "voxtral.audio.mel_filters_tensor": string(MEL_FILTERS),
        "voxtral.audio.mel_filters_sha256": string(mel_filters_sha256),
        "voxtral.token.bos": int32(tekken.special("<s>", 1)),
        "voxtral.token.eos": int32(tekken.special("</s>", 2)),
        "voxtral.token.streaming_pad": int32(tekken.special("[STREAMING_PAD]", 32)),
        "voxtral.token.begin_audio": int32(tekken.special("[BEGIN_AUDIO]", 25)),
        "voxtral.token.audio": int32(tekken.special("[AUDIO]", 24)),
        **tokenizer_metadata(tekken),
        "voxtral.verify.checksum.names": strings(checksummed_tensors(sizes)),
        CHECKSUM_KEY: strings([UNKNOWN_CHECKSUM] * len(checksummed_tensors(sizes))),
        "voxtral.tensor_name.src": strings(names),
        "voxtral.tensor_name.dst": strings(names.values()),
        **_flattened(params),
    }


def general_metadata(
    architecture: str, model_name: str, licence: str | None, file_type: str
) -> dict[str, Value]:
    """What programs show of any GGUF."""
    return {
        "general.architecture": string(architecture),
        "general.name": string(model_name),
        **({"general.license": string(licence)} if licence else {}),
        "general.file_type": uint32(FILE_TYPES[file_type]),
        "general.quantization_version": uint32(2),
    }


def tokenizer_metadata(tekken: TekkenFile) -> dict[str, Value]:
    """The vocabulary, under the same keys whatever the model."""
    return {
        "voxtral.tokenizer.pattern": string(tekken.pattern),
        "voxtral.tokenizer.num_special_tokens": int32(tekken.special_count),
        "voxtral.tokenizer.vocab_token_bytes_b64": strings(tekken.vocab_b64),
        "voxtral.tokenizer.special_token_ranks": int32s(tekken.special_ranks),
        "voxtral.tokenizer.special_token_strings": strings(tekken.special_strings),
    }


def _stack(prefix: str, stack: StackSizes) -> dict[str, Value]:
    return {
        prefix + "dim": int32(stack.dim),
        prefix + "n_layers": int32(stack.layers),
        prefix + "n_heads": int32(stack.heads),
        prefix + "head_dim": int32(stack.head_dim),
        prefix + "hidden_dim": int32(stack.ffn),
        prefix + "n_kv_heads": int32(stack.kv_heads),
        prefix + "norm_eps": float32(stack.norm_eps),
        prefix + "rope_theta": float32(stack.rope_theta),
        prefix + "sliding_window": int32(stack.window),
    }


def _audio(sizes: ModelSizes, tekken: TekkenFile) -> dict[str, Value]:
    # A delay that is no whole number of tokens counts as the next one.
    delay_tokens = math.ceil(tekken.delay_ms * sizes.frame_rate / 1000)
    return {
        "voxtral.audio.sample_rate": int32(sizes.sample_rate),
        "voxtral.audio.frame_rate": float32(sizes.frame_rate),
        "voxtral.audio.num_mel_bins": int32(sizes.mel_bins),
        "voxtral.audio.hop_length": int32(sizes.hop_length),
        "voxtral.audio.window_size": int32(sizes.window_size),
        "voxtral.audio.global_log_mel_max": float32(sizes.log_mel_max),
        "voxtral.audio.downsample_factor": int32(sizes.downsample),
        "voxtral.audio.n_delay_tokens": int32(delay_tokens),
        "voxtral.audio.n_left_pad_tokens": int32(tekken.left_pad_tokens),
        "voxtral.audio.n_right_pad_tokens": int32(delay_tokens + 1 + 10),
    }


def _flattened(params: Mapping[str, Any], prefix: str = "voxtral.params.") -> dict[str, Value]:
    """params.json under dotted keys; null and lists have no place in it."""
    flat: dict[str, Value] = {}
    for key, value in sorted(params.items()):
        if isinstance(value, Mapping):
            flat |= _flattened(value, f"{prefix}{key}.")
        elif len(prefix) + len(key) > _MAX_KEY:
            continue
        elif isinstance(value, bool):
            flat[prefix + key] = boolean(value)
        elif isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
            flat[prefix + key] = Value(GGUFValueType.INT64, value)
        elif isinstance(value, float):
            flat[prefix + key] = Value(GGUFValueType.FLOAT64, value)
        elif isinstance(value, str):
            flat[prefix + key] = string(value)
    return flat
