"""Random Voxtral TTS checkpoints of odd sizes in Mistral's layout, and noise that decides clearly.

`write_checkpoint(directory, random_sizes(random.Random(seed)), seed)` writes the files,
`random_case(reference, ...)` finds a prompt and noise with which no code is a close call, so that codes must be equal.
"""

from __future__ import annotations

import json
import math
import random
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file

from tests.checkpoints import WEIGHTS, Float32
from tests.parity.random_tts_sizes import SAMPLE_RATE, Shape, TtsSizes, params, tensor_shapes
from tests.parity.tts_reference import TtsReference

Ids = npt.NDArray[np.int32]

TOKENIZER = Path(__file__).parents[1] / "data" / "tts-tiny" / "tekken.json"
SPECIAL_TOKENS = 1000

# What the golden noise keeps to: logits between the best semantic code and the next, levels from a rounding boundary.
SEMANTIC_MARGIN = 0.05
ROUND_MARGIN = 0.02
TRIES = 100  # for each frame

# The standard deviation of a matrix's values, times the square root of its row length.
GAINS = (
    ("wq.weight", 1.4),
    ("wk.weight", 1.4),
    ("w1.weight", 1.5),
    ("time_projection.weight", 1.4),
    ("semantic_codebook_output.weight", 2.0),
)


def write_checkpoint(directory: Path, sizes: TtsSizes, seed: int) -> Path:
    """params.json, consolidated.safetensors, tekken.json, voice_embedding/*.pt. A tensor depends on seed and name."""
    directory.mkdir(parents=True)
    (directory / "params.json").write_text(json.dumps(params(sizes), indent=2))
    tensors = {name: tensor(name, shape, sizes, seed) for name, shape in tensor_shapes(sizes)}
    save_file({name: bfloat16(values) for name, values in tensors.items()}, directory / WEIGHTS)
    tekken = json.loads(TOKENIZER.read_text())
    tekken["config"]["default_vocab_size"] = sizes.vocab_size
    tekken["audio"]["voice_num_audio_tokens"] = dict(sizes.voices)
    tekken["audio"]["frame_rate"] = SAMPLE_RATE / sizes.samples_per_frame
    (directory / "tekken.json").write_text(json.dumps(tekken, ensure_ascii=False))
    (directory / "voice_embedding").mkdir()
    for name, rows in sizes.voices:
        values = generator(seed, f"voice {name}").standard_normal((rows, sizes.dim), np.float32)
        torch.save(bfloat16(values), directory / "voice_embedding" / f"{name}.pt")
    return directory


def random_case(
    reference: TtsReference,
    sizes: TtsSizes,
    draw: random.Random,
    frames: int,
    steps: int = 7,
    alpha: float = 1.2,
) -> tuple[Ids, str, Float32]:
    """Prompt ids, voice and noise [<= frames, A] of a run whose choices are clear; END may cut it short."""
    while True:
        voice = draw.choice(list(reference.voices))
        text = random_text_ids(draw, sizes, draw.randint(1, 12))
        prompt = reference.prompt(voice, text)
        noise = clear_noise(reference, prompt, voice, frames, steps, alpha, seed=draw.randrange(1 << 30))
        if noise is not None:
            return prompt, voice, noise


def clear_noise(
    reference: TtsReference,
    prompt_ids: Ids,
    voice: str,
    frames: int,
    steps: int = 7,
    alpha: float = 1.2,
    *,
    seed: int = 0,
) -> Float32 | None:
    """Noise [<= frames, A] with which a free run's every choice is clear, by the margins above.

    Its last row is the END frame's when END comes before `frames` frames. None when there is no such noise: the first
    semantic code, which noise does not move, may be a close call, and then another text is needed.
    """
    rng = np.random.default_rng(seed)
    start = reference.prefill(prompt_ids, voice)
    hidden, past = start.hidden[-1], start.past
    if reference.head.semantic(hidden)[2] < SEMANTIC_MARGIN:
        return None
    found: list[Float32] = []
    for _ in range(TRIES * frames):
        noise = rng.standard_normal(reference.head.codebooks, np.float32)
        frame = reference.head.frame(hidden, noise.astype(np.float64), steps, alpha)
        if not frame.ends:
            if frame.round_margin < ROUND_MARGIN:
                continue
            following, longer = reference.advance(reference.embed_codes(frame.codes), past)
            if reference.head.semantic(following)[2] < SEMANTIC_MARGIN:
                continue
            hidden, past = following, longer
        found.append(noise)
        if frame.ends or len(found) == frames:
            return np.array(found)
    return None


def random_text_ids(draw: random.Random, sizes: TtsSizes, tokens: int) -> list[int]:
    """Ids of text tokens, the vocabulary's last one among them."""
    return [
        sizes.vocab_size - 1,
        *(draw.randrange(SPECIAL_TOKENS, sizes.vocab_size) for _ in range(tokens - 1)),
    ]


def tensor(name: str, shape: Shape, sizes: TtsSizes, seed: int) -> Float32:
    """Values that keep activations near 1, attention choosy and the sound audible."""
    rng = generator(seed, name)
    values = rng.standard_normal(shape, np.float32)
    if name.endswith("norm.weight"):
        return 1 + 0.15 * values
    if name.endswith("_scale"):
        return 0.4 + 0.2 * values
    if name.endswith("cluster_usage"):
        # Some are below what the division is clamped at, a few of them zero.
        rare = np.arange(len(values)) % 5 == 3
        return np.asarray(np.where(rare, 4e-6 * (rng.random(shape) > 0.3), 0.5 + rng.random(shape)))
    if name.endswith("embedding_sum"):
        usage = tensor(name.replace("embedding_sum", "cluster_usage"), shape[:1], sizes, seed)
        return np.asarray(values * np.maximum(usage, 1e-5)[:, None])
    if name.endswith("original0"):
        loud = 0.2 if "output_proj" in name else 1.4
        return np.asarray(loud * (0.7 + 0.6 * rng.random(shape)))
    if name.endswith("original1") or "tok_embeddings" in name:
        return values
    if "audio_codebook_embeddings" in name:
        return values / np.float32(math.sqrt(1 + sizes.codebooks))
    gain = next((gain for ending, gain in GAINS if name.endswith(ending)), 1.0)
    values *= np.float32(gain / math.sqrt(shape[1]))
    if name.endswith("semantic_codebook_output.weight"):
        values[1] *= sizes.end_gain
    return values


def generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def bfloat16(values: npt.NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32)).bfloat16()
