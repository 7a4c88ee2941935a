"""Recordings from disk: anything libsndfile reads, mixed to mono at 16 kHz."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from voxtab.errors import VoxtabError
from voxtab.models.log_mel import SAMPLE_RATE


def read_audio(path: Path) -> npt.NDArray[np.float32]:
    """float32[samples] in [-1, 1], mono, 16 kHz (resampled by soxr "HQ", as upstream does). Raises VoxtabError
    audio-undecodable or audio-empty."""
    try:
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, MemoryError, soundfile.SoundFileError) as error:  # a header can promise any length
        raise VoxtabError(
            "audio-undecodable",
            f"{path} can't be read as sound: {error}.",
            "Use a WAV, FLAC, OGG or MP3 file; ffmpeg converts others.",
        ) from error
    mono = sound.mean(axis=1, dtype=np.float32)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
    if not len(mono):
        raise VoxtabError("audio-empty", f"{path} holds no sound.", "Record something first.")
    return np.ascontiguousarray(mono, np.float32)
