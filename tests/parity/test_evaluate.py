"""`voxtab-shards eval` with the native engine: the reference's texts for the eight recordings, and so its error rate."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
import soundfile

from shard_tools.evaluate import Item, evaluate, load_engine
from shard_tools.quantize import quantize_checkpoint
from voxtab.models.asr_state import AsrOptions

VOXTAB_SHARDS = str(Path(sys.executable).with_name("voxtab-shards"))


@pytest.fixture(scope="module")
def words_model(native_adapter: object, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model") / "words.gguf"
    quantize_checkpoint(data / "asr-words", out, "q4_0", scales="absmax")
    return out


@pytest.fixture(scope="module")
def cases(data: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((data / "asr-words" / "expected.json").read_text())
    return found


def test_a_table_gives_the_references_texts_and_their_error_rate(
    words_model: Path, data: Path, cases: list[dict[str, Any]], tmp_path: Path
) -> None:
    rows = [f"{case['file']}\t{case['spoken']}\t{case['file'][:2]}\n" for case in cases]
    (tmp_path / "list.tsv").write_text("path\ttext\tvoice\n" + "".join(rows) + "absent.wav\tgone\tno\n")
    done = subprocess.run(
        [VOXTAB_SHARDS, "eval", words_model, tmp_path / "list.tsv", "--audio", data / "asr-words", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    written = [case["q4_0"]["text"] for case in cases]
    assert [file["hypothesis"] for file in report["files"]] == written
    spoken = [case["spoken"] for case in cases]
    assert report["total"]["wer"] == pytest.approx(jiwer.wer(spoken, written), abs=1e-6)
    assert report["total"]["cer"] == pytest.approx(jiwer.cer(spoken, written), abs=1e-6)
    sounds = [soundfile.info(data / "asr-words" / case["file"]) for case in cases]
    assert report["total"]["seconds"] == pytest.approx(sum(sound.duration for sound in sounds), abs=1e-3)
    assert report["total"]["rtf"] > 0
    assert [failure["code"] for failure in report["failed"]] == ["audio-missing"]
    assert len(report["groups"]) == len({case["file"][:2] for case in cases}) + 1


def test_samples_in_memory_are_heard_as_the_file_is(
    words_model: Path, data: Path, cases: list[dict[str, Any]]
) -> None:
    loaded = load_engine(words_model)
    assert loaded.name == "asr-words"
    case = next(case for case in cases if case["file"] == "quiet.wav")
    sound = soundfile.read(data / "asr-words" / case["file"], dtype="float32")[0]
    items = [Item(sound, case["spoken"]), Item(np.zeros(16000, np.float32), "")]
    report = evaluate(loaded.engine, items, AsrOptions(delay_ms=480))
    assert report.results[0].hypothesis == case["q4_0"]["text"]
    assert report.results[0].words.rate == jiwer.wer(case["spoken"], case["q4_0"]["text"])
    # As loud as the others it is understood better, which is what normalising is for.
    louder = evaluate(loaded.engine, items[:1], AsrOptions(delay_ms=480), normalize_peak=True)
    assert louder.results[0].words.errors < report.results[0].words.errors
