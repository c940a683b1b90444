from itertools import pairwise

import pytest
import torch

from facetalk.audio import spectrogram
from facetalk.audio.spectrogram import HOP, LogMel, mel_filters, num_rows, pieces
from facetalk.audio.torchaudio_compat import load_torchaudio


@pytest.mark.parametrize("samples", [1, 159, 160, 161, 16_000])
def test_every_started_hop_has_a_row(samples: int) -> None:
    assert LogMel()(torch.randn(1, samples)).shape == (1, -(-samples // HOP), 80)


def test_ten_decibels_more_shift_every_band_alike() -> None:
    waveform = torch.randn(1, 8000) * 0.05
    mel = LogMel()
    difference = mel(waveform * 10**0.5) - mel(waveform)
    torch.testing.assert_close(difference, torch.full_like(difference, 2.302585), atol=1e-3, rtol=0)


def test_a_tone_lights_up_the_band_of_its_pitch() -> None:
    times = torch.arange(16_000) / 16_000
    low, high = (LogMel()(torch.sin(2 * torch.pi * hertz * times)[None])[0, 50].argmax() for hertz in (300.0, 3000.0))
    assert low < 15 < 45 < high


def test_a_click_is_found_in_its_row() -> None:
    waveform = torch.zeros(1, 16_000)
    waveform[0, 40 * HOP] = 1.0
    assert int(LogMel()(waveform)[0].sum(1).argmax()) == 40


def test_a_long_sound_in_pieces_gives_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    waveform = torch.randn(2, 16_000) * 0.1
    whole = LogMel()(waveform)
    monkeypatch.setattr(spectrogram, "_PIECE", 7)
    torch.testing.assert_close(LogMel()(waveform), whole)


@pytest.mark.parametrize("part", [slice(0, 40), slice(37, 90), slice(60, 101), slice(95, 130)])
def test_part_of_a_waveform_has_the_rows_of_the_whole(part: slice) -> None:
    waveform = torch.randn(2, 16_077, generator=torch.Generator().manual_seed(0))
    log_mel = LogMel()
    assert torch.equal(log_mel.rows(waveform, part), log_mel(waveform)[:, part])


def test_pieces_cover_a_long_waveform() -> None:
    parts = list(pieces(16_000 * 130 + 5))
    assert parts[0].start == 0 and parts[-1].stop == num_rows(16_000 * 130 + 5) == 13_001
    assert all(before.stop == after.start for before, after in pairwise(parts))


@pytest.mark.parametrize(("lowest", "highest", "count"), [(20.0, 7600.0, 80), (0.0, 8000.0, 40)])
def test_the_filters_are_those_of_torchaudio(lowest: float, highest: float, count: int) -> None:
    banks = load_torchaudio().functional.melscale_fbanks
    expected = banks(257, lowest, highest, count, 16_000, norm=None, mel_scale="htk")
    torch.testing.assert_close(mel_filters(257, lowest, highest, count), expected, rtol=0, atol=1e-6)
