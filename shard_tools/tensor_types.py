"""What each tensor of a checkpoint is stored as."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal

from shard_tools.safetensors_file import TensorEntry
from voxtab.errors import VoxtabError
from voxtab.formats.ggml_types import GgmlType
from voxtab.models import tts_names
from voxtab.models.tensor_names import EMBEDDING_MODULE, TOKEN_EMBEDDING

WeightType = Literal["q4_0", "q8_0", "f16", "bf16", "f32"]

_TYPES: Final[Mapping[str, GgmlType]] = {
    "q4_0": GgmlType.Q4_0,
    "q8_0": GgmlType.Q8_0,
    "f16": GgmlType.F16,
    "bf16": GgmlType.BF16,
    "f32": GgmlType.F32,
}
REALTIME_PARTS: Final = ("encoder", "decoder", "embedding")
SPEECH_PARTS: Final = ("backbone", "acoustic", "codec", "embedding")


@dataclass(frozen=True)
class TensorTypes:
    """The type of matrices, overall and for one part of the model.

    Voxtral Realtime has encoder (the adapter included), decoder and embedding; Voxtral TTS has backbone, acoustic
    (the head that makes codes), codec and embedding (of text tokens and of codes).
    """

    overall: WeightType = "q4_0"
    encoder: WeightType | None = None
    decoder: WeightType | None = None
    embedding: WeightType | None = None
    backbone: WeightType | None = None
    acoustic: WeightType | None = None
    codec: WeightType | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            given = getattr(self, field.name)
            if given is not None and given not in _TYPES:
                raise VoxtabError(
                    "option-invalid", f"{given!r} is no weight type.", f"Choose from {', '.join(_TYPES)}."
                )

    def require(self, parts: tuple[str, ...], model: str) -> None:
        """Raises VoxtabError option-invalid if a type is given for a part that `model` does not have."""
        for field in fields(self):
            if field.name not in ("overall", *parts) and getattr(self, field.name) is not None:
                raise VoxtabError(
                    "option-invalid",
                    f"{model} has no part {field.name}.",
                    f"Its parts are {', '.join(parts)}: use --{' or --'.join(parts)}.",
                )

    def of_realtime(self, tensor: TensorEntry) -> GgmlType:
        """What a tensor of Voxtral Realtime is stored as.

        Vectors stay F32. Convolutions become F16 unless F32 is asked for: ggml's convolution takes nothing
        else, and BF16 fits. Matrices whose rows are no whole number of blocks stay F32.
        """
        if tensor.name == TOKEN_EMBEDDING:
            wanted = self._of("embedding")
        else:
            wanted = self._of("encoder" if tensor.name.startswith(EMBEDDING_MODULE) else "decoder")
        if len(tensor.shape) == 1 or wanted == GgmlType.F32:
            return GgmlType.F32
        if len(tensor.shape) == 3:
            return GgmlType.F16
        return wanted if tensor.row_elements % wanted.block_elements == 0 else GgmlType.F32

    def of_speech(self, tensor: TensorEntry) -> GgmlType:
        """What a tensor of Voxtral TTS is stored as.

        Norms and scales stay F32. Convolutions, the codec's codebook and matrices whose rows are no whole number of
        blocks keep their values, in BF16 if the checkpoint has that: the first are divided before use, or small.
        """
        name = tensor.name
        if name in (tts_names.TOKEN_EMBEDDING, tts_names.CODE_EMBEDDING):
            wanted = self._of("embedding")
        elif name.startswith(tts_names.ACOUSTIC):
            wanted = self._of("acoustic")
        else:
            wanted = self._of("codec" if name.startswith(tts_names.CODEC) else "backbone")
        if wanted == GgmlType.F32 or name.endswith(("norm.weight", "_scale")):
            return GgmlType.F32
        if (
            name.startswith(tts_names.CODEBOOK)
            or len(tensor.shape) != 2
            or tensor.row_elements % wanted.block_elements
        ):
            return GgmlType.BF16 if tensor.dtype == "BF16" else GgmlType.F32
        return wanted

    def _of(self, part: str) -> GgmlType:
        return _TYPES[getattr(self, part) or self.overall]
