"""Speech written as WAV is what other readers expect, whole or streamed."""

import io
from array import array

import numpy as np
import soundfile

from voxtab.cli.sound_file import StreamedWav, write_wav

SOUND = np.array([0.0, 0.5, -0.5, 1.5, -1.5], np.float32)
CLIPPED = [0.0, 0.5, -0.5, 1.0, -1.0]


def test_a_whole_file_reads_back_clipped() -> None:
    file = io.BytesIO()
    write_wav(file, SOUND, 24000)
    file.seek(0)
    samples, rate = soundfile.read(file)
    assert rate == 24000
    np.testing.assert_allclose(samples, CLIPPED, atol=1e-4)


def test_a_stream_reads_back_although_its_length_was_not_known() -> None:
    file = io.BytesIO()
    wav = StreamedWav(file, 24000)
    wav.write(array("f", SOUND[:2]))
    wav.write(array("f"))
    wav.write(array("f", SOUND[2:]))
    file.seek(0)
    samples, rate = soundfile.read(file)
    assert rate == 24000
    np.testing.assert_allclose(samples, CLIPPED, atol=1e-4)
