"""`voxtab listen` and subtitles of `voxtab transcribe`, as a user runs them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from typer.testing import CliRunner

from tests.parity.engine import loaded
from tests.subtitles import read_subtitles
from voxtab.cli.listen import _follow
from voxtab.cli.live_sound import PcmStream, Pieces
from voxtab.cli.main import app
from voxtab.errors import VoxtabError
from voxtab.gpu.native import NativeGpu
from voxtab.sessions import listening
from voxtab.sessions.listening import ListenOptions

VOXTAB = str(Path(sys.executable).with_name("voxtab"))
WEB = Path(__file__).parents[2] / "web"
MODEL = WEB / "models" / "demo-asr"
RECORDING = WEB / "samples" / "door-rms.wav"
TEXT = "open the window and close the door"
FAKE_MICROPHONE = Path(__file__).parents[1] / "fake_microphone"


def voxtab(*words: str | Path, sound: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [VOXTAB, *map(str, words)]
    done = subprocess.run(command, input=sound, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def interrupted_at(running: subprocess.Popen[bytes], word: bytes) -> str:
    """All that a command writes, when Ctrl-C is pressed as soon as it has written a word."""
    assert running.stdout is not None
    begun = b""
    while word not in begun:
        begun += running.stdout.read(1)
    running.send_signal(signal.SIGINT)
    rest = running.stdout.read()
    assert running.wait() == 0
    return (begun + rest).decode()


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
        running.stdin.write(soundfile.read(RECORDING, dtype="int16")[0].astype("<i2").tobytes())
        running.stdin.flush()
        written = interrupted_at(running, b"window")
    assert written == TEXT + "\n"
    assert [text for _, _, text in read_subtitles("vtt", made.read_text("utf-8"))] == [TEXT]


def with_microphone(recording: Path | str, end: str = "silence") -> dict[str, str]:
    """The environment of a command with a microphone that hears a recording; see tests/fake_microphone."""
    path = os.pathsep.join(filter(None, [str(FAKE_MICROPHONE), os.environ.get("PYTHONPATH")]))
    fake = {"PYTHONPATH": path, "FAKE_MICROPHONE": str(recording), "FAKE_MICROPHONE_END": end}
    return os.environ | fake


@pytest.mark.usefixtures("native_adapter")
def test_an_interrupt_ends_the_microphone_and_the_last_words_are_written() -> None:
    command = [VOXTAB, "listen", "--model", str(MODEL), "--mic"]
    environment = with_microphone(RECORDING, "overflow")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as running:
        assert running.stderr is not None
        written = interrupted_at(running, b"window")
        assert "Some sound was lost" in running.stderr.read().decode()
    assert written == TEXT + "\n"


@pytest.mark.usefixtures("native_adapter")
def test_a_microphone_of_another_rate_is_heard_until_it_is_unplugged(tmp_path: Path) -> None:
    recording = tmp_path / "48000.wav"
    sound, rate = soundfile.read(RECORDING, dtype="float32")
    soundfile.write(recording, soxr.resample(sound, rate, 48000, quality="HQ"), 48000, subtype="FLOAT")
    environment = with_microphone(recording, "unplugged")
    command = [VOXTAB, "listen", "--model", str(MODEL), "--mic"]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == TEXT + "\n"


def test_without_a_microphone_the_command_says_so_before_it_loads_a_model(tmp_path: Path) -> None:
    command = [VOXTAB, "listen", "--model", str(tmp_path / "absent.gguf"), "--mic"]
    done = subprocess.run(command, capture_output=True, env=with_microphone(""), check=False)
    assert done.returncode == 2
    assert "error[mic-absent]: No microphone can be opened: Error querying device -1." in done.stderr.decode()


def test_when_too_much_waits_listening_ends_and_what_was_heard_is_written(
    native_adapter: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = soundfile.read(RECORDING, dtype="float32")[0]
    monkeypatch.setattr(listening, "MAX_BACKLOG_S", len(sound) / 16000 + 0.1)
    session = loaded(NativeGpu(native_adapter), MODEL).listening(ListenOptions(delay_ms=480))

    async def follow() -> None:
        pieces: Pieces = asyncio.Queue()
        for piece in (sound.tobytes(), bytes(4 * 16000), bytes(4 * 16000)):
            pieces.put_nowait(piece)
        await _follow(session, pieces, PcmStream("f32le", 16000), wait=False)

    with pytest.raises(VoxtabError) as refused:
        asyncio.run(follow())
    assert refused.value.code == "backlog-full"
    assert capsys.readouterr().out == TEXT + "\n"
    session.free()


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
