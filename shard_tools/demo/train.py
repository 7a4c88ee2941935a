"""Trains the demo model on a corpus: `train(corpus_folder, run_folder, settings)`.

Everything a run leaves is in its folder: settings.json, log.jsonl (a line each 20 steps, and the word errors),
state.pt (the latest weights and optimizer, replaced as a whole) and curves.png. Called again, it goes on.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from shard_tools.demo.batches import phoneme_set, training_batches
from shard_tools.demo.corpus import Corpus
from shard_tools.demo.curves import draw_curves
from shard_tools.demo.features import LogMel, log_scale
from shard_tools.demo.losses import Batch, Helpers, losses
from shard_tools.demo.network import VoxtralRealtime
from shard_tools.demo.provenance import current_commit
from shard_tools.demo.tokenizer import vocabulary_size
from shard_tools.demo.validation import ValidationSet, word_error_rate
from shard_tools.demo.words import WORDS
from shard_tools.sizes import ModelSizes, StackSizes
from voxtab.errors import VoxtabError

Report = Callable[[dict[str, Any]], None]

SIZES: Final = ModelSizes(
    encoder=StackSizes(
        dim=192, layers=5, heads=6, kv_heads=6, head_dim=32, ffn=512, window=64, rope_theta=1e4
    ),
    decoder=StackSizes(
        dim=192, layers=3, heads=6, kv_heads=3, head_dim=32, ffn=512, window=48, rope_theta=1e4
    ),
    vocab_size=vocabulary_size(WORDS),
)

_LOG_EVERY: Final = 20
_VALIDATION_DELAYS: Final = (6, 3, 12)
_VALIDATION_BATCH: Final = 20


@dataclass(frozen=True)
class TrainSettings:
    """rate: the largest learning rate, of Muon and AdamW alike; it rises for `warm_up` steps, then falls as a cosine.

    calm: the share of the run, at its end, in which most clips are clean.
    """

    seed: int = 1
    steps: int = 6000
    batch: int = 12
    rate: float = 0.004
    warm_up: int = 100
    final_rate: float = 0.02  # of `rate`
    decay: float = 0.03
    clip_norm: float = 1.0
    calm: float = 0.3
    validate_every: int = 500
    save_every: int = 250


class Run:
    """A run in its folder. Raises VoxtabError option-invalid where the folder holds a run of other settings."""

    def __init__(
        self,
        corpus: Corpus,
        folder: Path,
        settings: TrainSettings,
        device: str,
        fuse: bool = False,
        initial: Path | None = None,
    ) -> None:
        self.corpus, self.folder, self.settings = corpus, folder, settings
        self.device = torch.device(device)
        torch.manual_seed(settings.seed)
        self.net = VoxtralRealtime(SIZES).to(self.device)
        self.log_mel = LogMel(SIZES.mel_bins).to(self.device)
        self.helpers = Helpers(self.net, len(phoneme_set(corpus)), len(WORDS)).to(self.device)
        self.losses = torch.compile(losses) if fuse else losses
        self.optimizers = _optimizers(self.net, self.helpers, settings)
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._check_settings(initial)
        state = folder / "state.pt"
        if state.exists():
            self._load(torch.load(state, map_location=self.device, weights_only=True))
        elif initial is not None:
            before = torch.load(initial / "state.pt", map_location=self.device, weights_only=True)
            self.net.load_state_dict(before["net"])
            self.helpers.load_state_dict(before["helpers"])

    def log(self, entry: dict[str, Any]) -> None:
        with (self.folder / "log.jsonl").open("a") as lines:
            lines.write(json.dumps(entry) + "\n")

    def save(self) -> None:
        state = {
            "step": self.step,
            "net": self.net.state_dict(),
            "helpers": self.helpers.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        part = self.folder / ".state.pt.part"
        torch.save(state, part)
        part.replace(self.folder / "state.pt")

    def _load(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.net.load_state_dict(state["net"])
        self.helpers.load_state_dict(state["helpers"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        # Lines behind the saved step belong to steps that will be taken again.
        log = self.folder / "log.jsonl"
        if not log.exists():
            return
        lines = [line for line in log.read_text().splitlines() if json.loads(line)["step"] <= self.step]
        log.write_text("".join(line + "\n" for line in lines))

    def _check_settings(self, initial: Path | None) -> None:
        path = self.folder / "settings.json"
        wanted = asdict(self.settings) | {"words": list(WORDS), "corpus_seed": self.corpus.info["seed"]}
        wanted["initial"] = None if initial is None else _origin(initial)
        if path.exists():
            kept = json.loads(path.read_text())
            different = sorted(key for key in wanted if kept.get(key) != wanted[key])
            if different:
                raise VoxtabError(
                    "option-invalid",
                    f"{self.folder} holds a run with other settings: {', '.join(different)}.",
                    "Use another folder, or the settings that its settings.json names.",
                )
        else:
            path.write_text(json.dumps(wanted | {"commit": current_commit()}, indent=1))


def _origin(run: Path) -> dict[str, Any]:
    """What the card tells of a run whose weights another one begins with."""
    path = run / "settings.json"
    if not path.is_file() or not (run / "state.pt").is_file():
        raise VoxtabError("option-invalid", f"{run} holds no run.", "Give the folder of a finished one.")
    settings = json.loads(path.read_text())
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    minutes = round(sum(entry.get("seconds", 0.0) for entry in log) / 60)
    return {key: settings[key] for key in ("commit", "seed", "steps", "batch")} | {"minutes": minutes}


def train(
    corpus_folder: Path,
    folder: Path,
    settings: TrainSettings,
    *,
    device: str,
    fuse: bool,
    report: Report,
    initial: Path | None = None,
    workers: int | None = None,
) -> None:
    """report: called with every log entry. Interrupted, it loses at most `save_every` steps.

    fuse: let PyTorch compile the step, a quarter faster; it needs a C++ compiler. initial: the folder of a run whose
    weights this one begins with. workers: processes that mix clips; by default one, or eight for a GPU.
    """
    corpus = Corpus.open(corpus_folder)
    run = Run(corpus, folder, settings, device, fuse, initial)
    validation = {split: ValidationSet.from_split(corpus, split) for split in ("valid", "valid_unseen")}
    batches = training_batches(
        corpus_folder,
        corpus,
        WORDS,
        size=settings.batch,
        seed=settings.seed,
        first=run.step,
        last=settings.steps,
        calm_from=round(settings.steps * (1 - settings.calm)),
        workers=(1 if run.device.type == "cpu" else 8) if workers is None else workers,
    )
    sums: dict[str, float] = {}
    started = time.monotonic()
    for batch in batches:
        for name, value in _take_step(run, _to(batch, run.device)).items():
            sums[name] = sums.get(name, 0.0) + value / _LOG_EVERY
        run.step += 1
        if run.step % _LOG_EVERY == 0:
            entry: dict[str, Any] = {
                "step": run.step,
                **sums,
                "seconds": round(time.monotonic() - started, 1),
            }
            started, sums = time.monotonic(), {}
            run.log(entry)
            report(entry)
        last = run.step == settings.steps
        if last or run.step % settings.validate_every == 0:
            entry = {"step": run.step, "wer": _validate(run, validation)}
            started = time.monotonic()
            run.log(entry)
            report(entry)
            draw_curves(folder)
        if last or run.step % settings.save_every == 0:
            run.save()


def _take_step(run: Run, batch: Batch) -> dict[str, float]:
    progress = run.step / run.settings.steps
    for optimizer in run.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = _rate(run.settings, run.step)
        optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        mel = log_scale(run.log_mel.power(batch.sound) @ batch.distortion)
    with torch.autocast(run.device.type, torch.bfloat16):
        parts = run.losses(run.net, run.helpers, mel, batch)
    # The helpers teach what to listen for; later they would only hold the text back.
    fading = max(0.0, 1 - 2 * progress)
    loss = parts.text + (0.2 + 0.8 * fading) * parts.phones + (0.15 + 0.35 * fading) * parts.ended
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(
        [*run.net.parameters(), *run.helpers.parameters()], run.settings.clip_norm, error_if_nonfinite=True
    )
    for optimizer in run.optimizers:
        optimizer.step()
    return {
        "text": parts.text.item(),
        "phones": parts.phones.item(),
        "ended": parts.ended.item(),
        "norm": norm.item(),
    }


def _rate(settings: TrainSettings, step: int) -> float:
    if step < settings.warm_up:
        return settings.rate * (step + 1) / settings.warm_up
    progress = (step - settings.warm_up) / max(1, settings.steps - settings.warm_up)
    cosine = 0.5 + 0.5 * float(torch.cos(torch.tensor(torch.pi * progress)))
    return settings.rate * (settings.final_rate + (1 - settings.final_rate) * cosine)


def _optimizers(
    net: VoxtralRealtime, helpers: Helpers, settings: TrainSettings
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Muon for the matrices of layers and adapter, AdamW for the rest."""
    matrices: list[Tensor] = []
    rest: list[Tensor] = [*helpers.parameters()]
    for name, parameter in net.named_parameters():
        is_layer = name.startswith(("encoder.", "decoder.", "adapter."))
        (matrices if is_layer and parameter.ndim == 2 else rest).append(parameter)
    return (
        torch.optim.Muon(
            matrices, lr=settings.rate, weight_decay=settings.decay, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(rest, lr=settings.rate, weight_decay=settings.decay, betas=(0.9, 0.98)),
    )


@torch.inference_mode()
def _validate(run: Run, sets: dict[str, ValidationSet]) -> dict[str, float]:
    """Word error rate by split and delay, such as {"valid@480": 0.02}."""
    return {
        f"{split}@{delay * 80}": round(
            word_error_rate(run.net, run.log_mel, clips, WORDS, delay, _VALIDATION_BATCH), 4
        )
        for split, clips in sets.items()
        for delay in _VALIDATION_DELAYS
    }


def _to(batch: Batch, device: torch.device) -> Batch:
    return Batch(**{name: tensor.to(device) for name, tensor in vars(batch).items()})
