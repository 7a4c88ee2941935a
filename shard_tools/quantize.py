"""A Mistral checkpoint becomes a GGUF, tensor by tensor and large tensors by rows.

Rows are read in order, encoded by a few threads (numpy lets them run side by side) and written in order; what
is in memory at a time is a handful of row ranges of 2M elements, whatever the size of the checkpoint.
"""

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, get_args

import numpy as np

from shard_tools.checkpoint import Checkpoint, checkpoint_files
from shard_tools.gguf_file import GgufWriter, PlannedTensor, strings, writing_gguf
from shard_tools.gguf_metadata import CHECKSUM_KEY
from shard_tools.gguf_plan import GgufPlan, Names, WeightSource, plan_gguf
from shard_tools.output_check import check_not_input
from shard_tools.progress import Progress, silent
from shard_tools.quantize_blocks import (
    BF16_MAX,
    F16_MAX,
    Scales,
    quantize_q4_0,
    quantize_q8_0,
    to_bfloat16,
    to_float16,
)
from shard_tools.safetensors_file import TensorEntry, widen
from shard_tools.tensor_types import TensorTypes, WeightType
from voxtab.errors import VoxtabError
from voxtab.formats.ggml_types import GgmlType

__all__ = ["Names", "TensorTypes", "WeightType", "quantize_checkpoint", "quantize_source"]

# The largest value whose scale is still a float16.
_LARGEST: Final[Mapping[GgmlType, float]] = {
    GgmlType.Q4_0: 8 * F16_MAX,
    GgmlType.Q8_0: 127 * F16_MAX,
    GgmlType.F16: F16_MAX,
    GgmlType.BF16: BF16_MAX,
    GgmlType.F32: float(np.finfo(np.float32).max),
}
# 2M elements: 4 MB of BF16, 8 MB as float32.
_PIECE_ELEMENTS: Final = 1 << 21


def quantize_checkpoint(
    checkpoint_dir: Path,
    out_path: Path,
    types: TensorTypes | WeightType = "q4_0",
    scales: Scales = "search",
    names: Names = "short",
    progress: Progress = silent,
    model_name: str | None = None,
    licence: str | None = None,
) -> None:
    """Make `out_path` from a folder in Mistral's layout; it appears, or is replaced, when complete.

    `scales` matters for Q4_0. `progress` gets (source bytes done, in all). `model_name` defaults to the
    folder's name, `licence` to the model card's. A file of the checkpoint is never replaced. Raises
    VoxtabError: checkpoint-invalid, tokenizer-invalid, not-voxtral, option-invalid, quota-full.
    """
    check_not_input(Path(out_path), checkpoint_files(Path(checkpoint_dir)))
    with Checkpoint(Path(checkpoint_dir)) as checkpoint:
        quantize_source(checkpoint, out_path, types, scales, names, progress, model_name, licence)


def quantize_source(
    source: WeightSource,
    out_path: Path,
    types: TensorTypes | WeightType = "q4_0",
    scales: Scales = "search",
    names: Names = "short",
    progress: Progress = silent,
    model_name: str | None = None,
    licence: str | None = None,
) -> None:
    """`quantize_checkpoint` for weights that come from anywhere."""
    if isinstance(types, str):
        types = TensorTypes(types)
    for given, known in ((scales, Scales), (names, Names)):
        if given not in get_args(known):
            raise VoxtabError(
                "option-invalid", f"{given!r} is unknown.", f"Choose from {', '.join(get_args(known))}."
            )
    plan = plan_gguf(source, types, names, model_name, licence)
    with writing_gguf(Path(out_path), plan.metadata, plan.all_tensors) as writer:
        _write_tensors(writer, source, plan, scales, progress)
        for tensor, data in plan.extras:
            writer.begin(tensor)
            writer.write(data)


def _write_tensors(
    writer: GgufWriter,
    source: WeightSource,
    plan: GgufPlan,
    scales: Scales,
    progress: Progress,
) -> None:
    total = sum(entry.nbytes for entry in source.tensors.values())
    done = 0
    digests = {name: hashlib.sha256() for name in plan.checksummed}
    begun: PlannedTensor | None = None
    for entry, raw, encoded in _encoded_pieces(source, plan.tensors, scales):
        planned = plan.tensors[entry.name]
        if planned is not begun:
            writer.begin(planned)
            begun = planned
        if digest := digests.get(entry.name):
            digest.update(widen(raw, entry.dtype).data)
        writer.write(encoded)
        done += len(raw)
        progress(done, total)
    if digests:
        writer.replace(CHECKSUM_KEY, strings(digest.hexdigest() for digest in digests.values()))


def _encoded_pieces(
    source: WeightSource, plan: Mapping[str, PlannedTensor], scales: Scales
) -> Iterator[tuple[TensorEntry, bytes, bytes]]:
    """Row ranges in file order: (tensor, bytes of the source, bytes for the GGUF)."""
    threads = min(os.cpu_count() or 1, 8)
    waiting: deque[tuple[TensorEntry, bytes, Future[bytes]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for entry in source.tensors.values():
                kind = plan[entry.name].type
                rows = max(1, _PIECE_ELEMENTS // entry.row_elements)
                for start in range(0, entry.rows, rows):
                    raw = source.read_rows(entry, start, min(start + rows, entry.rows))
                    waiting.append((entry, raw, pool.submit(_encode, entry, raw, kind, scales)))
                    if len(waiting) > threads + 1:
                        yield _finished(waiting.popleft())
            while waiting:
                yield _finished(waiting.popleft())
        finally:
            for *_, future in waiting:
                future.cancel()


def _finished(piece: tuple[TensorEntry, bytes, Future[bytes]]) -> tuple[TensorEntry, bytes, bytes]:
    entry, raw, future = piece
    return entry, raw, future.result()


def _encode(entry: TensorEntry, raw: bytes, kind: GgmlType, scales: Scales) -> bytes:
    values = widen(raw, entry.dtype)
    largest = max(float(values.max()), -float(values.min()))
    if not largest <= _LARGEST[kind]:  # also when it is NaN
        raise VoxtabError(
            "checkpoint-invalid",
            f"{entry.name} holds {largest:g}, which {kind.name} cannot store.",
            "Download the checkpoint again." if not np.isfinite(largest) else "Try --type f32.",
        )
    if kind == GgmlType.Q4_0:
        return quantize_q4_0(values, scales).tobytes()
    if kind == GgmlType.Q8_0:
        return quantize_q8_0(values).tobytes()
    if kind == GgmlType.BF16:
        return to_bfloat16(values).tobytes()
    return to_float16(values).tobytes() if kind == GgmlType.F16 else values.tobytes()
