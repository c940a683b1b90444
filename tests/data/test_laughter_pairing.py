import math

import pytest
import torch

from facetalk.audio.activity import loudness_db
from facetalk.data.laughter_pairing import TrackedLaughter, paired, rhythm, warped, with_opening


def bursts(hertz: float, seconds: float) -> torch.Tensor:
    """A laugh: noise in bursts."""
    times = torch.arange(round(16_000 * seconds)) / 16_000
    noise = torch.randn(len(times), generator=torch.Generator().manual_seed(0))
    return 0.3 * noise * (0.55 - 0.45 * torch.cos(2 * math.pi * hertz * times))


def tracked(hertz: float, seconds: float) -> TrackedLaughter:
    times = torch.arange(round(30 * seconds)) / 30
    opening = 0.5 - 0.5 * torch.cos(2 * math.pi * hertz * times + 1.0)
    return TrackedLaughter(torch.stack([opening, times], 1), opening)


def test_the_bursts_of_both_coincide() -> None:
    found = paired(bursts(4.0, 2.0), [tracked(5.0, 4.0), tracked(1.0, 4.0)])
    assert found is not None
    assert found.rows.shape == (60, 2)
    assert found.similarity > 0.7


def test_the_mouth_opens_with_what_is_heard_even_where_no_motion_fits() -> None:
    heard = bursts(4.0, 2.0)
    found = paired(heard, [tracked(1.5, 8.0)])
    assert found is not None
    assert found.similarity < 0.7
    pair = torch.stack([rhythm(found.rows[:, 0]), rhythm(loudness_db(heard))])
    assert torch.corrcoef(pair)[0, 1] > 0.8


def test_controls_that_do_not_open_the_mouth_keep_their_motion() -> None:
    slow = torch.linspace(0, 1, 120)
    opening = 0.5 - 0.5 * torch.cos(torch.arange(120) * 0.9)
    moved = with_opening(TrackedLaughter(torch.stack([opening, slow, -0.2 * opening], 1), opening))
    assert moved[1].abs() < 0.01
    torch.testing.assert_close(moved[2], -0.2 * moved[0], atol=1e-4, rtol=1e-3)


def test_what_is_too_short_pairs_with_nothing() -> None:
    assert paired(bursts(4.0, 6.0), [tracked(4.0, 2.0)]) is None


def test_the_path_is_the_best_of_all_allowed_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    wanted, given = torch.randn(7, generator=generator), torch.randn(9, generator=generator)
    path = warped(wanted, given)
    assert path is not None

    def cheapest(frame: int, row: int) -> float:
        own = float((wanted[frame] - given[row]) ** 2)
        if frame == 0:
            return own
        ways = [cheapest(frame - 1, row - over) for over in (1, 2) if row >= over]
        if frame >= 2 and row >= 1:
            ways.append(cheapest(frame - 2, row - 1) + float((wanted[frame - 1] - given[row]) ** 2))
        return own + min(ways, default=math.inf)

    cost = float((wanted - given[path]).square().sum())
    assert cost == pytest.approx(min(cheapest(6, row) for row in range(9)), rel=1e-4)


def test_the_rhythm_is_free_of_level_and_size() -> None:
    curve = torch.sin(torch.arange(90) * 0.9)
    torch.testing.assert_close(rhythm(curve), rhythm(5 + 3 * curve), atol=1e-4, rtol=1e-4)
