"""The demo model's evaluation: what is measured, the report that grows, and the bars."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import soundfile
from typer.testing import CliRunner

from shard_tools import cli
from shard_tools.demo import evaluation
from shard_tools.demo.conditions import BARS, CONDITIONS, Bar, Condition
from shard_tools.demo.evaluation import evaluate_demo
from shard_tools.demo.verdicts import judge
from shard_tools.evaluate import FileResult, LoadedEngine, Report
from shard_tools.evaluate.items import Item
from shard_tools.evaluate.score import count_characters, count_words
from shard_tools.synth import PRESETS, synth_checkpoint, synth_gguf
from tests.unit.demo_site import small_corpus
from voxtab.errors import VoxtabError
from voxtab.models.asr_state import AsrOptions
from voxtab.sessions.engine import Engine

FIRST, F32 = "trained-480", "trained-f32"


@pytest.fixture(scope="module")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of model.gguf in Q4_0, the checkpoint it is from, and other.gguf in f32 of other weights."""
    folder = tmp_path_factory.mktemp("models")
    synth_gguf(folder / "model.gguf", PRESETS["tiny"], 1)
    synth_gguf(folder / "other.gguf", PRESETS["tiny"], 2, "f32")
    synth_checkpoint(folder / "checkpoint", PRESETS["tiny"], 1)
    return folder


# --- the report ---

Answer = Callable[[Item], str]


class Stub:
    """Stands in for the engine: every measurement is noted in `asked`, and `answer` gives what is written."""

    def __init__(self) -> None:
        self.asked: list[tuple[AsrOptions, bool, list[Item]]] = []
        self.loaded: list[Path] = []
        self.answer: Answer = lambda item: item.text
        self.ends: BaseException | None = None
        self.files: list[Any] = []

    def load(self, model: Path, *_: object) -> LoadedEngine:
        self.loaded.append(model)
        return LoadedEngine(cast(Engine, Named()), "stub", 480, 0.1)

    def evaluate(
        self,
        engine: Engine,
        items: Sequence[Item],
        options: AsrOptions,
        normalize_peak: bool,
        progress: Callable[[float, int], None],
    ) -> Report:
        if self.ends is not None:
            raise self.ends
        self.asked.append((options, normalize_peak, list(items)))
        self.files += [soundfile.info(item.audio) for item in items if isinstance(item.audio, Path)]
        results = []
        for item in items:
            text = self.answer(item)
            seconds = len(item.samples()) / 16000
            counts = count_words(item.text, text), count_characters(item.text, text)
            results.append(FileResult(item.name, item.group, item.text, text, seconds, 1.0, *counts))
        return Report(results, "basic", planned=len(items))


class Named:
    """Stands in for an engine, its GPU and the adapter's description."""

    name = "stub adapter"

    def __getattr__(self, _: str) -> "Named":
        return self

    def __call__(self) -> None:
        """engine.unload()"""


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    stub = Stub()
    monkeypatch.setattr(evaluation, "load_engine", stub.load)
    monkeypatch.setattr(evaluation, "evaluate", stub.evaluate)
    return stub


def test_all_conditions_are_measured_in_their_order(
    stub: Stub, corpus_folder: Path, models: Path, tmp_path: Path
) -> None:
    output = tmp_path / "report.json"
    report = evaluate_demo(corpus_folder, models / "model.gguf", output, full_precision=models / "checkpoint")
    assert list(report["conditions"]) == [condition.key for condition in CONDITIONS]
    assert json.loads(output.read_text()) == report
    asked = [(options.delay_ms, evened) for options, evened, _ in stub.asked]
    assert asked == [(condition.delay_ms, condition.normalize_peak) for condition in CONDITIONS]
    assert report["about"]["adapter"] == "stub adapter"
    assert all(verdict.passed is not None for verdict in judge(report["conditions"]))


def test_files_of_8_khz_and_of_48_khz_in_stereo_are_what_is_read(
    stub: Stub, corpus_folder: Path, models: Path, tmp_path: Path
) -> None:
    for key, rate, channels in (("8khz", 8000, 1), ("48khz-stereo", 48000, 2)):
        stub.files.clear()
        evaluate_demo(corpus_folder, models / "model.gguf", tmp_path / f"{key}.json", only=[key])
        assert stub.files
        assert {(info.samplerate, info.channels, info.subtype) for info in stub.files} == {
            (rate, channels, "PCM_16")
        }


