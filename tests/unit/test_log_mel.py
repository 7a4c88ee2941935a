"""The front end's tables against transformers' filter bank and numpy's FFT."""

import numpy as np
from transformers.audio_utils import mel_filter_bank

from voxtab.models.log_mel import FREQUENCIES, WINDOW, mel_filters, mel_spans, windowed_dft


def test_mel_filters_equal_transformers_slaney_bank() -> None:
    want = mel_filter_bank(FREQUENCIES, 128, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")
    got = np.array(mel_filters(128)).reshape(FREQUENCIES, 128)
    assert np.abs(got - want).max() < 1e-8


def test_the_table_times_a_frame_is_numpys_fft_of_the_windowed_frame() -> None:
    rng = np.random.default_rng(0)
    frame = rng.standard_normal(WINDOW)
    table = np.array(windowed_dft()).reshape(2, FREQUENCIES, WINDOW)
    got = table @ frame
    hann = np.hanning(WINDOW + 1)[:-1]  # periodic
    want = np.fft.rfft(frame * hann)
    assert np.abs(got[0] - want.real).max() < 1e-5
    assert np.abs(got[1] + want.imag).max() < 1e-5


def test_spans_leave_out_zeros_only() -> None:
    for bands in (80, 128):
        filters = np.array(mel_filters(bands)).reshape(FREQUENCIES, bands)
        for band, span in enumerate(mel_spans(mel_filters(bands), bands)):
            kept = np.zeros(FREQUENCIES, bool)
            kept[span & 0xFFFF : span >> 16] = True
            assert not filters[~kept, band].any()
            assert not kept.any() or (filters[kept, band] > 0).any()
