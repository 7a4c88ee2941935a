"""The model card: README.md beside the shards, from the run, the corpus's description and the report of `demo-asr eval`.

Numbers come from those files alone. A bar that was missed must be explained by a note, or there is no card.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import jinja2

from shard_tools.demo.conditions import BARS, CONDITIONS
from shard_tools.demo.corpus import PHRASES, read_info
from shard_tools.demo.evaluation import identify, read_report
from shard_tools.demo.export import CARD, LICENCE, MOST_BYTES, parameter_count, read_settings
from shard_tools.demo.train import SIZES
from shard_tools.demo.verdicts import (
    Verdict,
    judge,
    shown,
    shown_limit,
    shown_outcome,
    shown_value,
)
from shard_tools.demo.voices import ESPEAK_ACCENTS, ESPEAK_HELD_OUT, ESPEAK_VARIANTS
from shard_tools.demo.words import VOCABULARY, WORDS
from shard_tools.model_files import open_model
from shard_tools.output_file import writing
from voxtab.errors import VoxtabError

_TEMPLATE: Final = "card.md.j2"
_TRAINED: Final = "train"


@dataclass(frozen=True)
class Package:
    """A Debian package that speaks: what it is, its licence, and which voices of the corpus are its."""

    name: str
    what: str
    licence: str
    voices: str


PACKAGES: Final = (
    Package("espeak-ng", "formant synthesizer", "GPL-3.0-or-later (program and data)", "espeak/"),
    Package(
        "flite", "synthesizer with voices from recordings", "Carnegie Mellon's permissive licence", "flite/"
    ),
    Package(
        "festvox-kallpc16k",
        "American man, diphones",
        "Edinburgh's permissive licence: keep the notice, mark changes",
        "festival/kal_diphone",
    ),
    Package(
        "festvox-kdlpc16k",
        "American man (ked), diphones",
        "Edinburgh's permissive licence: keep the notice, mark changes",
        "festival/ked_diphone",
    ),
    Package(
        "festvox-us-slt-hts",
        "American woman, hidden Markov model",
        "a licence of the same kind, and BSD-3-Clause",
        "festival/cmu_us_slt_arctic_hts",
    ),
)


def write_card(
    corpus: Path,
    run: Path,
    report_path: Path,
    out: Path,
    *,
    notes: Mapping[str, str],
    trained_on: str | None = None,
    picture: Path | None = None,
) -> list[Verdict]:
    """Write `out`/README.md; what it says of the bars.

    notes: why a bar was missed, or what is to be said about one, by its key. trained_on: the machine of the run.
    picture: where a copy of the run's curves.png goes, for the card to show.
    Raises VoxtabError: option-invalid, and those of a run, corpus, model or report that is missing or damaged.
    """
    report, settings = read_report(report_path), read_settings(run)
    info = _corpus_info(corpus, report, settings)
    manifest = open_model(out).manifest
    if manifest is None or identify(out)["sha256"] != report["model"]["sha256"]:
        raise VoxtabError(
            "option-invalid",
            f"{report_path} is about another model than the one in {out}.",
            f"Measure that one: voxtab-shards demo-asr eval {corpus} {out} -o {report_path} --force",
        )
    if f"commit {settings['commit']}, seed {settings['seed']}," not in (manifest.model.source or ""):
        raise VoxtabError(
            "option-invalid",
            f"The model in {out} was not exported from {run}.",
            f"Export that run: voxtab-shards demo-asr export {run} {out} --force",
        )
    verdicts = judge(report["conditions"])
    _check_notes(verdicts, notes)
    if picture is not None:
        _copy_picture(run, picture)
    text = render(
        name=manifest.model.name,
        source=manifest.model.source,
        model_bytes=manifest.file.bytes,
        settings=settings,
        log=read_log(run),
        corpus=info,
        report=report,
        verdicts=verdicts,
        notes=notes,
        trained_on=trained_on,
        picture=None if picture is None else Path(os.path.relpath(picture, out)).as_posix(),
    ).encode()
    if manifest.file.bytes + (out / "manifest.json").stat().st_size + len(text) > MOST_BYTES:
        raise VoxtabError(
            "model-too-large", f"Model and card have more than {MOST_BYTES:,} bytes.", "Shorten the notes."
        )
    with writing(out / CARD, len(text)) as file:
        file.write(text)
    return verdicts


def render(
    *,
    name: str,
    source: str | None,
    model_bytes: int,
    settings: Mapping[str, Any],
    log: Sequence[Mapping[str, Any]],
    corpus: Mapping[str, Any],
    report: Mapping[str, Any],
    verdicts: Sequence[Verdict],
    notes: Mapping[str, str],
    trained_on: str | None,
    picture: str | None,
) -> str:
    """The card's text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown from our own files
    )
    environment.filters["percent"] = lambda rate: "-" if rate is None else f"{100 * rate:.1f} %"
    conditions = report["conditions"]
    steps = [entry for entry in log if "text" in entry]
    return environment.get_template(_TEMPLATE).render(
        name=name,
        licence=LICENCE,
        source=source,
        model_bytes=model_bytes,
        parameters=parameter_count(),
        themes=VOCABULARY,
        word_count=len(WORDS),
        settings=settings,
        initial=settings.get("initial"),
        sizes={"encoder": asdict(SIZES.encoder), "decoder": asdict(SIZES.decoder)},
        vocabulary=SIZES.vocab_size,
        minutes=round(sum(entry["seconds"] for entry in steps) / 60),
        final=steps[-1] if steps else None,
        validation=[entry for entry in log if "wer" in entry][-1:],
        trained_on=trained_on,
        picture=picture,
        corpus=corpus,
        packages=[_package_row(package, corpus) for package in PACKAGES],
        espeak={
            "accents": len(ESPEAK_ACCENTS),
            "variants": len(ESPEAK_VARIANTS),
            "held_out": ESPEAK_HELD_OUT,
        },
        about=report["about"],
        rows=[_bar_row(verdict) for verdict in verdicts],
        missed=[_bar_row(verdict) for verdict in verdicts if verdict.passed is not True],
        notes=notes,
        conditions=[_condition_row(key, title, conditions) for key, title in _titles() if key in conditions],
        groups={key: conditions[key]["groups"] for key in conditions},
    )


