"""A training run becomes the shards that the page loads: state.pt -> BF16 checkpoint -> Q4_0 GGUF -> shards.

The checkpoint is laid out as Mistral's: params.json, consolidated.safetensors, tekken.json. Its small vocabulary goes
into the GGUF, so that nothing but shards, manifest and model card lies in the model's folder.
"""

import json
import math
import pickle
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save
from torch import Tensor

from shard_tools.checkpoint import WEIGHTS
from shard_tools.demo.network import checkpoint_names
from shard_tools.demo.tokenizer import demo_tekken
from shard_tools.demo.train import SIZES
from shard_tools.demo.words import WORDS
from shard_tools.output_check import check_folder
from shard_tools.output_file import writing_set
from shard_tools.progress import Progress, silent
from shard_tools.quantize import quantize_checkpoint
from shard_tools.split import split_gguf
from voxtab.errors import VoxtabError
from voxtab.formats.manifest import Manifest
from voxtab.formats.model_layout import MANIFEST, find_shards

NAME: Final = f"Demo: {len(WORDS)} words"
LICENCE: Final = "Apache-2.0"
DESCRIPTION: Final = (
    f"Knows {len(WORDS)} English words (numbers, days, months, colours, greetings, commands, household words)"
    " and nothing else."
)
CARD: Final = "README.md"
# What the whole folder may have, and what of it is left for manifest and card.
MOST_BYTES: Final = 12_000_000
_FOR_CARD: Final = 100_000
_GGUF: Final = "demo-asr-q4_0.gguf"
_PARAMS, _TEKKEN = "params.json", "tekken.json"
_MOST_JSON_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class RunState:
    """What a run's folder says: `settings` as settings.json has them, the step of the weights, the weights."""

    settings: Mapping[str, Any]
    step: int
    weights: Mapping[str, Tensor]

    @property
    def finished(self) -> bool:
        return self.step >= int(self.settings["steps"])

    @property
    def source(self) -> str:
        """Where the weights come from, in a line."""
        steps = f"{self.step} steps" if self.finished else f"{self.step} of {self.settings['steps']} steps"
        return f"voxtab-shards demo-asr train, commit {self.settings['commit']}, seed {self.settings['seed']}, {steps}"


@dataclass(frozen=True)
class Exported:
    """What was written, and from which state."""

    manifest: Manifest
    state: RunState


def read_settings(run: Path) -> dict[str, Any]:
    """settings.json of a run. Raises VoxtabError run-missing or run-invalid."""
    path = run / "settings.json"
    try:
        if path.stat().st_size > _MOST_JSON_BYTES:
            raise _invalid(path, "it is too large")
        settings = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise _missing(run) from error
    except (OSError, ValueError, RecursionError) as error:
        raise _invalid(path, str(error)) from error
    if not isinstance(settings, dict):
        raise _invalid(path, "it is no JSON object")
    for key, kind in (("seed", int), ("steps", int), ("batch", int), ("corpus_seed", int), ("commit", str)):
        if not isinstance(settings.get(key), kind) or isinstance(settings[key], bool):
            raise _invalid(path, f"it does not say its {key}")
    if settings.get("words") != list(WORDS):
        raise VoxtabError(
            "run-invalid",
            f"{run} was trained with other words than these scripts have.",
            f"Use the scripts of its own commit, {str(settings['commit'])[:41]}.",
        )
    return settings


def read_run(run: Path) -> RunState:
    """The settings and latest weights of a run. Raises VoxtabError run-missing or run-invalid."""
    settings = read_settings(run)
    path = run / "state.pt"
    if not path.is_file():
        raise _missing(run)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        step, net = state["step"], state["net"]
    except (
        OSError,
        RuntimeError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        pickle.UnpicklingError,
    ) as error:
        raise _invalid(path, " ".join(str(error).split())[:200]) from error
    if not isinstance(step, int) or not isinstance(net, dict):
        raise _invalid(path, "it holds no step or no network")
    return RunState(settings, step, _published(net, path))