def test_foreign_words_are_to_be_left_unwritten_and_the_report_knows_them(
    stub: Stub, corpus_folder: Path, models: Path, tmp_path: Path
) -> None:
    stub.answer = lambda item: "one two three" if item.name.endswith("/000") else ""
    report = evaluate_demo(corpus_folder, models / "model.gguf", tmp_path / "r.json", only=["foreign"])
    entry = report["conditions"]["foreign"]
    assert {item.text for item in stub.asked[0][2]} == {""}
    assert {word for file in entry["files"] for word in file["said"].split()} == {"tiger", "violin"}
    (verdict,) = [verdict for verdict in judge(report["conditions"]) if verdict.bar.key == "foreign"]
    groups = {file["group"] for file in entry["files"]}
    assert verdict.words == 2 * 12 * 2  # words a phrase, phrases a voice, voices
    assert verdict.value == pytest.approx(3 * len(groups) / verdict.words)


def test_what_is_in_the_report_is_not_measured_again(
    stub: Stub, corpus_folder: Path, models: Path, tmp_path: Path
) -> None:
    output = tmp_path / "report.json"
    evaluate_demo(corpus_folder, models / "model.gguf", output, only=["foreign"])
    stub.asked.clear()
    report = evaluate_demo(corpus_folder, models / "model.gguf", output, only=["foreign", "8khz"])
    assert len(stub.asked) == 1
    assert set(report["conditions"]) == {"foreign", "8khz"}
    changed = json.loads(output.read_text())
    changed["conditions"]["8khz"]["settings"]["delay_ms"] = 80
    output.write_text(json.dumps(changed))
    evaluate_demo(corpus_folder, models / "model.gguf", output, only=["foreign", "8khz"])
    assert len(stub.asked) == 2


def test_what_was_measured_before_an_interruption_stays(
    stub: Stub, corpus_folder: Path, models: Path, tmp_path: Path
) -> None:
    output = tmp_path / "report.json"

    def cancel(condition: Condition, entry: object) -> None:
        stub.ends = KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt):
        evaluate_demo(corpus_folder, models / "model.gguf", output, finished=cancel)
    assert list(json.loads(output.read_text())["conditions"]) == [FIRST]


def test_a_report_of_another_model_is_kept_unless_forced(
    stub: Stub, corpus_folder: Path, models: Path, tmp_path: Path
) -> None:
    output = tmp_path / "report.json"
    evaluate_demo(corpus_folder, models / "model.gguf", output, only=["foreign"])
    before = output.read_bytes()
    with pytest.raises(VoxtabError, match="another model") as caught:
        evaluate_demo(corpus_folder, models / "other.gguf", output, only=["8khz"])
    assert caught.value.code == "option-invalid"
    assert output.read_bytes() == before
    report = evaluate_demo(corpus_folder, models / "other.gguf", output, only=["8khz"], force=True)
    assert set(report["conditions"]) == {"8khz"}


def test_full_precision_must_be_of_the_same_weights(
    stub: Stub, corpus_folder: Path, models: Path, tmp_path: Path
) -> None:
    with pytest.raises(VoxtabError, match="other weights"):
        evaluate_demo(
            corpus_folder,
            models / "model.gguf",
            tmp_path / "report.json",
            only=[F32],
            full_precision=models / "other.gguf",
        )
    assert not stub.loaded


def test_a_checkpoint_is_measured_as_a_gguf_in_f32(
    stub: Stub, corpus_folder: Path, models: Path, tmp_path: Path
) -> None:
    arguments = (corpus_folder, models / "model.gguf", tmp_path / "report.json")
    evaluate_demo(*arguments, only=[F32], full_precision=models / "checkpoint")
    assert [path.name for path in stub.loaded] == ["f32.gguf"]


def test_without_full_precision_that_condition_is_left_out_or_asked_for(
    stub: Stub, corpus_folder: Path, models: Path, tmp_path: Path
) -> None:
    report = evaluate_demo(corpus_folder, models / "model.gguf", tmp_path / "report.json")
    assert set(report["conditions"]) == {condition.key for condition in CONDITIONS} - {F32}
    with pytest.raises(VoxtabError, match="--full-precision"):
        evaluate_demo(corpus_folder, models / "model.gguf", tmp_path / "report.json", only=[F32])


