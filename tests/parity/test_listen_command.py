"""`voxtab listen` and subtitles of `voxtab transcribe`, as a user runs them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from typer.testing import CliRunner

from tests.subtitles import read_subtitles
from voxtab.cli.main import app

VOXTAB = str(Path(sys.executable).with_name("voxtab"))
WEB = Path(__file__).parents[2] / "web"
MODEL = WEB / "models" / "demo-asr"
RECORDING = WEB / "samples" / "weather-rms.wav"
TEXT = "hello computer what is the weather tomorrow"


def voxtab(*words: str | Path, sound: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [VOXTAB, *map(str, words)]
    done = subprocess.run(command, input=sound, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.usefixtures("native_adapter")
def test_what_is_piped_in_is_written_and_exported(tmp_path: Path) -> None:
    sound, rate = soundfile.read(RECORDING, dtype="float32")
    piped = soxr.resample(sound, rate, 44100, quality="HQ").astype("<f4").tobytes()
    made = tmp_path / "said.json"
    done = voxtab(
        *("listen", "--model", MODEL, "--format", "f32le", "--rate", "44100", "--export", made),
        sound=piped,
    )
    assert done.stdout.decode() == TEXT + "\n"
    written = json.loads(made.read_text("utf-8"))
    assert written["text"] == " ".join(word["text"] for word in written["words"]) == TEXT
    assert [segment["text"] for segment in written["segments"]] == [TEXT]


@pytest.mark.usefixtures("native_adapter")
def test_an_interrupt_ends_the_sound_and_the_last_words_are_written(tmp_path: Path) -> None:
    made = tmp_path / "said.vtt"
    command = [VOXTAB, "listen", "--model", str(MODEL), "--export", str(made)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(soundfile.read(RECORDING, dtype="int16")[0].astype("<i2").tobytes())
        running.stdin.flush()
        begun = b""
        while b"computer" not in begun:
            begun += running.stdout.read(1)
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read()
        assert running.wait() == 0
    assert (begun + rest).decode() == TEXT + "\n"
    assert [text for _, _, text in read_subtitles("vtt", made.read_text("utf-8"))] == [
        "hello computer what is\nthe weather tomorrow"
    ]


@pytest.mark.usefixtures("native_adapter")
def test_a_recording_becomes_subtitles() -> None:
    done = voxtab("transcribe", RECORDING, "--model", MODEL, "--format", "srt")
    [(start, end, text)] = read_subtitles("srt", done.stdout.decode())
    assert text.split() == TEXT.split()
    assert 0 <= start < end <= len(np.asarray(soundfile.read(RECORDING)[0])) / 16000


def test_what_can_not_be_done_is_said_before_the_model_is_loaded(tmp_path: Path) -> None:
    for words in (
        ("listen", "--model", MODEL, "--format", "mp3"),
        ("listen", "--model", MODEL, "--rate", "0"),
        ("listen", "--model", MODEL, "--delay-ms", "100"),
        ("listen", "--model", MODEL, "--export", tmp_path / "said.docx"),
        ("listen", "--model", MODEL, "--export", tmp_path / "absent" / "said.txt"),
        ("transcribe", RECORDING, "--model", MODEL, "--format", "docx"),
    ):
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == 2
        assert "error[option-invalid]" in done.stderr
