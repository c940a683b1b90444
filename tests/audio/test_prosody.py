import math

import pytest
import torch

from facetalk.audio.prosody import prosody


def voice(hertz: float, seconds: float = 1.0) -> torch.Tensor:
    times = torch.arange(int(16_000 * seconds)) / 16_000
    wave = sum(torch.sin(2 * math.pi * hertz * k * times) / k for k in range(1, 8))
    assert isinstance(wave, torch.Tensor)
    return wave / wave.std()


@pytest.mark.parametrize("hertz", [90.0, 200.0, 640.0])
def test_the_pitch_of_a_voice_is_found(hertz: float) -> None:
    rows = prosody(voice(hertz)[None], 30)[0, 3:27]
    torch.testing.assert_close(rows[:, 0], torch.full((24,), math.log2(hertz / 200)), atol=0.03, rtol=0)
    assert (rows[:, 1] > 0.9).all()


def test_noise_has_no_voice_and_silence_is_quiet() -> None:
    noise = torch.randn(16_000, generator=torch.Generator().manual_seed(0))
    rows = prosody(torch.stack([noise, torch.zeros(16_000)]), 30)
    assert (rows[..., 0] == 0).all()
    assert (rows[0, :, 1] < 0.3).all()
    assert (rows[1, :, 1] == 0).all()
    torch.testing.assert_close(rows[1, :, 2], torch.full((30,), math.log(1e-3)))


def test_loudness_follows_the_level() -> None:
    loud, soft = (prosody(gain * voice(150.0)[None], 30)[0, 5:25, 2] for gain in (1.0, 0.1))
    torch.testing.assert_close(loud - soft, torch.full((20,), math.log(10)), atol=1e-3, rtol=0)


def test_frames_beyond_the_end_are_silent() -> None:
    rows = prosody(voice(150.0, 0.5)[None], 40)[0]
    assert rows.shape == (40, 3)
    assert rows[20:, 2].max() < -6
