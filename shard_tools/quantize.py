"""A Mistral checkpoint becomes a GGUF, tensor by tensor and large tensors by rows.

Rows are read in order, encoded by a few threads (numpy lets them run side by side) and written in order; what
is in memory at a time is a handful of row ranges of 2M elements, whatever the size of the checkpoint.
"""

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol, get_args

import numpy as np

from shard_tools.checkpoint import FILES, Checkpoint
from shard_tools.gguf_file import GgufWriter, PlannedTensor, strings, writing_gguf
from shard_tools.gguf_metadata import CHECKSUM_KEY, MEL_FILTERS, checksummed_tensors, model_metadata
from shard_tools.output_check import check_not_input
from shard_tools.progress import Progress, silent
from shard_tools.quantize_blocks import F16_MAX, Scales, quantize_q4_0, quantize_q8_0, to_float16
from shard_tools.safetensors_file import TensorEntry, widen
from shard_tools.sizes import ModelSizes
from shard_tools.tekken_file import TekkenFile
from voxtab.errors import VoxtabError
from voxtab.formats.ggml_types import GgmlType
from voxtab.models.log_mel import mel_filters
from voxtab.models.tensor_names import EMBEDDING_MODULE, TOKEN_EMBEDDING, short_name

WeightType = Literal["q4_0", "q8_0", "f16", "f32"]
Names = Literal["short", "mistral"]

_TYPES: Final[Mapping[str, GgmlType]] = {
    "q4_0": GgmlType.Q4_0,
    "q8_0": GgmlType.Q8_0,
    "f16": GgmlType.F16,
    "f32": GgmlType.F32,
}
# The largest value whose scale is still a float16.
_LARGEST: Final[Mapping[GgmlType, float]] = {
    GgmlType.Q4_0: 8 * F16_MAX,
    GgmlType.Q8_0: 127 * F16_MAX,
    GgmlType.F16: F16_MAX,
    GgmlType.F32: float(np.finfo(np.float32).max),
}
# 2M elements: 4 MB of BF16, 8 MB as float32.
_PIECE_ELEMENTS: Final = 1 << 21


@dataclass(frozen=True)
class TensorTypes:
    """The type of matrices, overall and for one part of the model. The adapter belongs to the encoder."""

    overall: WeightType = "q4_0"
    encoder: WeightType | None = None
    decoder: WeightType | None = None
    embedding: WeightType | None = None

    def __post_init__(self) -> None:
        for given in (self.overall, self.encoder, self.decoder, self.embedding):
            if given is not None and given not in _TYPES:
                raise VoxtabError(
                    "option-invalid", f"{given!r} is no weight type.", f"Choose from {', '.join(_TYPES)}."
                )

    def of(self, name: str, shape: tuple[int, ...]) -> GgmlType:
        """What a tensor (Mistral's name) is stored as.

        Vectors stay F32. Convolutions become F16 unless F32 is asked for: ggml's convolution takes nothing
        else, and BF16 fits. Matrices whose rows are no whole number of blocks stay F32.
        """
        wanted = _TYPES[self._part(name) or self.overall]
        if len(shape) == 1 or wanted == GgmlType.F32:
            return GgmlType.F32
        if len(shape) == 3:
            return GgmlType.F16
        return wanted if shape[-1] % wanted.block_elements == 0 else GgmlType.F32

    def _part(self, name: str) -> WeightType | None:
        if name == TOKEN_EMBEDDING:
            return self.embedding
        return self.encoder if name.startswith(EMBEDDING_MODULE) else self.decoder


class WeightSource(Protocol):
    """What quantization needs of a model: a checkpoint on disk, or one made up while it is read."""

    @property
    def name(self) -> str: ...
    @property
    def licence(self) -> str | None: ...
    @property
    def params(self) -> Mapping[str, Any]: ...
    @property
    def sizes(self) -> ModelSizes: ...
    @property
    def tekken(self) -> TekkenFile: ...
    @property
    def tensors(self) -> Mapping[str, TensorEntry]: ...
    def read_rows(self, entry: TensorEntry, start: int, stop: int) -> bytes: ...


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
    check_not_input(Path(out_path), (Path(checkpoint_dir) / name for name in FILES))
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
    sizes = source.sizes
    stored_names = {name: short_name(name) if names == "short" else name for name in source.tensors}
    filters = mel_filters(sizes.mel_bins).tobytes()
    metadata = model_metadata(
        sizes,
        source.params,
        source.tekken,
        stored_names,
        types.overall,
        model_name or source.name,
        licence or source.licence,
        hashlib.sha256(filters).hexdigest(),
    )
    plan = {
        entry.name: PlannedTensor(stored_names[entry.name], types.of(entry.name, entry.shape), entry.shape)
        for entry in source.tensors.values()
    }
    bank = PlannedTensor(MEL_FILTERS, GgmlType.F32, (sizes.window_size // 2 + 1, sizes.mel_bins))
    with writing_gguf(Path(out_path), metadata, [*plan.values(), bank]) as writer:
        _write_tensors(writer, source, plan, scales, progress)
        writer.begin(bank)
        writer.write(filters)


def _write_tensors(
    writer: GgufWriter,
    source: WeightSource,
    plan: Mapping[str, PlannedTensor],
    scales: Scales,
    progress: Progress,
) -> None:
    total = sum(entry.nbytes for entry in source.tensors.values())
    done = 0
    digests = {name: hashlib.sha256() for name in checksummed_tensors(source.sizes)}
    begun: PlannedTensor | None = None
    for entry, raw, encoded in _encoded_pieces(source, plan, scales):
        planned = plan[entry.name]
        if planned is not begun:
            writer.begin(planned)
            begun = planned
        if digest := digests.get(entry.name):
            digest.update(widen(raw, entry.dtype).data)
        writer.write(encoded)
        done += len(raw)
        progress(done, total)
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
    return to_float16(values).tobytes() if kind == GgmlType.F16 else values.tobytes()
