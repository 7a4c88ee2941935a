"""WAV files against libsndfile, and files that only pretend to be WAV."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtab.errors import VoxtabError
from voxtab.formats.wav import AudioError, Wav, read_wav

DATA = Path(__file__).parents[1] / "data"


def written(samples: np.ndarray, subtype: str, rate: int = 16000, kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format=kind)
    return file.getvalue()


def sounds(frames: int = 999, channels: int = 1) -> np.ndarray:
    """Noise of all levels, with both ends of the scale."""
    noise = np.random.default_rng(7).uniform(-1, 1, (frames, channels))
    noise[0], noise[1] = 1, -1
    return noise


def riff(
    format_tag: int, channels: int, rate: int, bits: int, data: bytes, data_bytes: int | None = None
) -> bytes:
    block = channels * ((bits + 7) // 8)
    fmt = struct.pack("<HHIIHH", format_tag, channels, rate, rate * block % 2**32, block % 2**16, bits)
    length = len(data) if data_bytes is None else data_bytes
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", length) + data
    return b"RIFF" + struct.pack("<I", min(len(body) if data_bytes is None else data_bytes, 2**32 - 1)) + body


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32"])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_samples_are_those_of_libsndfile_with_channels_averaged(
    subtype: str, channels: int, rate: int
) -> None:
    data = written(sounds(channels=channels), subtype, rate)
    expected, expected_rate = soundfile.read(io.BytesIO(data), dtype="float64", always_2d=True)
    wav = read_wav(data)
    assert wav.sample_rate == expected_rate == rate
    assert wav.samples.typecode == "f"
    np.testing.assert_allclose(np.asarray(wav.samples), expected.mean(axis=1), rtol=0, atol=6e-8)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24"])
def test_mono_samples_are_exact(subtype: str) -> None:
    data = written(sounds(), subtype)
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    np.testing.assert_array_equal(np.asarray(read_wav(data).samples), expected)


def test_every_16_bit_value_v_is_v_over_32768() -> None:
    values = np.arange(-32768, 32768, dtype="<i2")
    samples = np.asarray(read_wav(riff(1, 1, 16000, 16, values.tobytes())).samples)
    np.testing.assert_array_equal(samples, values.astype(np.float32) / np.float32(32768))


@pytest.mark.parametrize("checkpoint", ["asr-tiny", "asr-window"])
def test_the_reference_audio_is_read_bit_for_bit(checkpoint: str) -> None:
    wav = read_wav((DATA / checkpoint / "input.wav").read_bytes())
    with np.load(DATA / checkpoint / "expected.npz") as expected:
        np.testing.assert_array_equal(np.asarray(wav.samples), expected["audio"])
    assert wav.sample_rate == 16000


@pytest.mark.parametrize("path", sorted((DATA / "asr-words").glob("*.wav")), ids=lambda path: path.stem)
def test_real_recordings_are_read_as_libsndfile_reads_them(path: Path) -> None:
    wav = read_wav(path.read_bytes())
    expected, rate = soundfile.read(path, dtype="float32")
    assert wav.sample_rate == rate
    np.testing.assert_array_equal(np.asarray(wav.samples), expected)


def test_other_chunks_before_the_samples_are_passed_over() -> None:
    plain = riff(1, 1, 16000, 16, b"\x00\x40")
    at = plain.index(b"data")
    extended = plain[:at] + b"LIST" + struct.pack("<I", 5) + b"INFOx\0" + plain[at:]
    extended = extended[:4] + struct.pack("<I", len(extended) - 8) + extended[8:]
    assert list(read_wav(extended).samples) == [0.5]


def test_a_file_without_samples_is_silence_of_no_length() -> None:
    assert len(read_wav(riff(1, 2, 16000, 16, b"")).samples) == 0


@pytest.mark.parametrize("announced", [2**32 - 1, 2**31, 1000])
def test_a_recording_that_was_cut_gives_what_is_there(announced: int) -> None:
    data = struct.pack("<4h", 16384, 16384, -16384, 0) + b"\x01"
    wav = read_wav(riff(1, 2, 16000, 16, data, data_bytes=announced))
    assert list(wav.samples) == [0.5, -0.25]


BAD = {
    "nothing": b"",
    "magic alone": b"RIFF",
    "a web page": b"<!DOCTYPE html>",
    "an MP3": b"ID3\x04" + bytes(200),
    "an AVI": b"RIFF\x40\0\0\0AVI LIST" + bytes(60),
    "big-endian RIFX": b"RIFX" + riff(1, 1, 16000, 16, b"\0\0")[4:],
    "float samples": written(sounds(), "FLOAT"),
    "ADPCM": written(sounds(), "MS_ADPCM"),
    "mu-law": written(sounds(), "ULAW"),
    "FLAC": written(sounds(), "PCM_16", kind="FLAC"),
    "no channels": riff(1, 0, 16000, 16, bytes(8)),
    "65535 channels": riff(1, 65535, 16000, 16, bytes(8)),
    "a rate of 0": riff(1, 1, 0, 16, bytes(8)),
    "a rate of 4 GHz": riff(1, 1, 2**32 - 1, 16, bytes(8)),
    "0 bits": riff(1, 1, 16000, 0, bytes(8)),
    "40 bits": riff(1, 1, 16000, 40, bytes(40)),
    "65535 bits": riff(1, 1, 16000, 65535, bytes(40)),
    "no format before the samples": b"RIFF\x14\0\0\0WAVEdata\x04\0\0\0" + bytes(4),
    "no samples chunk": riff(1, 1, 16000, 16, b"")[:-8],
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_a_pcm_wav_is_refused(name: str) -> None:
    with pytest.raises(VoxtabError) as caught:
        read_wav(BAD[name])
    assert caught.value.code == "audio-undecodable"
    assert caught.value.message.endswith(".")
    assert caught.value.hint


def read_or_refuse(data: bytes) -> Wav | None:
    try:
        return read_wav(data)
    except AudioError:
        return None


def test_a_file_cut_at_any_byte_gives_the_start_of_it_or_is_refused() -> None:
    whole = written(sounds(40, 2), "PCM_24")
    samples = list(read_wav(whole).samples)
    for length in range(len(whole)):
        wav = read_or_refuse(whole[:length])
        if wav is not None:
            assert list(wav.samples) == samples[: len(wav.samples)]


HEADER = written(sounds(40, 2), "PCM_16")


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.binary(min_size=1, max_size=6)), min_size=1, max_size=3))
def test_a_file_with_bytes_changed_is_read_or_refused(edits: list[tuple[int, bytes]]) -> None:
    data = HEADER
    for at, put in edits:
        data = data[:at] + put + data[at + len(put) :]
    wav = read_or_refuse(data)
    if wav is not None:
        assert all(-1 <= sample <= 1 for sample in wav.samples)
        assert len(wav.samples) <= len(data)
