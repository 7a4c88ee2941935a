"""Random checkpoints of any size with the real names and shapes: tests and benchmarks without a download.

A tensor's values depend on the seed and its name alone, so any part can be made at any time and in any order,
and nothing is kept in memory. Scales are chosen so that activations stay near 1 and logits vary.
"""

import json
import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from shard_tools.checkpoint import WEIGHTS
from shard_tools.output_file import writing_set
from shard_tools.progress import Progress, silent
from shard_tools.quantize import Names, TensorTypes, WeightType, quantize_source
from shard_tools.quantize_blocks import Scales
from shard_tools.safetensors_file import TensorEntry
from shard_tools.sizes import VOXTRAL_REALTIME_4B, ModelSizes, StackSizes
from shard_tools.synth_tekken import SMALLEST_VOCABULARY, synth_tekken
from shard_tools.tekken_file import TekkenFile
from voxtab.errors import VoxtabError

SynthSizes = ModelSizes

PRESETS: Final[Mapping[str, SynthSizes]] = {
    "tiny": SynthSizes(
        encoder=StackSizes(dim=128, layers=2, heads=3, kv_heads=3, head_dim=64, ffn=256, window=750),
        decoder=StackSizes(dim=160, layers=2, heads=4, kv_heads=1, head_dim=128, ffn=320, window=8192),
        vocab_size=1536,
    ),
    "voxtral-realtime-4b": VOXTRAL_REALTIME_4B,
}

# The standard deviation of a weight, times the square root of what it sums over. Queries and keys well above
# 1 give attention something to choose; the embedding stays small beside the adapter's output, or the token
# fed back would always win.
_GAINS: Final = (
    ("conv_layers.0.conv.weight", 1.6),
    ("conv_layers.1.conv.weight", 2.2),
    ("wq.weight", 1.4),
    ("wk.weight", 1.4),
    ("wv.weight", 1.1),
    ("wo.weight", 0.9),
    ("w1.weight", 1.5),
    ("w2.weight", 0.9),
    ("w3.weight", 1.1),
    ("audio_language_projection.0.weight", 1.3),
    ("audio_language_projection.2.weight", 2.2),
    ("ada_rms_norm_t_cond.0.weight", 2.0),
    ("ada_rms_norm_t_cond.2.weight", 0.7),
)
_NORM_SPREAD: Final = 0.15
_BIAS_SPREAD: Final = 0.1
# Values are drawn by groups of rows of about this many elements, each with a generator of its own.
_GROUP_ELEMENTS: Final = 1 << 18
_PIECE_ELEMENTS: Final = 1 << 22


class SynthModel:
    """A checkpoint that exists only as it is read.

    Raises VoxtabError: option-invalid for a vocabulary below 1256, checkpoint-invalid for impossible sizes.
    """

    licence: Final = "cc0-1.0"

    def __init__(self, sizes: SynthSizes, seed: int = 0) -> None:
        if sizes.vocab_size < SMALLEST_VOCABULARY:
            raise VoxtabError(
                "option-invalid",
                f"A vocabulary of {sizes.vocab_size} has no room for special tokens and bytes.",
                f"Use at least {SMALLEST_VOCABULARY}.",
            )
        if not 0 <= seed < 1 << 63:
            raise VoxtabError("option-invalid", f"{seed} is no seed.", "Use a number from 0 to 2^63 - 1.")
        self.params: dict[str, Any] = sizes.to_params()
        # What reads this model must accept the sizes; better to know before it is written.
        self.sizes: ModelSizes = ModelSizes.from_params(self.params)
        self.seed = seed
        self.name: str = f"Random Voxtral Realtime, seed {seed}"
        self.tekken_json = synth_tekken(sizes.vocab_size)
        self.tekken: TekkenFile = TekkenFile.from_object(self.tekken_json, sizes.vocab_size)
        self.tensors: dict[str, TensorEntry] = {}
        offset = 0
        for name, shape in sizes.tensor_shapes().items():
            self.tensors[name] = entry = TensorEntry(name, "BF16", shape, offset)
            offset += entry.nbytes

    def read_rows(self, entry: TensorEntry, start: int, stop: int) -> bytes:
        """BF16 bytes of rows start..stop."""
        group_rows = max(1, _GROUP_ELEMENTS // entry.row_elements)
        parts: list[bytes] = []
        for first in range(start - start % group_rows, stop, group_rows):
            group = self._group(entry, first, min(first + group_rows, entry.rows))
            low = max(start - first, 0) * entry.row_bytes
            parts.append(group[low : (stop - first) * entry.row_bytes])
        return b"".join(parts)

    def _group(self, entry: TensorEntry, first: int, last: int) -> bytes:
        seed = np.random.SeedSequence([self.seed, zlib.crc32(entry.name.encode()), first])
        values = np.random.Generator(np.random.SFC64(seed)).standard_normal(
            (last - first) * entry.row_elements, np.float32
        )
        centre, spread = _distribution(entry.name, entry.row_elements)
        values *= np.float32(spread)
        values += np.float32(centre)
        bits = values.view(np.uint32)
        bits += np.uint32(0x8000)  # rounds to the nearest BF16
        bits >>= np.uint32(16)
        return bits.astype("<u2").tobytes()


def synth_checkpoint(directory: Path, sizes: SynthSizes, seed: int = 0, progress: Progress = silent) -> None:
    """Write a random BF16 checkpoint in Mistral's layout, with a model card. `progress` counts weight bytes.

    Raises VoxtabError: option-invalid, checkpoint-invalid, quota-full.
    """
    model = SynthModel(sizes, seed)
    total = sum(entry.nbytes for entry in model.tensors.values())
    with writing_set(Path(directory), total) as files:
        for name, text in (
            ("params.json", json.dumps(model.params, indent=2) + "\n"),
            ("tekken.json", json.dumps(model.tekken_json, ensure_ascii=False) + "\n"),
            ("README.md", _card(model)),
        ):
            with files.open(name) as file:
                file.write(text.encode())
        with files.open(WEIGHTS) as file:
            _write_safetensors(file, model, total, progress)


def synth_gguf(
    path: Path,
    sizes: SynthSizes,
    seed: int = 0,
    types: TensorTypes | WeightType = "q4_0",
    scales: Scales = "search",
    names: Names = "short",
    progress: Progress = silent,
) -> None:
    """The GGUF that quantizing `synth_checkpoint`'s files gives, without writing them. Raises as both do."""
    quantize_source(SynthModel(sizes, seed), path, types, scales, names, progress)


def _distribution(name: str, row_elements: int) -> tuple[float, float]:
    """Mean and standard deviation of a tensor."""
    if name.endswith("norm.weight"):
        return 1.0, _NORM_SPREAD
    if name.endswith(".bias"):
        return 0.0, _BIAS_SPREAD
    gain = next((gain for ending, gain in _GAINS if name.endswith(ending)), 1.0)
    return 0.0, gain / math.sqrt(row_elements)


def _write_safetensors(file: BinaryIO, model: SynthModel, total: int, progress: Progress) -> None:
    header = {
        entry.name: {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": [entry.offset, entry.offset + entry.nbytes],
        }
        for entry in model.tensors.values()
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    done = 0
    for entry in model.tensors.values():
        rows = max(1, _PIECE_ELEMENTS // entry.row_elements)
        for start in range(0, entry.rows, rows):
            done += file.write(model.read_rows(entry, start, min(start + rows, entry.rows)))
            progress(done, total)


def _card(model: SynthModel) -> str:
    return (
        f"---\nlicense: {model.licence}\n---\n\n{model.name}. From voxtab-shards synth; it knows nothing.\n"
    )
