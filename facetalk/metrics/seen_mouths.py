"""How the mouth in one video follows the mouth in another, from the landmarks that MediaPipe finds in finished frames.

Nothing but the frames counts, so that real faces and heads of any kind can be compared. All lengths are in units of the
median distance of a clip's outer eye corners.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.landmarks import (
    MESH_INNER_LIP_CENTERS,
    MESH_INNER_LIPS,
    MESH_MOUTH_CORNERS,
    MESH_OUTER_EYE_CORNERS,
    MESH_OUTER_LIPS,
    MESH_RIGID,
)
from facetalk.core.timing import frame_times, resample
from facetalk.metrics.av_offset import lagged_correlations
from facetalk.metrics.correlation import correlation
from facetalk.metrics.landmarks import align, similarity

CURVE_FPS = 25.0
"""Curves are compared at this rate, whatever the rates of the videos."""
LAG_S = 0.4
"""Largest lag that is looked for, in both directions."""
OFFSET_S = 0.2
"""Largest audio-video offset of a real clip that the aligned correlations remove."""
MIN_HALVES_S = 3.0
"""Shorter clips have no aligned correlations."""

_PASSES = 2
"""How often the mean shape, which head motion blurs at first, is computed again from aligned frames."""


@dataclass(frozen=True, eq=False)
class SeenFace:
    """Landmarks of one face in all frames of a video."""

    points: Float[Tensor, "frames 478 3"]
    """Pixels, depth on the scale of x; rows of NaN where no face was found."""
    times: Float[Tensor, " frames"]
    """When each frame is shown, seconds."""

    @property
    def end_s(self) -> float:
        """When the last frame ends."""
        return float(self.times[-1] + self.times.diff().median()) if len(self.times) > 1 else float(self.times[-1])


@dataclass(frozen=True)
class MouthAgreement:
    """How a rendered mouth follows the real one over their common time."""

    r_open: float
    """Pearson's correlation of the lips' opening; 0 where one of the mouths does not move."""
    r_wide: float
    """The same for the width of the mouth."""
    r_open_aligned: float | None
    """`r_open` after a constant lag is removed, which was found on the other half of the clip; None under 3 s."""
    r_wide_aligned: float | None
    gain_open: float
    """Standard deviation of the rendered opening, divided by that of the real one."""
    gain_wide: float
    lag_s: float | None
    """How much later the rendered lips open, seconds; None where no lag makes them agree at all."""
    mlmd: float
    """M-LMD: mean distance of the lip points in the image after each clip's own mean shape is removed."""
    mlmd_still: float
    """M-LMD of a face that does not move."""


def compare_mouths(real: SeenFace, render: SeenFace) -> MouthAgreement:
    """Compare a rendered mouth with the real one of the same speech.

    Raises:
        ValueError: one of the clips shows a face in less than two frames.
    """
    end_s = min(real.end_s, render.end_s)
    curve_times = frame_times(int(end_s * CURVE_FPS + 1e-6), CURVE_FPS)
    lip_times = real.times[real.times < end_s]
    curves, lips = [], []
    for face in (real, render):
        shapes, times = still_headed(face)
        curves.append(resample(_curves(shapes), times, curve_times))
        moving = resample(shapes[:, [*MESH_OUTER_LIPS, *MESH_INNER_LIPS], :2], times, lip_times)
        lips.append(moving - moving.mean(0))
    r_open, r_wide = correlation(*curves).tolist()
    aligned = _aligned_correlations(*curves)
    gain_open, gain_wide = (curves[1].std(0) / curves[0].std(0).clamp_min(1e-9)).tolist()
    return MouthAgreement(
        r_open=r_open,
        r_wide=r_wide,
        r_open_aligned=aligned and aligned[0],
        r_wide_aligned=aligned and aligned[1],
        gain_open=gain_open,
        gain_wide=gain_wide,
        lag_s=_lag_s(*curves),
        mlmd=float((lips[0] - lips[1]).norm(dim=-1).mean()),
        mlmd_still=float(lips[0].norm(dim=-1).mean()),
    )


def still_headed(face: SeenFace) -> tuple[Float[Tensor, "shown 478 3"], Float[Tensor, " shown"]]:
    """Shapes without head motion, in units of the outer eye corners' distance, and the times of frames with a face.

    Each frame is aligned to the mean shape of the clip by the points that speech hardly moves. The mean shape keeps the
    mean orientation of the head, so that x and y are those of the image.
    """
    shown = face.points.isfinite().all(2).all(1)
    points, rigid_ids = face.points[shown].double(), list(MESH_RIGID)
    if len(points) < 2:
        raise ValueError(f"{len(points)} of {len(shown)} frames show a face")
    rigid = points[:, rigid_ids]
    centered = rigid - rigid.mean(1, keepdim=True)
    mean = (centered / centered.norm(dim=(1, 2), keepdim=True)).mean(0)
    for _ in range(_PASSES):
        mean = align(rigid, mean.expand_as(rigid)).mean(0)
    shapes = similarity(rigid, mean.expand_as(rigid)).apply(points)
    return shapes / _distance(shapes, MESH_OUTER_EYE_CORNERS).median(), face.times[shown].double()


def _curves(shapes: Float[Tensor, "frames 478 3"]) -> Float[Tensor, "frames 2"]:
    """Opening of the lips and width of the mouth."""
    return torch.stack([_distance(shapes, pair) for pair in (MESH_INNER_LIP_CENTERS, MESH_MOUTH_CORNERS)], 1)


def _distance(shapes: Float[Tensor, "frames 478 3"], pair: tuple[int, int]) -> Float[Tensor, " frames"]:
    return (shapes[:, pair[0]] - shapes[:, pair[1]]).norm(dim=-1)


def _lag_s(real: Float[Tensor, "frames 2"], render: Float[Tensor, "frames 2"]) -> float | None:
    reach = min(int(LAG_S * CURVE_FPS), len(real) // 3)
    found = lagged_correlations(real[:, :1], render[:, :1], reach)[:, 0]
    best = int(found.argmax())
    return (best - reach) / CURVE_FPS if found[best] > 0 else None


def _aligned_correlations(
    real: Float[Tensor, "frames 2"], render: Float[Tensor, "frames 2"]
) -> tuple[float, float] | None:
    """Correlations of both curves at the lag of the other half's opening, so that the search itself earns nothing."""
    if len(real) < MIN_HALVES_S * CURVE_FPS:
        return None
    half, reach = len(real) // 2, int(OFFSET_S * CURVE_FPS)
    first, second = (lagged_correlations(real[s], render[s], reach) for s in (slice(half), slice(half, 2 * half)))
    rows = [judged[int(sought[:, 0].argmax())] for sought, judged in ((first, second), (second, first))]
    r_open, r_wide = torch.stack(rows).mean(0).tolist()
    return r_open, r_wide
