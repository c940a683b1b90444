"""Two motion files -> where and by how much they differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import POSES, Motion
from facetalk.importers.registry import import_motion
from facetalk.metrics.curve_differences import CurveDifference, angles_between, curve_difference

DEGREES, MILLIMETERS = 100.0, 100.0
"""What a rotation and the position may differ by where a channel may differ by 1."""

_SAME_LENGTH_FRAMES = 0.5


@dataclass(frozen=True)
class MotionDiff:
    """How two motions differ."""

    curves: tuple[CurveDifference, ...]
    """Those that differ at all, the one that exceeds its limit most first."""
    seconds: tuple[float, float]
    """Length of each."""
    fps: tuple[float, float]
    largest_beta: float
    """Largest difference of an identity coefficient."""
    tolerance: float | None

    @property
    def same_length(self) -> bool:
        """Whether both last equally long, to half a frame."""
        return abs(self.seconds[0] - self.seconds[1]) * min(self.fps) <= _SAME_LENGTH_FRAMES + 1e-6

    @property
    def within(self) -> bool:
        """Whether all differences are within the tolerance; without one, whether there are none."""
        few = self.largest_beta <= (self.tolerance or 0.0)
        return self.same_length and few and not any(curve.exceeds for curve in self.curves)


def diff(first: Motion | Path | str, second: Motion | Path | str, tolerance: float | None = None) -> MotionDiff:
    """Compare two motions curve by curve, at the frame rate of the first and over their common length.

    Args:
        first: a motion, or a motion file.
        second: for the same head.
        tolerance: largest difference of a channel that counts as none; a rotation may differ by 100 times as many
            degrees, the position by 100 times as many millimeters. 0 if omitted.

    Raises:
        FacetalkError: a file cannot be read, or the motions are for different heads.
        UsageError: the tolerance is no number that makes sense.

    Example:
        >>> [(curve.name, curve.largest) for curve in diff("a.npz", "b.npz").curves]
    """
    if tolerance is not None and not 0 <= tolerance <= 1:
        raise UsageError(f"the tolerance is {tolerance}; it must be a number between 0 and 1, such as 0.01")
    one, other = (motion if isinstance(motion, Motion) else import_motion(motion) for motion in (first, second))
    if (one.head, set(one.expression_names)) != (other.head, set(other.expression_names)):
        raise FacetalkError(
            f"a motion for the head {one.head!r} ({len(one.expression_names)} channels) cannot be compared with one "
            f"for {other.head!r} ({len(other.expression_names)} channels); retarget one of them"
        )
    resampled = other.to_fps(one.fps)
    common = min(one.num_frames, resampled.num_frames)
    curves = _curves(one.cut(0, common), resampled.cut(0, common), tolerance or 0.0)
    differing = [curve for curve in curves if curve.largest > 0]
    betas = max(len(one.betas), len(other.betas))
    padded = [motion.betas.new_zeros(betas) for motion in (one, other)]
    for row, motion in zip(padded, (one, other), strict=True):
        row[: len(motion.betas)] = motion.betas
    return MotionDiff(
        curves=tuple(sorted(differing, key=lambda curve: -curve.largest / _scale(curve.unit))),
        seconds=(one.duration_s, other.duration_s),
        fps=(one.fps, other.fps),
        largest_beta=float((padded[0] - padded[1]).abs().max()) if betas else 0.0,
        tolerance=tolerance,
    )


def _curves(one: Motion, other: Motion, tolerance: float) -> Iterator[CurveDifference]:
    for name in one.expression_names:
        difference = (one.channel(name) - other.channel(name)).abs()
        yield curve_difference(name, "weight", difference, one.fps, tolerance)
    for name in POSES:
        angles = angles_between(getattr(one, name), getattr(other, name))
        yield curve_difference(name, "deg", angles, one.fps, DEGREES * tolerance)
    distance = (one.transl - other.transl).norm(dim=1) * 1000
    yield curve_difference("transl", "mm", distance, one.fps, MILLIMETERS * tolerance)


def _scale(unit: str) -> float:
    return {"weight": 1.0, "deg": DEGREES, "mm": MILLIMETERS}[unit]