@pytest.mark.parametrize("content", ["", "[]", '{"format": "voxtab-eval", "version": 1}', "[" * 100_000])
def test_a_file_that_is_no_report_is_told(
    stub: Stub, corpus_folder: Path, models: Path, tmp_path: Path, content: str
) -> None:
    output = tmp_path / "report.json"
    output.write_text(content)
    with pytest.raises(VoxtabError) as caught:
        evaluate_demo(corpus_folder, models / "model.gguf", output, only=["foreign"])
    assert caught.value.code == "report-invalid"
    assert output.read_text() == content


def test_the_command_prints_the_bars(stub: Stub, corpus_folder: Path, models: Path, tmp_path: Path) -> None:
    arguments = ["demo-asr", "eval", str(corpus_folder), str(models / "model.gguf")]
    stub.answer = lambda item: "one " * 40
    done = CliRunner().invoke(
        cli.app,
        [*arguments, "-o", str(tmp_path / "report.json"), "--only", "wordless"],
        env={"COLUMNS": "100"},
    )
    assert done.exit_code == 0, done.output
    assert "880 false words in 8.0 min" in done.stderr  # 22 recordings
    (line,) = [line for line in done.stdout.splitlines() if line.strip().startswith("wordless")]
    assert "110.00 /min" in line
    assert line.strip().endswith("missed")
    done = CliRunner().invoke(cli.app, [*arguments, "--only", "thunder"])
    assert done.exit_code == 2
    assert "'thunder' is no condition" in done.stderr


# --- bars ---


def result(recording: str, words: int, errors: int, group: str = "a") -> dict[str, Any]:
    """Of a recording in which `errors` words were exchanged."""
    counts = {"words": words, "substitutions": errors, "insertions": 0, "deletions": 0}
    return {"recording": recording, "group": group, "said_words": words, "seconds": 10.0, **counts}


def test_a_bar_against_another_condition_takes_the_same_recordings() -> None:
    bar = Bar("near", "near", "spoiled", 0.04, baseline="clean")
    clean = {"files": [result("a", 100, 1), result("b", 100, 50)]}
    (verdict,) = judge({"spoiled": {"files": [result("a", 100, 5)]}, "clean": clean}, [bar])
    assert (verdict.measured, verdict.against) == (0.05, 0.01)
    assert verdict.value == pytest.approx(0.04)
    assert verdict.passed is True
    (verdict,) = judge({"spoiled": {"files": [result("a", 100, 6)]}, "clean": clean}, [bar])
    assert verdict.passed is False


def test_a_bar_counts_its_groups_only() -> None:
    bar = Bar("some", "some", "unseen", 0.1, groups="espeak-ng ")
    files = [result("a", 100, 90, "flite/rms"), result("b", 50, 5, "espeak-ng f3")]
    (verdict,) = judge({"unseen": {"files": files}}, [bar])
    assert (verdict.value, verdict.words, verdict.passed) == (0.1, 50, True)


def test_few_words_prove_nothing_and_nothing_measured_is_no_verdict() -> None:
    bar = Bar("many", "many", "clean", 0.02, least_words=1500)
    (verdict,) = judge({"clean": {"files": [result("a", 1499, 0)]}}, [bar])
    assert (verdict.value, verdict.passed) == (0.0, False)
    (verdict,) = judge({}, [bar])
    assert (verdict.value, verdict.passed) == (None, None)
    (verdict,) = judge({"clean": {"files": []}}, [bar])
    assert verdict.passed is None


def test_bars_and_conditions_fit_together() -> None:
    known = {condition.key: condition for condition in CONDITIONS}
    assert len(known) == len(CONDITIONS)
    assert len({bar.key for bar in BARS}) == len(BARS)
    for bar in BARS:
        assert bar.condition in known
        if bar.baseline is not None:
            assert known[bar.baseline].split == known[bar.condition].split
            assert known[bar.baseline].words is None  # so that it has every recording of the other
    unmeasured = set(known) - {key for bar in BARS for key in (bar.condition, bar.baseline)}
    assert not unmeasured
