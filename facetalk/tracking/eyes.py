"""Gaze: eyeball rotations from the irises, once the pose of the head is known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.core.landmarks import MESH_LEFT_EYE_CORNERS, MESH_RIGHT_EYE_CORNERS
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.gaze import FULL_DOWN, FULL_OUT, FULL_UP, gaze_pose
from facetalk.head.model import HeadModel
from facetalk.tracking.energy import Observation, State
from facetalk.tracking.face_basis import FaceBasis

IRIS_DEPTH_M = 0.0105
"""Distance of the pupil's plane from the eyeball's center in an adult eye."""

VERGENCE = math.radians(4.0)
"""Angle between the lines of sight of eyes that look at a point 0.9 m away."""

_MAX_VERGENCE = math.radians(14.0)

_CLOSED = 0.55
"""Share of a person's usual lid opening below which the iris is hidden and its position unreliable."""

_TO_CAMERA = 0.85
"""Share of a clip's usual offset from the line to the camera that is corrected: the exact position of an eyeball is not
visible, and speakers mostly look at the camera."""

_MAX_OFFSET = math.radians(7.0)
"""Largest offset that is attributed to the eyeball's position (7 degrees are 1.3 mm); the rest is gaze."""

_EYES = ((3, MESH_LEFT_EYE_CORNERS), (4, MESH_RIGHT_EYE_CORNERS))
"""Joint and detected corners of the left and of the right eye."""


@dataclass(frozen=True, eq=False)
class EyeModel:
    """Eyeballs of one person."""

    centers: Float[Tensor, "2 3"]
    """Left and right, at rest, relative to the basis's pivot, meters."""
    corners: tuple[list[int], list[int]]
    """Rows of the basis with the corners of each eye."""
    usual_opening: float = 0.0
    """Lid opening over the distance of the outer eye corners."""
    offset: tuple[float, float] = (0.0, 0.0)
    """Yaw and pitch that are subtracted from the raw gaze, radians."""


def eye_model(head: HeadModel, basis: FaceBasis, betas: Float[Tensor, " n_betas"]) -> EyeModel:
    """Eyeballs of an identity before calibration."""
    _, joints = head.shaped(betas)
    row = {int(number): index for index, number in enumerate(basis.ids)}
    corners = [[row[number] for number in corners if number in row] for _, corners in _EYES]
    return EyeModel(joints[[joint for joint, _ in _EYES]] - basis.pivot, (corners[0], corners[1]))


def calibrate(
    eyes: EyeModel, seen: Observation, state: State, basis: FaceBasis, rest: Float[Tensor, "frames points 3"]
) -> EyeModel:
    """Estimate a person's usual lid opening and the offset of the gaze from several frames."""
    usual = float(seen.lid_opening.quantile(0.7))
    raw = raw_gaze(eyes, seen, state, basis, rest).mean(1)
    turn = axis_angle_to_matrix(state.rotation) @ seen.reference
    to_camera = torch.nn.functional.normalize(-state.position, dim=-1)
    to_camera = _angles((turn.transpose(1, 2) @ to_camera[..., None]).squeeze(-1))
    wide = seen.lid_opening > 0.8 * usual
    miss = (_TO_CAMERA * (raw - to_camera)[wide].median(0).values).clamp(-_MAX_OFFSET, _MAX_OFFSET)
    return replace(eyes, usual_opening=usual, offset=(float(miss[0]), float(miss[1])))


def estimate_gaze(
    eyes: EyeModel,
    seen: Observation,
    state: State,
    basis: FaceBasis,
    rest: Float[Tensor, "frames points 3"],
    *,
    consecutive: bool = True,
) -> tuple[Float[Tensor, "frames 3"], Float[Tensor, "frames 3"]]:
    """Rotations of the left and the right eyeball, interpolated over blinks if frames are consecutive.

    Both eyes share their direction; the angle between them stays near `VERGENCE`.
    """
    raw = raw_gaze(eyes, seen, state, basis, rest)
    if consecutive:
        raw = _steady(_bridge(raw, seen.lid_opening > _CLOSED * eyes.usual_opening))
    yaw, pitch = raw.mean(1).unbind(1)
    yaw = (yaw - eyes.offset[0]).clamp(-FULL_OUT, FULL_OUT)
    pitch = (pitch - eyes.offset[1]).clamp(-FULL_UP, FULL_DOWN)
    between = raw[:, 1, 0] - raw[:, 0, 0]
    vergence = (VERGENCE + 0.25 * (between - between.median())).clamp(0, _MAX_VERGENCE)
    return gaze_pose(yaw - vergence / 2, pitch), gaze_pose(yaw + vergence / 2, pitch)


def raw_gaze(
    eyes: EyeModel, seen: Observation, state: State, basis: FaceBasis, rest: Float[Tensor, "frames points 3"]
) -> Float[Tensor, "frames 2 2"]:
    """Yaw and pitch of the left and the right eye before smoothing, radians.

    Only the iris relative to the corners of its eye is used, which cancels errors of the fitted pose.
    """
    turn = axis_angle_to_matrix(state.rotation) @ seen.reference
    scale = -state.position[:, 2:] / seen.focal_px
    angles = []
    for index, rows in enumerate(eyes.corners):
        from_corners = (seen.irises[:, index] - seen.image_points[:, rows].mean(1)) * scale
        corners = rest[:, rows].mean(1) - basis.pivot
        to_center = (turn @ (eyes.centers[index] - corners)[..., None]).squeeze(-1)[:, :2]
        across = (from_corners - to_center) / IRIS_DEPTH_M
        # An eyeball rotates by at most about 60 degrees.
        across = across * (0.85 / across.norm(dim=-1, keepdim=True).clamp_min(0.85))
        toward = (1 - (across**2).sum(-1, keepdim=True)).sqrt()
        direction = (turn.transpose(1, 2) @ torch.cat([across, toward], -1)[..., None]).squeeze(-1)
        angles.append(_angles(direction))
    return torch.stack(angles, 1)


def _angles(direction: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 2"]:
    """Yaw and pitch of the torsion-free rotation from +z to a direction."""
    x, y, z = direction.unbind(-1)
    across = (x**2 + y**2).sqrt().clamp_min(1e-6)
    angle = torch.atan2(across, z) / across
    return torch.stack([x * angle, -y * angle], -1)


def _bridge(values: Float[Tensor, "frames 2 2"], seen: Bool[Tensor, " frames"]) -> Float[Tensor, "frames 2 2"]:
    """Linear interpolation over the frames that are not seen."""
    known = seen.nonzero()[:, 0]
    if len(known) in (0, len(values)):
        return values
    here = torch.arange(len(values))
    right = torch.searchsorted(known, here).clamp(0, len(known) - 1)
    left = (torch.searchsorted(known, here, right=True) - 1).clamp_min(0)
    start, stop = known[left], known[right]
    share = (here - start) / (stop - start).clamp_min(1)
    return torch.lerp(values[start], values[stop], share.clamp(0, 1).to(values)[:, None, None])


def _steady(values: Float[Tensor, "frames 2 2"]) -> Float[Tensor, "frames 2 2"]:
    """Median of five frames, which keeps saccades, then a slight average."""
    if len(values) < 3:
        return values
    padded = torch.cat([values[:1]] * 2 + [values] + [values[-1:]] * 2)
    values = padded.unfold(0, 5, 1).median(-1).values
    padded = torch.cat([values[:1], values, values[-1:]])
    return (padded[:-2] + 2 * values + padded[2:]) / 4
