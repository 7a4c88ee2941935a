"""`voxtab-shards eval` as a user meets it, the engine aside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from shard_tools import cli
from shard_tools.evaluate import Counts, FileResult, LoadedEngine, command
from shard_tools.evaluate.items import Item
from voxtab.errors import VoxtabError
from voxtab.sessions.engine import Engine


class Named:
    """Stands in for an engine, its GPU and the adapter's description."""

    name = "stub adapter"

    def __getattr__(self, _: str) -> Named:
        return self


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(16000, np.float32), 16000)
    table = tmp_path / "list.tsv"
    table.write_text("path\ttext\tvoice\na.wav\tone two\tx\nb.wav\tone\ty\nc.wav\tone\ty\n")
    return table


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, data: Path) -> Any:
    """run(*options, ends=...) -> what the command printed; the second recording is not readable if `bad`, and `ends`
    is raised in place of the third's result."""

    def run(
        *options: str | Path,
        ends: BaseException | None = None,
        code: int = 0,
        data: Path = data,
        bad: bool = True,
    ) -> Result:
        def measure(engine: Engine, items: list[Item], *options: object) -> Any:
            a, b, c = items
            yield FileResult(a.name, a.group, a.text, "one", 1.0, 0.1, Counts(1, 0, 0, 1), Counts(3, 0, 0, 4))
            if bad:
                fault = VoxtabError("audio-empty", "b.wav is empty.", "?")
                yield FileResult(b.name, b.group, b.text, error=fault)
            if ends is not None:
                raise ends
            yield FileResult(c.name, c.group, c.text, "one", 1.0, 0.1, Counts(1), Counts(3))

        monkeypatch.setattr(command, "measure", measure)
        monkeypatch.setattr(
            command, "load_engine", lambda *_: LoadedEngine(cast(Engine, Named()), "stub model", 480, 1.5)
        )
        done = CliRunner().invoke(cli.app, ["eval", "model.gguf", str(data), *map(str, options)])
        assert done.exit_code == code, done.output
        return done

    return run


def test_the_report_has_the_totals_and_the_exit_code_tells_of_the_bad_file(run: Any) -> None:
    done = run(code=1)
    assert "WER 33.3 % (1 of 3 words: 0 substituted, 0 inserted, 1 deleted)" in done.stdout
    assert "stub model loaded in 1.5 s on stub adapter" in done.stdout
    assert "b.wav: error[audio-empty]" in done.stderr
    assert "error" not in run(bad=False).stderr


def test_json_is_all_there_is_on_stdout(run: Any, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.json"
    done = run("--json", "-o", out, code=1)
    report = json.loads(done.stdout)
    assert json.loads(out.read_text()) == report
    assert report["total"]["wer"] == pytest.approx(1 / 3, abs=1e-6)
    assert report["about"]["model"] == {"path": "model.gguf", "name": "stub model", "load_s": 1.5}
    assert report["about"]["data"] == str(data)
    assert report["partial"] is False


@pytest.mark.parametrize(
    ("ends", "code", "stopped"),
    [
        (KeyboardInterrupt(), 130, "cancelled"),
        (VoxtabError("device-lost", "The GPU is gone.", "Start again."), 2, "device-lost"),
    ],
)
def test_what_was_done_is_reported_however_it_ends(
    run: Any, tmp_path: Path, ends: BaseException, code: int, stopped: str
) -> None:
    done = run("-o", tmp_path / "report.json", ends=ends, code=code)
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["partial"], report["stopped"], report["planned"]) == (True, stopped, 3)
    assert [file["name"] for file in report["files"]] == ["a.wav"]
    assert "partial: 2 of 3 recordings were tried" in " ".join(done.stdout.split())
    assert f"error[{stopped}]" in done.stderr


def test_a_report_replaces_nothing_unasked_and_never_its_sources(run: Any, data: Path) -> None:
    old = data.with_name("report.json")
    old.write_text("old")
    assert "exists already" in run("-o", old, code=2).stderr
    assert old.read_text() == "old"
    run("-o", old, "--force", code=1)
    assert json.loads(old.read_text())["format"] == "voxtab-eval"
    for source in (data, data.with_name("a.wav")):
        before = source.read_bytes()
        assert "destroy its own source" in run("-o", source, "--force", code=2).stderr
        assert source.read_bytes() == before


@pytest.mark.parametrize(
    "options",
    [
        ("--delay-ms", "100"),
        ("--kv-cache", "f8"),
        ("--limit", "0"),
        ("--language-normaliser", "klingon"),
        ("--text-column", "absent"),
        ("--audio", "absent"),
    ],
)
def test_bad_options_are_refused_before_the_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, data: Path, options: tuple[str, ...]
) -> None:
    monkeypatch.setattr(command, "load_engine", lambda *_: pytest.fail("loaded"))
    done = CliRunner().invoke(cli.app, ["eval", "model.gguf", str(data), *options])
    assert done.exit_code == 2
    assert "error[option-invalid]" in done.stderr


def test_a_name_that_is_no_utf8_is_still_json(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name in ("a", "b", "odd\udcff"):
        (folder / f"{name}.wav").write_bytes(b"sound")
        (folder / f"{name}.txt").write_text("one")
    done = run("--json", "-o", tmp_path / "report.json", code=1, data=folder)
    assert json.loads(done.stdout)["files"][1]["name"] == "odd\udcff.wav"
    assert (tmp_path / "report.json").read_text() == done.stdout


def test_other_commands_do_not_wait_for_the_imports_of_eval() -> None:
    code = (
        "import sys, shard_tools.cli; print([n for n in ('jiwer', 'wgpu', 'soundfile') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
