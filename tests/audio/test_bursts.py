import torch

from facetalk.audio.bursts import burst_share


def pulsed(rate_hz: float) -> torch.Tensor:
    times = torch.arange(4 * 16_000) / 16_000
    noise = torch.randn(len(times), generator=torch.Generator().manual_seed(0))
    return 0.1 * noise * (1 + torch.sin(2 * torch.pi * rate_hz * times))


def test_five_bursts_a_second_score_and_two_do_not() -> None:
    laugh, slow = burst_share(pulsed(5.0)), burst_share(pulsed(2.0))
    assert len(laugh) == 120
    assert float(laugh[30:90].min()) > 0.8 > 0.2 > float(slow[30:90].max())


def test_silence_scores_nothing() -> None:
    assert float(burst_share(torch.zeros(16_000)).max()) == 0
