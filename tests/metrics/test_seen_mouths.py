from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from facetalk.core.landmarks import MESH_INNER_LIP_CENTERS, MESH_MOUTH_CORNERS, MESH_OUTER_EYE_CORNERS
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.core.timing import frame_times
from facetalk.metrics.seen_mouths import SeenFace, compare_mouths

EYES_PX = 120.0
"""Distance of the outer eye corners."""


def seen(lag_s: float = 0.0, scale: float = 1.0, seconds: float = 8.0, fps: float = 25.0) -> SeenFace:
    """A face of random points whose lower inner lip and left mouth corner follow two known curves."""
    times = frame_times(round(seconds * fps), fps)
    points = 40 * torch.randn(478, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for pair, gap in ((MESH_OUTER_EYE_CORNERS, [EYES_PX, 0, 0]), (MESH_INNER_LIP_CENTERS, [0, 15.0, 0]),
                      (MESH_MOUTH_CORNERS, [60.0, 0, 0])):  # fmt: skip
        points[pair[1]] = points[pair[0]] + torch.tensor(gap, dtype=torch.float64)
    moving = points.repeat(len(times), 1, 1)
    opening, widening = curves(times - lag_s)
    moving[:, MESH_INNER_LIP_CENTERS[1], 1] += scale * opening
    moving[:, MESH_MOUTH_CORNERS[1], 0] += scale * widening
    return SeenFace(moving.float(), times)


def curves(times: Tensor) -> tuple[Tensor, Tensor]:
    """Opening and width that differ from themselves at any other lag, pixels."""
    opening = 4 * torch.sin(2 * math.pi * 1.3 * times) + 4 * torch.sin(2 * math.pi * 2.1 * times + 1)
    return opening, 5 * torch.sin(2 * math.pi * 0.9 * times + 2)


def test_a_mouth_that_moves_half_as_far_has_half_the_gain() -> None:
    found = compare_mouths(seen(), seen(scale=0.5))
    assert (found.r_open, found.r_wide, found.lag_s) == pytest.approx((1, 1, 0), abs=1e-3)
    assert (found.gain_open, found.gain_wide) == pytest.approx((0.5, 0.5), abs=1e-3)
    opening, widening = curves(seen().times)
    moved = [(curve - curve.mean()).abs().mean().item() / EYES_PX for curve in (opening, widening)]
    assert found.mlmd_still == pytest.approx(sum(moved) / 40, rel=1e-3)
    assert found.mlmd == pytest.approx(found.mlmd_still / 2, rel=1e-3)


@pytest.mark.parametrize("lag_s", [0.12, -0.12])
def test_a_late_rendering_has_a_positive_lag_which_alignment_removes(lag_s: float) -> None:
    found = compare_mouths(seen(), seen(lag_s))
    assert found.lag_s == pytest.approx(lag_s)
    assert found.r_open < 0.5
    assert (found.r_open_aligned, found.r_wide_aligned) == pytest.approx((1, 1), abs=1e-3)


def test_a_lag_beyond_what_cameras_have_is_not_aligned() -> None:
    found = compare_mouths(seen(), seen(0.32))
    assert found.lag_s == pytest.approx(0.32)
    assert found.r_open_aligned is not None and found.r_open_aligned < 0.9


def test_turning_and_moving_the_head_does_not_matter() -> None:
    real = seen()
    turns = torch.stack([0.1 * torch.sin(real.times * rate) for rate in (2.0, 3.0, 5.0)], 1).float()
    zoom = (1.5 + 0.2 * torch.cos(real.times)).float()[:, None, None]
    turned = zoom * (real.points @ axis_angle_to_matrix(turns)) + 200 * real.times.float()[:, None, None]
    found = compare_mouths(real, SeenFace(turned, real.times))
    assert (found.r_open, found.r_wide, found.gain_open, found.gain_wide) == pytest.approx((1, 1, 1, 1), abs=2e-3)
    assert found.mlmd < 0.02 * found.mlmd_still


def test_a_still_face_follows_nothing() -> None:
    real = seen()
    found = compare_mouths(real, SeenFace(real.points[:1].expand_as(real.points), real.times))
    assert (found.r_open, found.r_wide, found.gain_open) == pytest.approx((0, 0, 0), abs=1e-6)
    assert found.lag_s is None or abs(found.lag_s) <= 0.4
    assert found.mlmd == pytest.approx(found.mlmd_still)


def test_frames_without_a_face_are_interpolated() -> None:
    real, render = seen(), seen()
    render.points[[0, 20, 21, 90]] = torch.nan
    found = compare_mouths(real, render)
    assert found.r_open > 0.99
    assert found.gain_open == pytest.approx(1, abs=0.02)
    # 20 and 21 are a third of the way between their neighbors.
    filled = SeenFace(render.points.clone(), render.times)
    filled.points[0] = render.points[1]
    filled.points[90] = (render.points[89] + render.points[91]) / 2
    for frame, blend in ((20, 1 / 3), (21, 2 / 3)):
        filled.points[frame] = torch.lerp(render.points[19], render.points[22], blend)
    assert found.r_open == pytest.approx(compare_mouths(real, filled).r_open, abs=1e-4)


def test_frame_rates_and_lengths_may_differ() -> None:
    found = compare_mouths(seen(fps=30.0), seen(fps=60.0, seconds=5.0))
    # Interpolation between 30 frames a second flattens the curve a little.
    assert (found.r_open, found.gain_open) == pytest.approx((1, 1), abs=0.02)
    assert found.mlmd < 0.05 * found.mlmd_still


def test_clips_under_three_seconds_have_no_aligned_correlations() -> None:
    found = compare_mouths(seen(seconds=2.9), seen(seconds=2.9))
    assert found.r_open_aligned is None and found.r_wide_aligned is None
    assert compare_mouths(seen(seconds=3), seen(seconds=3)).r_open_aligned == pytest.approx(1)


def test_a_clip_without_a_face_cannot_be_compared() -> None:
    empty = SeenFace(torch.full((5, 478, 3), torch.nan), frame_times(5, 25.0))
    with pytest.raises(ValueError, match="0 of 5 frames show a face"):
        compare_mouths(seen(), empty)
