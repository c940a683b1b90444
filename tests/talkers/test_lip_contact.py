from __future__ import annotations

import pytest
import torch

from facetalk.head.channels import ARKIT_NAMES
from facetalk.talkers.lip_contact import (
    BITING,
    PRESSED_MM,
    TUCKED_MM,
    USUAL_MM,
    WIDEST_MM,
    close_lips,
    close_where_heard,
    contact,
    limit_opening,
    rest_lips,
    touch_teeth,
)

OPEN, CLOSE, PUCKER, UPPER = (
    ARKIT_NAMES.index(name) for name in ("jawOpen", "mouthClose", "mouthPucker", "mouthUpperUpLeft")
)


def gap_dirs(close: float = -30.0) -> torch.Tensor:
    dirs = torch.zeros(52)
    dirs[OPEN], dirs[UPPER], dirs[CLOSE] = 30.0, 5.0, close
    dirs[PUCKER] = 0.4
    return dirs


def mouths(seed: int = 0) -> torch.Tensor:
    rows = 0.6 * torch.rand(1, 40, 52, generator=torch.Generator().manual_seed(seed))
    rows[..., CLOSE] *= 0.3
    return rows


@pytest.mark.parametrize("closure", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("close", [-30.0, 0.0, 4.0])
def test_the_wanted_share_of_the_gap_goes_away(closure: float, close: float) -> None:
    dirs = gap_dirs(close)
    before, after = mouths(), close_lips(mouths(), torch.full((1, 40), closure), dirs)
    gap = before @ dirs
    wanted = gap - closure * (gap + PRESSED_MM).clamp_min(0)
    if close >= 0:  # without a channel that presses them together the lips can only just meet
        wanted = wanted.clamp_min(0)
    torch.testing.assert_close(after @ dirs, wanted, atol=1e-4, rtol=1e-4)


def test_lips_that_are_pressed_already_and_channels_that_only_shape_them_stay() -> None:
    dirs = gap_dirs()
    rows = mouths()
    rows[..., CLOSE] = 1.0
    torch.testing.assert_close(close_lips(rows, torch.ones(1, 40), dirs), rows)
    after = close_lips(mouths(), torch.ones(1, 40), dirs)
    kept = [index for index in range(52) if index not in (OPEN, CLOSE, UPPER)]
    assert torch.equal(after[..., kept], mouths()[..., kept])
    assert (after[..., OPEN] >= 0).all() and after[..., OPEN].mean() > 0.1  # lips meet over a lowered jaw


def test_a_certain_sound_makes_its_whole_contact_with_an_onset_and_a_release() -> None:
    probability = torch.zeros(1, 12)
    probability[0, 5], probability[0, 10] = 0.9, 0.3
    closed = contact(probability)[0]
    torch.testing.assert_close(closed[3:8], torch.tensor([0.0, 0.2, 1.0, 0.2, 0.0]))
    assert closed[10] == 0


def test_small_gaps_shrink_and_large_ones_stay() -> None:
    dirs, rows = gap_dirs(), torch.zeros(1, 4, 52)
    rows[0, :, OPEN] = torch.tensor([0.0, 1.0, 2.0, 5.0]) / dirs[OPEN]
    silent = torch.zeros(1, 4)
    gap = close_where_heard(rows, silent, silent, dirs, taper_mm=4.0)[0] @ dirs
    pressed = torch.tensor([1.0, 0.75, 0.5, 0.0]) * PRESSED_MM
    torch.testing.assert_close(gap, torch.tensor([0.0, 0.25, 1.0, 5.0]) - pressed)
    torch.testing.assert_close(close_where_heard(rows, silent, silent, dirs, taper_mm=0.0), rows)
    torch.testing.assert_close(close_where_heard(rows, silent, torch.ones(1, 4), dirs, taper_mm=4.0), rows)


def test_usual_openings_stay_and_yawns_are_compressed_in_their_order() -> None:
    dirs, rows = gap_dirs(), torch.zeros(1, 5, 52)
    rows[0, :, OPEN] = torch.tensor([0.0, 0.5, USUAL_MM / 30, 0.8, 1.0])
    rows[0, :, UPPER] = torch.tensor([0.0, 0.5, 0.0, 0.6, 1.0])
    before, after = rows[0] @ dirs, limit_opening(rows, dirs)[0] @ dirs
    torch.testing.assert_close(after[:3], before[:3])
    assert (after.diff() > 0).all() and after[4] < WIDEST_MM < before[4]
    near = torch.zeros(1, 2, 52)
    near[0, :, OPEN] = torch.tensor([USUAL_MM, USUAL_MM + 0.5]) / dirs[OPEN]
    assert (limit_opening(near, dirs)[0] @ dirs).diff() > 0.49  # no kink at the limit


def test_a_head_without_lips_is_left_alone() -> None:
    torch.testing.assert_close(close_lips(mouths(), torch.ones(1, 40), torch.zeros(52)), mouths())


@pytest.mark.parametrize("touch", [0.0, 0.4, 1.0])
def test_the_lower_lip_comes_up_to_the_teeth_by_the_wanted_share(touch: float) -> None:
    dirs = gap_dirs()
    before, after = mouths(), touch_teeth(mouths(), torch.full((1, 40), touch), dirs)
    lowered = before[..., OPEN] * dirs[OPEN]
    wanted = lowered - touch * (lowered - TUCKED_MM).clamp_min(0)
    torch.testing.assert_close(after[..., OPEN] * dirs[OPEN], wanted, atol=1e-4, rtol=1e-4)
    for name, least in BITING.items():
        channel = ARKIT_NAMES.index(name)
        assert (after[..., channel] >= before[..., channel]).all()
        assert (after[..., channel] >= touch * least - 1e-6).all()
    torch.testing.assert_close(after[..., CLOSE], (1 - touch) * before[..., CLOSE])
    assert torch.equal(after[..., PUCKER], before[..., PUCKER])


def test_teeth_are_touched_from_a_channel_below_its_limit() -> None:
    rows = torch.full((1, 1, 52), -0.5)
    after = touch_teeth(rows, torch.ones(1, 1), gap_dirs())
    for name, least in BITING.items():
        assert after[0, 0, ARKIT_NAMES.index(name)] == pytest.approx(least)


def test_lips_rest_over_a_raised_jaw_where_nothing_is_said() -> None:
    dirs = gap_dirs()
    rows = torch.rand(2, 9, 52, generator=torch.Generator().manual_seed(0))
    assert torch.equal(rest_lips(rows, torch.zeros(2, 9), dirs), rows)
    rested = rest_lips(rows, torch.ones(2, 9), dirs)
    assert (rested[..., OPEN] == 0).all()
    assert ((rested * dirs).sum(-1) < 0.01).all()  # millimeters
    shaping = dirs.abs() < 0.01
    assert torch.equal(rested[..., shaping], rows[..., shaping])
