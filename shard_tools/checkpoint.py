"""A checkpoint as Mistral lays it out: params.json, consolidated.safetensors, tekken.json and, for speech, voices.

params.json tells whether it is Voxtral Realtime or Voxtral TTS. Everything is checked on opening: sizes, header, that
exactly the tensors the sizes imply are there, and the voices.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from shard_tools.json_text import parse_json_object
from shard_tools.safetensors_file import SafetensorsFile, TensorEntry
from shard_tools.sizes import ModelSizes
from shard_tools.tekken_file import TekkenFile
from shard_tools.tts_sizes import SpeechSizes
from shard_tools.tts_voices import Voice, read_voices, voice_files
from voxtab.errors import VoxtabError

MAX_PARAMS_BYTES: Final = 1 << 16  # the real one has 1400
WEIGHTS: Final = "consolidated.safetensors"
# All that is read or, by synth, written: the last one is the model card.
FILES: Final = ("params.json", WEIGHTS, "tekken.json", "README.md")


class Checkpoint:
    """`tensors` is in the order a GGUF stores them. Close it, or use it as a context manager."""

    def __init__(self, directory: Path) -> None:
        """Raises VoxtabError with code checkpoint-invalid, not-voxtral or tokenizer-invalid."""
        self.directory = directory
        if not directory.is_dir():
            raise VoxtabError(
                "checkpoint-invalid",
                f"{directory} is not a folder.",
                "Give the folder that holds params.json, consolidated.safetensors and tekken.json.",
            )
        self.params: dict[str, Any] = _read_params(directory / "params.json")
        self.sizes = read_sizes(self.params)
        self.tekken = TekkenFile.read(directory / "tekken.json", self.sizes.vocab_size)
        self.voices: Sequence[Voice] = ()
        if isinstance(self.sizes, SpeechSizes):
            self.voices = read_voices(directory, self.sizes.backbone.dim, self.tekken.voice_rows)
        self.weights = SafetensorsFile(directory / WEIGHTS)
        try:
            self.tensors = self._match_tensors()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.weights.__exit__(None, None, None)

    @property
    def name(self) -> str:
        return self.directory.resolve().name

    def read_rows(self, entry: TensorEntry, start: int, stop: int) -> bytes:
        """The raw little-endian bytes of rows start..stop of a tensor."""
        return self.weights.read_rows(entry, start, stop)

    @property
    def licence(self) -> str | None:
        """The licence named by the model card (README.md), if there is one."""
        try:
            with (self.directory / "README.md").open(encoding="utf-8", errors="replace") as card:
                head = card.read(65536)
        except OSError:
            return None
        front = re.match(r"---\n(.*?)\n---", head, re.DOTALL)
        found = (
            re.search(r"^license:\s*['\"]?([\w.+-]{1,64})", front.group(1), re.MULTILINE) if front else None
        )
        return found.group(1) if found else None

    def _match_tensors(self) -> dict[str, TensorEntry]:
        shapes = self.sizes.tensor_shapes()
        entries = self.weights.entries
        if missing := [name for name in shapes if name not in entries]:
            raise _mismatch(f"{len(missing)} of {len(shapes)} tensors are missing, first {missing[0]!r}")
        if surplus := [name for name in entries if name not in shapes]:
            raise _mismatch(f"{len(surplus)} tensors are not part of this model, first {surplus[0][:80]!r}")
        for name, shape in shapes.items():
            if entries[name].shape != shape:
                raise _mismatch(
                    f"{name} has shape {list(entries[name].shape)}, params.json implies {list(shape)}"
                )
        return {name: entries[name] for name in shapes}


def checkpoint_files(directory: Path) -> list[Path]:
    """All that is read of a checkpoint, and the model card that synth writes."""
    return [*(directory / name for name in FILES), *voice_files(directory)]


def read_sizes(params: dict[str, Any]) -> ModelSizes | SpeechSizes:
    """The sizes of whichever model a parsed params.json describes. Raises VoxtabError not-voxtral, checkpoint-invalid."""
    multimodal = params.get("multimodal")
    if (
        isinstance(multimodal, dict)
        and "audio_model_args" in multimodal
        and "whisper_model_args" not in multimodal
    ):
        return SpeechSizes.from_params(params)
    return ModelSizes.from_params(params)


def _read_params(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_PARAMS_BYTES + 1)
    except OSError as error:
        raise VoxtabError(
            "checkpoint-invalid",
            f"{path} cannot be read: {error.strerror or error}.",
            "The folder must hold params.json, consolidated.safetensors and tekken.json.",
        ) from error
    if len(text) > MAX_PARAMS_BYTES:
        raise VoxtabError(
            "checkpoint-invalid", f"{path} has more than {MAX_PARAMS_BYTES} bytes.", "Download it again."
        )
    try:
        return parse_json_object(text)
    except ValueError as error:
        raise VoxtabError(
            "checkpoint-invalid", f"{path} is unusable: {error}.", "Download it again."
        ) from error


def _mismatch(reason: str) -> VoxtabError:
    return VoxtabError(
        "checkpoint-invalid",
        f"{WEIGHTS} does not belong to this params.json: {reason}.",
        "Take all three files from the same repository.",
    )
