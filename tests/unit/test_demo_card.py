"""The demo model's card: numbers from the report and the run, nothing missed without saying why."""

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.repocard import metadata_load
from typer.testing import CliRunner, Result

from shard_tools import cli
from shard_tools.demo.conditions import CONDITIONS
from shard_tools.demo.corpus import Corpus
from shard_tools.demo.evaluation import FORMAT, VERSION, identify, treated, write_report
from shard_tools.demo.export import export
from shard_tools.demo.words import WORDS
from shard_tools.evaluate import FileResult, Report
from shard_tools.evaluate.score import count_characters, count_words
from tests.unit.demo_site import COMMIT, small_corpus, small_run


def measured(corpus: Corpus) -> dict[str, Any]:
    """All conditions as if every word had been written, but the last of each recording at 960 ms."""
    conditions = {}
    for condition in CONDITIONS:
        results, files = [], []
        for whole, recording in treated(corpus, condition):
            said = "" if condition.split == "test_foreign" else " ".join(recording.words)
            written = said.rpartition(" ")[0] if condition.delay_ms == 960 else said
            counts = count_words(said, written), count_characters(said, written)
            result = FileResult(recording.name, recording.group, said, written, 10.0, 2.5, *counts)
            results.append(result)
            files.append(
                result.to_json()
                | {"recording": whole, "said_words": len(recording.words), "said": " ".join(recording.words)}
            )
        report = Report(results, "basic", planned=len(results))
        conditions[condition.key] = {
            "settings": {"delay_ms": condition.delay_ms},
            "total": report.total.to_json(),
            "groups": {name: totals.to_json() for name, totals in report.by_group.items()},
            "files": files,
        }
    return conditions


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """corpus, run, model and report.json, as the commands before leave them."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("made")
    corpus = small_corpus(folder / "corpus", phrases_a_voice=130)  # 1560 words
    run = small_run(folder / "run")
    (run / "curves.png").write_bytes(b"picture")
    export(run, folder / "model")
    report = {
        "format": FORMAT,
        "version": VERSION,
        "model": identify(folder / "model"),
        "corpus": {"seed": 7, "sha256": sha256(corpus / "phrases.jsonl")},
        "about": {"adapter": "llvmpipe", "machine": "2 cores of a processor"},
        "conditions": measured(Corpus.open(corpus)),
    }
    write_report(folder / "report.json", report)
    return folder


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """What was made, for one test to spoil."""
    for path in made.rglob("*"):
        target = tmp_path / path.relative_to(made)
        if path.is_dir():
            target.mkdir()
        else:
            target.write_bytes(path.read_bytes())
    return tmp_path


def card(folder: Path, *options: str, code: int = 0) -> Result:
    places = [str(folder / name) for name in ("corpus", "run", "report.json", "model")]
    done = CliRunner().invoke(cli.app, ["demo-asr", "card", *places, *options])
    assert done.exit_code == code, done.output
    return done


WHY = ("--note", "trained-960=Late words are cut off.", "--note", "unseen-960=The same.")


def test_the_card_says_what_the_report_and_the_run_say(folder: Path) -> None:
    done = card(folder, *WHY, "--trained-on", "two old cores")
    assert "15 of 17 bars reached" in done.stdout
    text = (folder / "model" / "README.md").read_text()
    assert text.startswith("---\n")
    assert "This is a demo." in text
    for word in WORDS:
        assert f" {word}" in text
    assert f"commit {COMMIT}, seed 3, 40 steps" in text
    assert "2 minutes of steps on two old cores" in text
    assert "| new phrases of trained voices | 1,560 | 0.0 % | - | 0.0 % | 2.0 % | reached |" in text
    assert "2,763,200 bytes" in text
    assert "trained at 480 ms 1.2 %, never trained at 480 ms 7.9 %" in text
    assert "--seed 3 --steps 40 --batch 12" in text
    assert "--seed 7 --hours 11" in text
    assert "kal_diphone" in text
    assert "GPL-3.0-or-later" in text


def test_the_hub_reads_its_header(folder: Path) -> None:
    card(folder, *WHY)
    header = metadata_load(folder / "model" / "README.md")
    assert header is not None
    assert (header["license"], header["language"]) == ("apache-2.0", ["en"])
    assert header["pipeline_tag"] == "automatic-speech-recognition"


def test_no_table_is_torn(folder: Path) -> None:
    """Every row has its header's number of columns."""
    card(folder, *WHY)
    lines = (folder / "model" / "README.md").read_text().split("\n")
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) > 60
    columns = 0
    for before, line in itertools.pairwise(lines):
        if line.startswith("|"):
            if not before.startswith("|"):
                assert before == ""
                columns = line.count("|")
            assert line.count("|") == columns, line
        assert not (before == "" and line == ""), "two empty lines"


