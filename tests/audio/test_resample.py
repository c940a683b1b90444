import pytest
import torch

from facetalk.audio.resample import channel_signs, resample_blocks, resample_directly, resample_waveform


def tone(rate: int, hertz: float = 200.0, seconds: float = 0.5) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hertz * torch.arange(round(rate * seconds)) / rate)


def test_channels_of_opposite_phase_do_not_cancel() -> None:
    left = tone(16_000)
    channels = torch.stack([0.5 * left, -left, left])
    signs = channel_signs(channels @ channels.T)
    assert signs.tolist() == [-1, 1, -1] or signs.tolist() == [1, -1, 1]


def test_channels_in_phase_keep_their_sign() -> None:
    channels = torch.stack([tone(16_000), 0.3 * tone(16_000)])
    assert channel_signs(channels @ channels.T).tolist() == [1, 1]


def test_a_tone_keeps_its_pitch_and_length_at_another_rate() -> None:
    resampled = resample_waveform(tone(44_100), 44_100)
    assert abs(len(resampled) - 8000) <= 1
    torch.testing.assert_close(resampled[500:7500], tone(16_000)[500:7500], atol=5e-3, rtol=0)


def test_the_right_rate_is_left_alone() -> None:
    wave = tone(16_000)
    assert resample_waveform(wave, 16_000) is wave


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("lengths", [(5000,), (1, 900, 3, 4000, 441), (2000, 2000, 2000)], ids=str)
def test_blocks_joined_are_the_whole_resampled(rate: int, lengths: tuple[int, ...]) -> None:
    waveform = torch.randn(2, sum(lengths), generator=torch.Generator().manual_seed(0))
    joined = torch.cat(list(resample_blocks(waveform.split(list(lengths), dim=1), rate)), 1)
    torch.testing.assert_close(joined, resample_waveform(waveform, rate), atol=1e-5, rtol=0)


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000])
def test_direct_resampling_equals_the_table_of_filters(sample_rate: int) -> None:
    waveform = torch.randn(2, 3000, generator=torch.Generator().manual_seed(0))
    expected = resample_waveform(waveform, sample_rate, 16_000)
    torch.testing.assert_close(resample_directly(waveform, sample_rate, 16_000), expected, rtol=0, atol=2e-4)


def test_rates_with_few_common_factors_need_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facetalk.audio.resample.load_torchaudio", lambda: pytest.fail("a table of filters was made"))
    times = torch.arange(11_127) / 11_127
    resampled = resample_waveform(torch.sin(2 * torch.pi * 440 * times), 11_127, 16_000)
    expected = torch.sin(2 * torch.pi * 440 * torch.arange(16_000) / 16_000)
    torch.testing.assert_close(resampled[200:-200], expected[200:-200], rtol=0, atol=0.01)
