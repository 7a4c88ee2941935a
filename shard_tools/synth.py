"""Random checkpoints of any size with the real names and shapes: tests and benchmarks without a download.

A tensor's values depend on the seed and its name alone, so any part can be made at any time and in any order,
and nothing but voices is kept in memory.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from shard_tools.checkpoint import FILES, WEIGHTS, read_sizes
from shard_tools.output_file import writing_set
from shard_tools.progress import Progress, silent
from shard_tools.quantize import Names, TensorTypes, WeightType, quantize_source
from shard_tools.quantize_blocks import Scales
from shard_tools.safetensors_file import TensorEntry
from shard_tools.sizes import VOXTRAL_REALTIME_4B, ModelSizes, StackSizes
from shard_tools.synth_tekken import SMALLEST_VOCABULARY, synth_tekken
from shard_tools.synth_weights import random_bf16
from shard_tools.tekken_file import TekkenFile
from shard_tools.tts_sizes import VOXTRAL_TTS_4B, AcousticSizes, BackboneSizes, CodecSizes, SpeechSizes
from shard_tools.tts_voices import FOLDER as VOICE_FOLDER
from shard_tools.tts_voices import PUBLISHED, Voice, check_name
from shard_tools.voice_file import VoiceRows, write_voice
from voxtab.errors import VoxtabError
from voxtab.models.tts_names import VOICE

AnySizes = ModelSizes | SpeechSizes
SynthSizes = ModelSizes

PRESETS: Final[Mapping[str, SynthSizes]] = {
    "tiny": SynthSizes(
        encoder=StackSizes(dim=128, layers=2, heads=3, kv_heads=3, head_dim=64, ffn=256, window=750),
        decoder=StackSizes(dim=160, layers=2, heads=4, kv_heads=1, head_dim=128, ffn=320, window=8192),
        vocab_size=1536,
    ),
    "voxtral-realtime-4b": VOXTRAL_REALTIME_4B,
}
SPEECH_PRESETS: Final[Mapping[str, SpeechSizes]] = {
    "tiny-tts": SpeechSizes(
        backbone=BackboneSizes(dim=128, layers=3, heads=4, kv_heads=2, head_dim=64, ffn=256),
        acoustic=AcousticSizes(dim=128, layers=2, heads=4, kv_heads=2, head_dim=64, ffn=256),
        codec=CodecSizes(dim=96, heads=4, head_dim=32, ffn=192, semantic_dim=64),
        vocab_size=2048,
        semantic_codes=256,
    ),
    "voxtral-tts-4b": VOXTRAL_TTS_4B,
}

# Values are drawn by groups of rows of about this many elements, each with a generator of its own.
_GROUP_ELEMENTS: Final = 1 << 18
_PIECE_ELEMENTS: Final = 1 << 22


class SynthModel:
    """A checkpoint that exists only as it is read. `voices`: names and rows; a speech model has the published ones.

    Raises VoxtabError: option-invalid for a vocabulary below 1256, checkpoint-invalid for impossible sizes.
    """

    licence: Final = "cc0-1.0"

    def __init__(self, sizes: AnySizes, seed: int = 0, voices: Mapping[str, int] | None = None) -> None:
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
        self.sizes: AnySizes = read_sizes(self.params)
        self.seed = seed
        speech = isinstance(sizes, SpeechSizes)
        self.name: str = f"Random Voxtral {'TTS' if speech else 'Realtime'}, seed {seed}"
        self.voices: tuple[Voice, ...] = ()
        if isinstance(sizes, SpeechSizes):
            self.voices = self._voices(PUBLISHED if voices is None else voices, sizes.backbone.dim)
            rows = {voice.name: voice.rows for voice in self.voices}
            self.tekken_json = synth_tekken(sizes.vocab_size, rows)
        else:
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

    def _voices(self, rows: Mapping[str, int], dim: int) -> tuple[Voice, ...]:
        for name in rows:
            check_name(name)
        return tuple(
            Voice(name, count, random_bf16(self.seed, VOICE + name, 0, count, dim))
            for name, count in rows.items()
        )

    def _group(self, entry: TensorEntry, first: int, last: int) -> bytes:
        return random_bf16(self.seed, entry.name, first, last - first, entry.row_elements)


def synth_files(sizes: AnySizes) -> list[str]:
    """What `synth_checkpoint` writes into its folder, with the published voices."""
    voices = PUBLISHED if isinstance(sizes, SpeechSizes) else ()
    return [*FILES, *(f"{VOICE_FOLDER}/{name}.pt" for name in voices)]


def synth_checkpoint(
    directory: Path,
    sizes: AnySizes,
    seed: int = 0,
    progress: Progress = silent,
    voices: Mapping[str, int] | None = None,
) -> None:
    """Write a random BF16 checkpoint in Mistral's layout, with a model card. `progress` counts weight bytes.

    `voices`: names and rows of a speech model's voices; default: those that Mistral published.

    Raises VoxtabError: option-invalid, checkpoint-invalid, quota-full.
    """
    model = SynthModel(sizes, seed, voices)
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
        if model.voices:
            _write_voices(Path(directory) / VOICE_FOLDER, model)


def synth_gguf(
    path: Path,
    sizes: AnySizes,
    seed: int = 0,
    types: TensorTypes | WeightType = "q4_0",
    scales: Scales = "search",
    names: Names = "short",
    progress: Progress = silent,
    voices: Mapping[str, int] | None = None,
) -> None:
    """The GGUF that quantizing `synth_checkpoint`'s files gives, without writing them. Raises as both do."""
    quantize_source(SynthModel(sizes, seed, voices), path, types, scales, names, progress)


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


def _write_voices(folder: Path, model: SynthModel) -> None:
    with writing_set(folder) as files:
        for voice in model.voices:
            with files.open(f"{voice.name}.pt") as file:
                dim = len(voice.data) // (2 * voice.rows)
                file.write(write_voice(VoiceRows(voice.rows, dim, voice.data)))


def _card(model: SynthModel) -> str:
    return (
        f"---\nlicense: {model.licence}\n---\n\n{model.name}. From voxtab-shards synth; it knows nothing.\n"
    )
