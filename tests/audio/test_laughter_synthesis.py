import pytest
import torch

from facetalk.audio.bursts import burst_share
from facetalk.audio.laughter_synthesis import laugh_from_bursts, sample_bout, synthesize_laugh, voiced_bursts


def vowel(hertz: float = 200.0) -> torch.Tensor:
    times = torch.arange(16_000) / 16_000
    return 0.2 * torch.stack([torch.sin(2 * torch.pi * hertz * k * times) / k for k in range(1, 8)]).sum(0)


def test_bouts_are_rows_of_calls_that_do_not_overlap() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        bout = sample_bout(generator)
        ends = [start + length for start, length in zip(bout.starts_s, bout.lengths_s, strict=True)]
        assert 3 <= len(ends) <= 12 and ends[-1] < bout.duration_s < 5
        assert all(end < start for end, start in zip(ends[:-1], bout.starts_s[1:], strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_made_laughs_pulse_as_laughs_do_and_the_seed_decides(seed: int) -> None:
    made = [synthesize_laugh(torch.Generator().manual_seed(seed)) for _ in range(2)]
    assert torch.equal(*made) and float(made[0].abs().max()) == pytest.approx(1)
    spliced = laugh_from_bursts([vowel()[:2240]] * 3, torch.Generator().manual_seed(seed))
    for laugh in (made[0], spliced):
        assert bool(torch.isfinite(laugh).all())
        assert float(burst_share(laugh).max()) > 0.3


def test_vowels_are_cut_out_and_noise_is_not() -> None:
    noise = 0.2 * torch.randn(16_000, generator=torch.Generator().manual_seed(0))
    assert len(voiced_bursts(vowel())) > 5
    assert not voiced_bursts(noise) and not voiced_bursts(torch.zeros(100))
