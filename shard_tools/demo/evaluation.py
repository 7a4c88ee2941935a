"""Measures the demo model under every condition with the native engine, one report file growing as it goes.

    {"format": "voxtab-demo-eval", "version": 1,
     "model": {"sha256", "bytes", "name", "source"}, "full_precision": whether f32 weights were at hand,
     "corpus": {"seed", "sha256" of phrases.jsonl}, "about": {"voxtab", "machine", "adapter", ...},
     "conditions": {key: {"settings": the Condition, "date", "total": Totals, "groups": {group: Totals},
                          "files": [FileResult and "recording", "said_words", "said"]}}}

Totals and FileResult are those of shard_tools/evaluate/report.py. A condition that is in the file with the same settings
is not measured again. `recording` names what a file was made of, so that the same words can be compared.
"""

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import soundfile
import soxr

from shard_tools.demo.conditions import CLIPPED_SHARE, CONDITIONS, QUIET_PEAK, Condition, Precision
from shard_tools.demo.corpus import PHRASES, Corpus
from shard_tools.demo.recordings import (
    SAMPLE_RATE,
    Recording,
    clipped,
    first_words,
    single_phrases,
    split_recordings,
    with_peak,
)
from shard_tools.demo.wordless import wordless_recordings
from shard_tools.evaluate.items import Item
from shard_tools.evaluate.measure import LoadedEngine, evaluate, load_engine
from shard_tools.gguf_metadata import CHECKSUM_KEY
from shard_tools.model_files import open_model
from shard_tools.output_file import writing
from shard_tools.quantize import quantize_checkpoint
from voxtab import __version__
from voxtab.errors import VoxtabError
from voxtab.models.asr_state import AsrOptions

FORMAT: Final = "voxtab-demo-eval"
VERSION: Final = 1
_SEED: Final = 1
_MOST_REPORT_BYTES: Final = 64 << 20
# The softer channel of a stereo file, as of a speaker who sits to one side.
_FAR_CHANNEL: Final = 0.7


Watch = Callable[[Condition, float, int], None]
"""(the condition being measured, recordings done, recordings in all)"""


def ignore(condition: Condition, done: float, total: int) -> None:
    """The progress nobody watches."""


def evaluate_demo(
    corpus_folder: Path,
    model: Path,
    output: Path,
    *,
    full_precision: Path | None = None,
    only: Sequence[str] = (),
    force: bool = False,
    watch: Watch = ignore,
    finished: Callable[[Condition, Mapping[str, Any]], None] = lambda condition, entry: None,
) -> dict[str, Any]:
    """Measure what `output` lacks, writing it anew after each condition; what it then says.

    full_precision: the same weights as a GGUF in f32, or as a checkpoint; without it that condition is left out. only:
    keys of conditions. force: begin a report of another model or corpus anew. Raises VoxtabError: option-invalid,
    report-invalid, and those of the corpus, model and engine.
    """
    wanted = _wanted(only, full_precision)
    corpus = Corpus.open(corpus_folder)
    report = _report(output, corpus_folder, corpus, model, force)
    with _Engines(model, full_precision) as engines:
        for condition in wanted:
            settings = asdict(condition)
            if report["conditions"].get(condition.key, {}).get("settings") == settings:
                continue
            engine = engines.of(condition.precision)
            report["about"] = about(engine)
            entry = {"settings": settings, "date": datetime.now(UTC).date().isoformat()}
            entry |= _measure(corpus, condition, engine, watch)
            report["conditions"][condition.key] = entry
            write_report(output, report)
            finished(condition, entry)
    return report


def about(loaded: LoadedEngine) -> dict[str, Any]:
    """With what was measured."""
    return {
        "voxtab": __version__,
        "machine": f"{os.cpu_count()} cores of {_processor()}",
        "adapter": loaded.engine.gpu.info.name,
        "python": platform.python_version(),
        "wgpu": version("wgpu"),
    }


def treated(corpus: Corpus, condition: Condition) -> list[tuple[str, Recording]]:
    """(name of the untreated recording, the recording as it is measured), in order."""
    if condition.treatment == "wordless":
        return [(recording.name, recording) for recording in wordless_recordings(_SEED)]
    chosen = first_words(split_recordings(corpus, condition.split, _SEED), condition.words)
    if condition.treatment == "start":
        return [(whole.name, phrase) for whole in chosen for phrase in single_phrases(corpus, whole)]
    if condition.treatment == "quiet":
        return [(whole.name, with_peak(whole, QUIET_PEAK)) for whole in chosen]
    if condition.treatment == "clipped":
        return [(whole.name, clipped(whole, CLIPPED_SHARE)) for whole in chosen]
    return [(whole.name, whole) for whole in chosen]


