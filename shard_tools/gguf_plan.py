"""What a GGUF made from a checkpoint will hold: everything but the values of its weights."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from shard_tools import tts_voices
from shard_tools.gguf_file import PlannedTensor, Value
from shard_tools.gguf_metadata import MEL_FILTERS, checksummed_tensors, model_metadata
from shard_tools.safetensors_file import TensorEntry
from shard_tools.sizes import ModelSizes
from shard_tools.tekken_file import TekkenFile
from shard_tools.tensor_types import REALTIME_PARTS, SPEECH_PARTS, TensorTypes
from shard_tools.tts_metadata import speech_metadata
from shard_tools.tts_sizes import SpeechSizes
from shard_tools.tts_voices import Voice
from voxtab.formats.ggml_types import GgmlType
from voxtab.models import tensor_names, tts_names
from voxtab.models.log_mel import mel_filters
from voxtab.models.tts_config import MODEL as SPEECH_MODEL

Names = Literal["short", "mistral"]


class WeightSource(Protocol):
    """What quantization needs of a model: a checkpoint on disk, or one made up while it is read."""

    @property
    def name(self) -> str: ...
    @property
    def licence(self) -> str | None: ...
    @property
    def params(self) -> Mapping[str, Any]: ...
    @property
    def sizes(self) -> ModelSizes | SpeechSizes: ...
    @property
    def tekken(self) -> TekkenFile: ...
    @property
    def voices(self) -> Sequence[Voice]: ...
    @property
    def tensors(self) -> Mapping[str, TensorEntry]: ...
    def read_rows(self, entry: TensorEntry, start: int, stop: int) -> bytes: ...


@dataclass(frozen=True)
class GgufPlan:
    """In the file's order: `tensors`, by the name in the checkpoint, then `extras` with their bytes.

    `checksummed`: the tensors (Mistral's names) whose float32 values' SHA-256 go into the metadata.
    """

    metadata: Mapping[str, Value]
    tensors: Mapping[str, PlannedTensor]
    extras: Sequence[tuple[PlannedTensor, bytes]]
    checksummed: Sequence[str] = ()

    @property
    def all_tensors(self) -> list[PlannedTensor]:
        return [*self.tensors.values(), *(tensor for tensor, _ in self.extras)]


def plan_gguf(
    source: WeightSource, types: TensorTypes, names: Names, model_name: str | None, licence: str | None
) -> GgufPlan:
    """Raises VoxtabError option-invalid for a type that is given for a part which the model does not have."""
    name = model_name or source.name
    licence = licence or source.licence
    if isinstance(source.sizes, SpeechSizes):
        return _plan_speech(source, source.sizes, types, names, name, licence)
    return _plan_realtime(source, source.sizes, types, names, name, licence)


def _plan_realtime(
    source: WeightSource,
    sizes: ModelSizes,
    types: TensorTypes,
    names: Names,
    model_name: str,
    licence: str | None,
) -> GgufPlan:
    types.require(REALTIME_PARTS, "Voxtral Realtime")
    stored = {
        entry.name: PlannedTensor(
            tensor_names.short_name(entry.name) if names == "short" else entry.name,
            types.of_realtime(entry),
            entry.shape,
        )
        for entry in source.tensors.values()
    }
    filters = mel_filters(sizes.mel_bins).tobytes()
    metadata = model_metadata(
        sizes,
        source.params,
        source.tekken,
        {name: tensor.name for name, tensor in stored.items()},
        types.overall,
        model_name,
        licence,
        hashlib.sha256(filters).hexdigest(),
    )
    bank = PlannedTensor(MEL_FILTERS, GgmlType.F32, (sizes.window_size // 2 + 1, sizes.mel_bins))
    return GgufPlan(metadata, stored, [(bank, filters)], checksummed_tensors(sizes))


def _plan_speech(
    source: WeightSource,
    sizes: SpeechSizes,
    types: TensorTypes,
    names: Names,
    model_name: str,
    licence: str | None,
) -> GgufPlan:
    types.require(SPEECH_PARTS, SPEECH_MODEL)
    stored = {
        entry.name: PlannedTensor(
            tts_names.short_name(entry.name) if names == "short" else entry.name,
            types.of_speech(entry),
            entry.shape[:1] if entry.name.endswith(tts_names.WEIGHT_LENGTH) else entry.shape,
        )
        for entry in source.tensors.values()
    }
    # A file that contains the voices is not freer than they are, unless someone says so who may.
    voice_licence = tts_voices.licence_of(source.licence)
    metadata = speech_metadata(
        sizes,
        source.tekken,
        source.voices,
        types.overall,
        model_name,
        licence or voice_licence,
        voice_licence,
    )
    extras = [
        (
            PlannedTensor(tts_names.VOICE + voice.name, GgmlType.BF16, (voice.rows, sizes.backbone.dim)),
            voice.data,
        )
        for voice in source.voices
    ]
    return GgufPlan(metadata, stored, extras)