def test_a_missed_bar_is_explained_or_there_is_no_card(folder: Path) -> None:
    done = card(folder, code=2)
    assert "trained-960, unseen-960" in done.stderr
    assert not (folder / "model" / "README.md").exists()
    card(folder, *WHY[:2], code=2)
    card(folder, *WHY)
    text = (folder / "model" / "README.md").read_text()
    assert "- **trained voices, 960 ms against 480: missed**" in text
    assert "Late words are cut off." in text


def test_notes_can_come_from_a_file_and_must_be_about_bars(folder: Path) -> None:
    notes = folder / "notes.json"
    notes.write_text(json.dumps({"trained-960": "Late.", "unseen-960": "Too  late."}))
    card(folder, "--notes", str(notes))
    assert "Too late." in (folder / "model" / "README.md").read_text()
    assert "'weather' is no bar" in card(folder, *WHY, "--note", "weather=fine", code=2).stderr
    assert "is no note" in card(folder, *WHY, "--note", "weather", code=2).stderr
    notes.write_text('["late"]')
    assert "holds no notes" in card(folder, "--notes", str(notes), code=2).stderr


def test_the_picture_is_copied_and_shown_from_the_cards_place(folder: Path) -> None:
    picture = folder / "pictures" / "curves.png"
    card(folder, *WHY, "--picture", str(picture), code=2)
    picture.parent.mkdir()
    card(folder, *WHY, "--picture", str(picture))
    assert picture.read_bytes() == b"picture"
    assert "](../pictures/curves.png)" in (folder / "model" / "README.md").read_text()


def test_a_report_of_another_model_makes_no_card(folder: Path) -> None:
    export(small_run(folder / "run", seed=3), folder / "model", force=True)
    card(folder, *WHY)  # the same weights again
    export(small_run(folder / "run-4", seed=4), folder / "model", force=True)
    assert "another model" in card(folder, *WHY, code=2).stderr


def test_another_run_or_corpus_makes_no_card(folder: Path) -> None:
    settings = json.loads((folder / "run" / "settings.json").read_text())
    (folder / "run" / "settings.json").write_text(json.dumps(settings | {"commit": "f" * 40}))
    assert "was not exported from" in card(folder, *WHY, code=2).stderr
    (folder / "run" / "settings.json").write_text(json.dumps(settings | {"corpus_seed": 8}))
    assert "is not the corpus" in card(folder, *WHY, code=2).stderr
    (folder / "run" / "settings.json").write_text(json.dumps(settings))
    with (folder / "corpus" / "phrases.jsonl").open("a") as lines:
        lines.write("\n")
    assert "is not the corpus" in card(folder, *WHY, code=2).stderr


def test_a_damaged_log_is_told(folder: Path) -> None:
    (folder / "run" / "log.jsonl").write_text('{"step": 20}\n{"st')
    assert "error[run-invalid]" in card(folder, *WHY, code=2).stderr


def test_every_command_to_make_it_again_has_a_line_of_its_own(folder: Path) -> None:
    settings = folder / "run" / "settings.json"
    given = json.loads(settings.read_text())
    initial = {"seed": 3, "steps": 90, "batch": 12, "commit": "f" * 40, "minutes": 3}
    settings.write_text(json.dumps(given | {"rate": 0.002, "initial": initial}))
    card(folder, *WHY)
    text = (folder / "model" / "README.md").read_text()
    commands = text.partition("    apt install")[2].partition("\n\n")[0].splitlines()[1:]
    starts = [" ".join(command.split()[:3]) for command in commands]
    assert starts == [
        "git checkout " + "f" * 40,
        *("voxtab-shards demo-asr data", "voxtab-shards demo-asr train"),
        f"git checkout {COMMIT}",
        *("voxtab-shards demo-asr train", "git checkout -"),
        *(f"voxtab-shards demo-asr {command}" for command in ("export", "eval", "card")),
    ]