def read_log(run: Path) -> list[dict[str, Any]]:
    """log.jsonl of a run. Raises VoxtabError run-invalid."""
    path = run / "log.jsonl"
    try:
        entries = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        if not all(isinstance(entry, dict) and isinstance(entry["step"], int) for entry in entries):
            raise ValueError("a line is no entry")
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise VoxtabError(
            "run-invalid", f"{path} cannot be used: {error}.", "Train the run again, in a new folder."
        ) from error
    return entries


def read_notes(given: Sequence[str], file: Path | None) -> dict[str, str]:
    """Notes by the bars' keys: a JSON object in `file`, then KEY=TEXT each. Raises VoxtabError option-invalid."""
    notes: dict[str, Any] = {}
    if file is not None:
        try:
            notes = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise VoxtabError(
                "option-invalid", f"{file} cannot be used: {error}.", 'It is to be {"KEY": "text", ...}.'
            ) from error
    if not isinstance(notes, dict) or not all(isinstance(text, str) for text in notes.values()):
        raise VoxtabError("option-invalid", f"{file} holds no notes.", 'It is to be {"KEY": "text", ...}.')
    for note in given:
        key, equals, text = note.partition("=")
        if not equals or not text.strip():
            raise VoxtabError("option-invalid", f"{note!r} is no note.", "Write KEY=TEXT.")
        notes[key] = text
    return {key: " ".join(text.split()) for key, text in notes.items()}


def _check_notes(verdicts: Sequence[Verdict], notes: Mapping[str, str]) -> None:
    keys = [bar.key for bar in BARS]
    unknown = sorted(set(notes) - set(keys))
    if unknown:
        raise VoxtabError(
            "option-invalid", f"{unknown[0]!r} is no bar.", f"Notes can be on {', '.join(keys)}."
        )
    silent = [
        verdict.bar.key
        for verdict in verdicts
        if verdict.passed is not True and not notes.get(verdict.bar.key)
    ]
    if silent:
        raise VoxtabError(
            "option-invalid",
            f"Missed or not measured, and the card would not say why: {', '.join(silent)}.",
            f'Say why: --note {silent[0]}="...", or a file of notes.',
        )


def _corpus_info(corpus: Path, report: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    info = read_info(corpus)
    if info is None:
        raise VoxtabError(
            "corpus-missing",
            f"{corpus} holds no finished corpus.",
            f"Make it: voxtab-shards demo-asr data {corpus}",
        )
    with (corpus / PHRASES).open("rb") as file:
        same = hashlib.file_digest(file, "sha256").hexdigest() == report["corpus"].get("sha256")
    if not same or info["seed"] != settings["corpus_seed"]:
        raise VoxtabError(
            "option-invalid",
            f"{corpus} is not the corpus that was trained and measured with.",
            "Give the one that `demo-asr train` and `demo-asr eval` got.",
        )
    return info


def _copy_picture(run: Path, picture: Path) -> None:
    try:
        shutil.copyfile(run / "curves.png", picture)
    except OSError as error:
        raise VoxtabError(
            "option-invalid",
            f"{run / 'curves.png'} could not be copied to {picture}: {error.strerror or error}.",
            "Choose another --picture, or leave it out.",
        ) from error


def _titles() -> list[tuple[str, str]]:
    return [(condition.key, condition.title) for condition in CONDITIONS]


def _package_row(package: Package, corpus: Mapping[str, Any]) -> dict[str, Any]:
    """hours: of training speech."""
    voices = {name: entry for name, entry in corpus["voices"].items() if name.startswith(package.voices)}
    trained = {name: entry for name, entry in voices.items() if _TRAINED in entry["split"]}
    return asdict(package) | {
        "version": corpus["tools"].get(package.name, "unknown"),
        "trained": len(trained),
        "trained_names": [name.partition("/")[2] for name in sorted(trained)],
        "held_out": [name.partition("/")[2] for name in sorted(voices) if name not in trained],
        "hours": sum(entry["hours"] for entry in trained.values()),
    }


def _bar_row(verdict: Verdict) -> dict[str, Any]:
    return {
        "key": verdict.bar.key,
        "claim": verdict.bar.claim,
        "words": verdict.words,
        "measured": shown(verdict, verdict.measured),
        "against": shown(verdict, verdict.against),
        "value": shown_value(verdict),
        "limit": shown_limit(verdict),
        "outcome": shown_outcome(verdict),
    }


def _condition_row(key: str, title: str, conditions: Mapping[str, Any]) -> dict[str, Any]:
    entry = conditions[key]
    return {"title": title, "delay_ms": entry["settings"]["delay_ms"], **entry["total"]}
