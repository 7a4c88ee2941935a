"""Sound from a pipe, cut anywhere, and a microphone that is not there."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import soxr

from voxtab.cli.live_sound import PcmStream, microphone_rate
from voxtab.errors import VoxtabError


def tone(rate: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.asarray(0.5 * np.sin(np.arange(rate) * 2 * np.pi * 440 / rate), np.float32)


def in_pieces(stream: PcmStream, data: bytes, seed: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    draw = np.random.default_rng(seed)
    found = []
    while data:
        size = int(draw.choice([1, 3, 1000, 7777]))
        found.append(stream.samples(data[:size]))
        data = data[size:]
    return np.concatenate([*found, stream.samples(b"", last=True)])


@pytest.mark.parametrize("seed", range(3))
def test_samples_cut_in_the_middle_are_put_together(seed: int) -> None:
    values = (tone(16000) * 32767).astype("<i2")
    got = in_pieces(PcmStream("s16le", 16000), values.tobytes() + b"\x01", seed)
    assert np.array_equal(got, values.astype(np.float32) / 32768)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_other_rates_become_16_khz_as_a_file_does(rate: int) -> None:
    sound = tone(rate)
    got = in_pieces(PcmStream("f32le", rate), sound.astype("<f4").tobytes(), 0)
    want = soxr.resample(sound, rate, 16000, quality="HQ")
    assert len(got) == len(want)
    assert np.abs(got - want).max() < 1e-4


@pytest.mark.parametrize(("kind", "rate"), [("mp3", 16000), ("s16le", 0), ("f32le", -1)])
def test_other_formats_are_refused(kind: str, rate: int) -> None:
    with pytest.raises(VoxtabError) as refused:
        PcmStream(kind, rate)
    assert refused.value.code == "option-invalid"


def test_without_the_library_the_microphone_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(VoxtabError, match=r"Install voxtab\[mic\]") as refused:
        microphone_rate()
    assert refused.value.code == "mic-absent"
