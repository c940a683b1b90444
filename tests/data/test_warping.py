import torch

from facetalk.data.warping import warping


def test_the_same_recording_is_not_warped() -> None:
    rows = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(warping(rows, rows), torch.arange(20))


def test_a_slow_recording_finds_the_moments_of_a_fast_one() -> None:
    fast = torch.randn(15, 4, generator=torch.Generator().manual_seed(0))
    slow = fast.repeat_interleave(2, 0)
    assert torch.equal(warping(slow, fast), torch.arange(15).repeat_interleave(2))
    found = warping(fast, slow)
    assert torch.equal(torch.div(found, 2, rounding_mode="floor"), torch.arange(15))


def test_the_path_only_goes_forward() -> None:
    generator = torch.Generator().manual_seed(1)
    found = warping(torch.randn(12, 3, generator=generator), torch.randn(30, 3, generator=generator))
    assert (found.diff() >= 0).all()
    assert 0 <= found[0] <= found[-1] < 30
