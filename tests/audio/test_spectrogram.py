import pytest
import torch

from facetalk.audio import spectrogram
from facetalk.audio.spectrogram import HOP, LogMel


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
