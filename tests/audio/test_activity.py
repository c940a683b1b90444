import torch

from facetalk.audio.activity import loudness_db, speech_activity


def burst(level: float, noise: float = 1e-3) -> torch.Tensor:
    """Noise, with a loud second from 1 s to 2 s."""
    waveform = torch.randn(48_000, generator=torch.Generator().manual_seed(0)) * noise
    waveform[16_000:32_000] *= level / noise
    return waveform


def test_the_loud_second_is_found() -> None:
    active = speech_activity(burst(0.1), hold_s=0.0)
    assert active[30:60].float().mean() > 0.95
    assert active[:29].float().mean() < 0.05


def test_the_gain_does_not_matter() -> None:
    assert torch.equal(speech_activity(burst(0.1, 2e-3)), speech_activity(burst(0.1, 2e-3) * 3))


def test_short_gaps_are_closed() -> None:
    waveform = burst(0.1)
    waveform[24_000:26_000] *= 0.01
    assert speech_activity(waveform, hold_s=0.15)[30:60].all()


def test_silence_is_not_speech() -> None:
    assert not speech_activity(torch.zeros(16_000)).any()
    assert not speech_activity(torch.randn(16_000) * 1e-4).any()


def test_a_full_scale_square_wave_has_zero_decibels() -> None:
    torch.testing.assert_close(loudness_db(torch.ones(16_000)), torch.zeros(30))