def _published(net: Mapping[Any, Any], path: Path) -> dict[str, Tensor]:
    """The network's weights under Mistral's names, in BF16."""
    names, shapes = checkpoint_names(SIZES), SIZES.tensor_shapes()
    if set(net) != set(names):
        different = sorted(map(str, set(net) ^ set(names)))
        raise _invalid(path, f"its tensors are not those of this network, such as {different[0][:80]}")
    weights = {}
    for own, published in names.items():
        tensor = net[own]
        if not isinstance(tensor, Tensor) or tuple(tensor.shape) != shapes[published]:
            raise _invalid(path, f"{own} has another shape than this network's")
        weights[published] = tensor.to(torch.bfloat16).contiguous()
        if not bool(torch.isfinite(weights[published]).all()):
            raise _invalid(path, f"{own} holds values that are no numbers")
    return weights


def write_checkpoint(state: RunState, folder: Path, force: bool = False) -> None:
    """The checkpoint in Mistral's layout. Raises VoxtabError option-invalid or quota-full."""
    check_folder(folder, (_PARAMS, WEIGHTS, _TEKKEN), force)
    data = save(dict(state.weights), {"format": "pt"})
    with writing_set(folder, len(data)) as files:
        for name, content in ((_PARAMS, SIZES.to_params()), (_TEKKEN, demo_tekken(WORDS))):
            with files.open(name) as file:
                file.write((json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
        with files.open(WEIGHTS) as file:
            file.write(data)


def export(
    run: Path,
    out: Path,
    *,
    checkpoint: Path | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> Exported:
    """Write shards and manifest of the run's latest weights into `out`, whose model card is left as it is.

    checkpoint: keep the BF16 checkpoint in this folder. force: replace a model, or a checkpoint, that is there.
    Raises VoxtabError: run-missing, run-invalid, option-invalid, model-too-large, quota-full.
    """
    state = read_run(run)
    _check_out(out, force)
    with tempfile.TemporaryDirectory() as scratch:
        folder = checkpoint or Path(scratch) / "demo-asr"
        write_checkpoint(state, folder, force)
        gguf = Path(scratch) / _GGUF
        quantize_checkpoint(folder, gguf, "q4_0", progress=progress, model_name=NAME, licence=LICENCE)
        size = gguf.stat().st_size
        if size > MOST_BYTES - _FOR_CARD:
            raise VoxtabError(
                "model-too-large",
                f"The model has {size:,} bytes; {MOST_BYTES - _FOR_CARD:,} is the most that the repository takes.",
                "Choose smaller sizes in shard_tools/demo/train.py and train again.",
            )
        manifest = split_gguf(gguf, out, force=force, source=state.source, description=DESCRIPTION)
    return Exported(manifest, state)


def parameter_count() -> int:
    """Numbers that the model consists of."""
    return sum(math.prod(shape) for shape in SIZES.tensor_shapes().values())


def _check_out(out: Path, force: bool) -> None:
    """Before any work: `out` may hold a model and its card, and nothing else."""
    if out.exists() and not out.is_dir():
        raise VoxtabError("option-invalid", f"{out} is a file.", "Give a folder.")
    if not out.exists():
        return
    model = [MANIFEST, *(path.name for path in find_shards(out))]
    foreign = sorted(path.name for path in out.iterdir() if path.name not in (CARD, *model))
    if foreign:
        raise VoxtabError(
            "option-invalid", f"{out} holds other files, such as {foreign[0]}.", "Choose another folder."
        )
    check_folder(out, model, force)


def _missing(run: Path) -> VoxtabError:
    return VoxtabError(
        "run-missing",
        f"{run} holds no training run that was saved.",
        f"Train one: voxtab-shards demo-asr train CORPUS {run}",
    )


def _invalid(path: Path, what: str) -> VoxtabError:
    return VoxtabError(
        "run-invalid",
        f"{path} is damaged or of other scripts: {what}.",
        "Train the run again, in a new folder.",
    )