def read_report(path: Path) -> dict[str, Any]:
    """A report that was written here. Raises VoxtabError report-missing or report-invalid."""
    try:
        if path.stat().st_size > _MOST_REPORT_BYTES:
            raise _invalid(path, "it is too large")
        report = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise VoxtabError(
            "report-missing",
            f"There is no {path}.",
            f"Measure first: voxtab-shards demo-asr eval CORPUS MODEL -o {path}",
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise _invalid(path, str(error)) from error
    if not isinstance(report, dict) or (report.get("format"), report.get("version")) != (FORMAT, VERSION):
        raise _invalid(path, "it is something else")
    for part in ("model", "corpus", "about", "conditions"):
        if not isinstance(report.get(part), dict):
            raise _invalid(path, f"it lacks {part}")
    return report


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    data = (json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    with writing(path, len(data)) as file:
        file.write(data)


def identify(model: Path) -> dict[str, Any]:
    """What tells the model at `path` from all others."""
    files = open_model(model)
    digest = hashlib.sha256()
    for file in files.files:
        with file.open("rb") as handle:
            while piece := handle.read(1 << 20):
                digest.update(piece)
    info = files.manifest.model if files.manifest else None
    return {
        "sha256": digest.hexdigest(),
        "bytes": files.bytes,
        "name": info.name if info else files.merged.metadata.get("general.name"),
        "source": info.source if info else None,
    }


def _wanted(only: Sequence[str], full_precision: Path | None) -> list[Condition]:
    keys = [condition.key for condition in CONDITIONS]
    unknown = [key for key in only if key not in keys]
    if unknown:
        raise VoxtabError(
            "option-invalid", f"{unknown[0]!r} is no condition.", f"Choose from {', '.join(keys)}."
        )
    chosen = [condition for condition in CONDITIONS if not only or condition.key in only]
    if full_precision is None:
        if any(condition.precision == "f32" for condition in chosen) and only:
            raise VoxtabError(
                "option-invalid", "Where are the weights in f32?", "Name them with --full-precision."
            )
        chosen = [condition for condition in chosen if condition.precision != "f32"]
    return chosen


def _report(path: Path, corpus_folder: Path, corpus: Corpus, model: Path, force: bool) -> dict[str, Any]:
    """The one that is there, if it is of this model and corpus, or a new one."""
    with (corpus_folder / PHRASES).open("rb") as file:
        phrases = hashlib.file_digest(file, "sha256").hexdigest()
    fresh: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "model": identify(model),
        "corpus": {"seed": corpus.info.get("seed"), "sha256": phrases},
        "about": {},
        "conditions": {},
    }
    if not path.exists() or force:
        return fresh
    report = read_report(path)
    if report["model"].get("sha256") != fresh["model"]["sha256"] or report["corpus"] != fresh["corpus"]:
        raise VoxtabError(
            "option-invalid",
            f"{path} is about another model or corpus.",
            "Choose another -o, or begin that report anew with --force.",
        )
    return report


class _Engines:
    """Loads the weights when they are first wanted, one precision at a time."""

    def __init__(self, model: Path, full_precision: Path | None) -> None:
        self._model, self._full_precision = model, full_precision
        self._loaded: tuple[Precision, LoadedEngine] | None = None

    def __enter__(self) -> "_Engines":
        return self

    def __exit__(self, *error: object) -> None:
        self._unload()

    def of(self, precision: Precision) -> LoadedEngine:
        if self._loaded is None or self._loaded[0] != precision:
            self._unload()
            self._loaded = (precision, self._load(precision))
        return self._loaded[1]

    def _load(self, precision: Precision) -> LoadedEngine:
        if precision == "q4_0" or self._full_precision is None:
            return load_engine(self._model)
        with _as_gguf(self._full_precision) as gguf:
            if _checksums(gguf) != _checksums(self._model):
                raise VoxtabError(
                    "option-invalid",
                    f"{self._full_precision} holds other weights than {self._model}.",
                    "Give the checkpoint that the same export wrote with --checkpoint.",
                )
            return load_engine(gguf)

    def _unload(self) -> None:
        if self._loaded is not None:
            self._loaded[1].engine.unload()
            self._loaded = None


@contextmanager
def _as_gguf(weights: Path) -> Iterator[Path]:
    """A GGUF as it is; a checkpoint becomes one in f32."""
    if weights.is_file():
        yield weights
        return
    with tempfile.TemporaryDirectory() as scratch:
        gguf = Path(scratch) / "f32.gguf"
        quantize_checkpoint(weights, gguf, "f32")
        yield gguf


def _checksums(model: Path) -> Any:
    """Of the weights that were quantized, before they were."""
    return open_model(model).merged.metadata.get(CHECKSUM_KEY)


def _measure(corpus: Corpus, condition: Condition, loaded: LoadedEngine, watch: Watch) -> dict[str, Any]:
    made = treated(corpus, condition)
    with tempfile.TemporaryDirectory() as scratch:
        items = [_item(recording, condition, Path(scratch)) for _, recording in made]
        report = evaluate(
            loaded.engine,
            items,
            AsrOptions(delay_ms=condition.delay_ms),
            normalize_peak=condition.normalize_peak,
            progress=lambda done, total: watch(condition, done, total),
        )
    if report.failed:
        raise report.failed[0].error or VoxtabError("internal", "A recording failed without saying why.")
    files = [
        result.to_json()
        | {"recording": whole, "said_words": len(recording.words), "said": " ".join(recording.words)}
        for result, (whole, recording) in zip(report.results, made, strict=True)
    ]
    groups = {name: totals.to_json() for name, totals in sorted(report.by_group.items())}
    return {"total": report.total.to_json(), "groups": groups, "files": files}


def _item(recording: Recording, condition: Condition, scratch: Path) -> Item:
    """Foreign words are to be left unwritten: their text is empty."""
    text = "" if condition.split == "test_foreign" else " ".join(recording.words)
    if condition.treatment not in ("8khz", "48khz-stereo"):
        return Item(recording.sound, text, recording.group, recording.name)
    path = scratch / (recording.name.replace("/", "_") + ".wav")
    if condition.treatment == "8khz":
        soundfile.write(path, soxr.resample(recording.sound, SAMPLE_RATE, 8000), 8000, "PCM_16")
    else:
        near = soxr.resample(recording.sound, SAMPLE_RATE, 48000)
        both = near[:, None] * [1.0, _FAR_CHANNEL]
        soundfile.write(path, both, 48000, "PCM_16")
    return Item(path, text, recording.group, recording.name)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def _invalid(path: Path, what: str) -> VoxtabError:
    return VoxtabError(
        "report-invalid",
        f"{path} is no report of this: {what}.",
        "Measure again with another -o, or with --force.",
    )
