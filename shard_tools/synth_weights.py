"""Random BF16 numbers for a tensor: scales are chosen so that activations stay near 1 and logits vary."""

import math
import zlib
from typing import Final

import numpy as np

from voxtab.models.tts_names import CODE_EMBEDDING, CODEBOOK, TOKEN_EMBEDDING, VOICE, WEIGHT_LENGTH

# The standard deviation of a weight, times the square root of what it sums over. Queries and keys well above
# 1 give attention something to choose; the embedding of Voxtral Realtime stays small beside the adapter's output, or
# the token fed back would always win.
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
    # Voxtral TTS: of the cosines and sines, half are near 0; a clear choice among the codes.
    ("time_projection.weight", 1.4),
    ("semantic_codebook_output.weight", 3.0),
)
# Mean and standard deviation, whatever the tensor's size.
_FIXED: Final = (
    ("norm.weight", (1.0, 0.15)),
    (".bias", (0.0, 0.1)),
    # Voxtral TTS: tokens, voices and the sum of a frame's 37 codes are alike in size; the sound stays within [-1, 1].
    (TOKEN_EMBEDDING, (0.0, 1.0)),
    (CODE_EMBEDDING, (0.0, 37**-0.5)),
    (CODEBOOK + "embedding_sum", (0.0, 1.0)),
    (CODEBOOK + "cluster_usage", (1.0, 0.1)),
    ("attention_scale", (0.5, 0.05)),
    ("ffn_scale", (0.5, 0.05)),
    ("output_proj.conv." + WEIGHT_LENGTH, (0.14, 0.01)),
    (WEIGHT_LENGTH, (1.2, 0.1)),
)


def random_bf16(seed: int, name: str, first_row: int, rows: int, row_elements: int) -> bytes:
    """Rows of a tensor, little-endian; they depend on the seed, the tensor's name and the number of the first row."""
    sequence = np.random.SeedSequence([seed, zlib.crc32(name.encode()), first_row])
    generator = np.random.Generator(np.random.SFC64(sequence))
    values = generator.standard_normal(rows * row_elements, np.float32)
    centre, spread = distribution(name, row_elements)
    values *= np.float32(spread)
    values += np.float32(centre)
    bits = values.view(np.uint32)
    bits += np.uint32(0x8000)  # rounds to the nearest BF16
    bits >>= np.uint32(16)
    return bits.astype("<u2").tobytes()


def distribution(name: str, row_elements: int) -> tuple[float, float]:
    """Mean and standard deviation of a tensor, or of a voice."""
    if name.startswith(VOICE):
        return 0.0, 1.0
    fixed = next((values for ending, values in _FIXED if name.endswith(ending)), None)
    if fixed:
        return fixed
    gain = next((gain for ending, gain in _GAINS if name.endswith(ending)), 1.0)
    return 0.0, gain / math.sqrt(row_elements)
