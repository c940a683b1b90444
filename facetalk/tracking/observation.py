"""From raw detections to the input of the fit: even frames without gaps, a camera, an initial pose."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.core.camera import Camera
from facetalk.core.errors import FacetalkError
from facetalk.core.landmarks import (
    MESH_LEFT_IRIS,
    MESH_LEFT_LID_CENTERS,
    MESH_OUTER_EYE_CORNERS,
    MESH_RIGHT_IRIS,
    MESH_RIGHT_LID_CENTERS,
)
from facetalk.core.rotations import matrix_to_axis_angle
from facetalk.core.timing import FPS, frame_times, frames_for, resample
from facetalk.tracking.energy import Observation, State
from facetalk.tracking.face_basis import FaceBasis
from facetalk.tracking.settings import FitSettings

INTEROCULAR_M = 0.089
"""Mean distance of the outer eye corners of adults."""

_BLOCK = 512
"""Rows that are processed together."""

_FOCAL_OVER_SIDE = 1.2
"""Focal length of an ordinary camera over the longer side of its image: a field of view of about 45 degrees."""


@runtime_checkable
class Rows(Protocol):
    """Points row by row: a tensor, or a table that is too large for memory."""

    def __len__(self) -> int:
        """Number of rows."""
        ...

    def __getitem__(self, rows: slice, /) -> Tensor:
        """The rows of a slice, (rows, points, 3)."""
        ...


class EvenFrames:
    """Detections at facetalk's frame rate without gaps, computed on access.

    `times` are the times of the frames. Gaps are interpolated, ends held. `confidence` is 0 in frames inside a gap and
    1 in all others.
    """

    def __init__(self, points: Rows, times: Float[Tensor, " rows"]) -> None:
        """Find the frames with a face.

        Args:
            points: (rows, points, 3) pixels; rows of NaN where no face was found.
            times: of the rows in seconds, increasing; the first output frame is at second 0.
        """
        starts = range(0, len(points), _BLOCK)
        found = torch.cat([torch.isfinite(points[s : s + _BLOCK]).flatten(1).all(-1) for s in starts])
        if not bool(found.any()):
            raise FacetalkError(f"no face was found in any of the {len(points)} frames")
        times = times.to(torch.float64)
        self._points, self._times = points, times
        self._known = found.nonzero()[:, 0]
        self._max_gap_s = 4 * _usual_step(times[self._known]) if len(self._known) > 1 else _usual_step(times)
        self.times = even_times(times)
        self.confidence = _seen_share(found, times, self.times)

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, frames: slice) -> Float[Tensor, "frames points 3"]:
        """The points of consecutive or of evenly spaced frames."""
        target = self.times[frames]
        if frames.step not in (None, 1):
            return torch.cat([self[index : index + 1] for index in range(*frames.indices(len(self)))])
        known = self._times[self._known]
        # Two rows on each side: the slope of the curve at the nearest one depends on the next.
        first = max(int(torch.searchsorted(known, target[0])) - 2, 0)
        last = min(int(torch.searchsorted(known, target[-1])) + 2, len(known))
        first = max(min(first, last - 2), 0)
        rows = self._known[first:last]
        start = int(rows[0])
        values = self._points[start : int(rows[-1]) + 1][rows - start].float()
        return interpolate(values, self._times[rows], target, max_gap_s=self._max_gap_s)


def even_times(times: Float[Tensor, " rows"]) -> Float[Tensor, " frames"]:
    """Times of the frames of `EvenFrames`, from those of its rows."""
    times = times.to(torch.float64)
    return frame_times(frames_for(float(times[-1]) + _usual_step(times)))


def _usual_step(times: Float[Tensor, " rows"]) -> float:
    return float(torch.diff(times).median()) if len(times) > 1 else 1 / FPS


def even_frames(
    points: Float[Tensor, "rows points 3"], times: Float[Tensor, " rows"]
) -> tuple[Float[Tensor, "frames points 3"], Float[Tensor, " frames"]]:
    """All points and the confidence of `EvenFrames` at once."""
    frames = EvenFrames(points, times)
    return frames[:], frames.confidence


def _seen_share(found: Bool[Tensor, " rows"], times: Tensor, target: Tensor) -> Tensor:
    """1 where the rows on both sides of a time have a face, else 0."""
    right = torch.searchsorted(times, target - 1e-4).clamp(0, len(times) - 1)
    exact = (times[right] - target).abs() < 1e-3
    left = torch.where(exact, right, (right - 1).clamp_min(0))
    return (found[left] & found[right]).to(torch.float32)


def interpolate(
    values: Float[Tensor, "rows *width"],
    times: Float[Tensor, " rows"],
    target: Float[Tensor, " frames"],
    *,
    max_gap_s: float | None = None,
) -> Float[Tensor, "frames *width"]:
    """Values at other times on Catmull-Rom curves, which keep peaks that linear interpolation would cut; ends are held.

    Args:
        values: at the known times.
        times: known times, seconds.
        target: requested times, seconds.
        max_gap_s: longer gaps are interpolated linearly; four times the usual step if None.
    """
    if len(times) < 3:
        return resample(values, times, target)
    last = len(times) - 1
    right = torch.searchsorted(times, target).clamp(1, last)
    left = right - 1
    flat = values.flatten(1)
    slopes = torch.empty_like(flat)
    span = torch.diff(times).clamp_min(1e-6).to(flat)[:, None]
    chords = torch.diff(flat, dim=0) / span
    slopes[1:-1] = (chords[:-1] * span[1:] + chords[1:] * span[:-1]) / (span[1:] + span[:-1])
    slopes[0], slopes[-1] = chords[0], chords[-1]
    # Across a long gap a curve would overshoot.
    is_gap = span[:, 0] > (4 * span.median() if max_gap_s is None else max_gap_s)
    width = span[left]
    u = ((target - times[left]).to(flat)[:, None] / width).clamp(0, 1)
    start, stop = flat[left], flat[right]
    curved = (
        (2 * u**3 - 3 * u**2 + 1) * start
        + (u**3 - 2 * u**2 + u) * width * slopes[left]
        + (3 * u**2 - 2 * u**3) * stop
        + (u**3 - u**2) * width * slopes[right]
    )
    linear = torch.lerp(start, stop, u)
    return torch.where(is_gap[left][:, None], linear, curved).unflatten(1, values.shape[1:])


def interocular_px(points: Float[Tensor, "frames 478 3"]) -> Float[Tensor, " frames"]:
    """Distance of the outer eye corners, including depth, so that it does not shrink when the head turns."""
    right, left = MESH_OUTER_EYE_CORNERS
    return (points[:, right] - points[:, left]).norm(dim=-1)


def estimate_camera(
    points: Float[Tensor, "frames 478 3"], image_size: tuple[int, int], settings: FitSettings
) -> Camera:
    """A likely camera for a clip: ordinary focal length, but no face nearer than `settings.face_distance_m`.

    An enlarged crop should not become a wide-angle close-up. `identity.fit_identity` refines it.
    """
    width, height = image_size
    ordinary = _FOCAL_OVER_SIDE * max(width, height)
    size_px = float(interocular_px(points).quantile(0.9))
    focal = max(ordinary, settings.face_distance_m * size_px / INTEROCULAR_M)
    K = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    return Camera(K=K, image_size=(width, height))


def with_focal_length(camera: Camera, focal_px: float) -> Camera:
    """The camera with another focal length."""
    K = camera.K.clone()
    K[0, 0] = K[1, 1] = focal_px
    return replace(camera, K=K)


def observe(
    points: Float[Tensor, "frames 478 3"],
    camera: Camera,
    basis: FaceBasis,
    reference: Float[Tensor, "3 3"] | None = None,
) -> tuple[Observation, State]:
    """The points of a basis as input of the energy, and an initial pose by rigid alignment.

    Args:
        points: pixels, without gaps.
        camera: of the clip.
        basis: of the head, or of one identity of it.
        reference: rotation to which poses are relative; the mean of these frames if None.
    """
    upright = (points[..., :2] - camera.K[:2, 2]) * torch.tensor([1.0, -1.0])
    image_points, depth = upright[:, basis.ids], -points[:, basis.ids, 2]
    focal = float(camera.K[0, 0])
    rotation, position = _align(torch.cat([image_points, depth[..., None]], -1), basis, focal)
    reference = _mean_rotation(rotation) if reference is None else reference
    seen = Observation(
        image_points=image_points,
        depth=depth,
        weights=_facing(rotation, position, basis),
        irises=upright[:, [MESH_LEFT_IRIS, MESH_RIGHT_IRIS]],
        lid_opening=_lid_opening(points),
        reference=reference,
        focal_px=focal,
    )
    turn = matrix_to_axis_angle(rotation @ reference.T)
    return seen, State(turn, position, points.new_zeros(len(points), len(basis.free)))


def _lid_opening(points: Tensor) -> Tensor:
    gaps = [(points[:, a] - points[:, b]).norm(dim=-1) for a, b in (MESH_LEFT_LID_CENTERS, MESH_RIGHT_LID_CENTERS)]
    return (gaps[0] + gaps[1]) / 2 / interocular_px(points).clamp_min(1e-6)


def _align(points: Tensor, basis: FaceBasis, focal: float) -> tuple[Tensor, Tensor]:
    """Rotation and position of the pivot by weighted Procrustes alignment to MediaPipe's own 3D estimate."""
    weights = (basis.depth_weights + 1e-3) / (basis.depth_weights + 1e-3).sum()
    source = basis.template - (weights[:, None] * basis.template).sum(0)
    middle = (weights[:, None] * points).sum(1, keepdim=True)
    target = points - middle
    u, spread, vt = torch.linalg.svd((weights[:, None] * target).transpose(1, 2) @ source)
    flip = torch.ones_like(spread)
    flip[:, 2] = torch.linalg.det(u @ vt).sign()
    rotation = u @ (flip[..., None] * vt)
    scale = (spread * flip).sum(1) / (weights[:, None] * source**2).sum()
    distance = focal / scale
    center = middle[:, 0, :2] / scale[:, None]
    position = torch.cat([center, -distance[:, None]], 1)
    to_pivot = basis.pivot - (weights[:, None] * basis.template).sum(0)
    return rotation, position + rotation @ to_pivot


def _mean_rotation(rotation: Tensor) -> Tensor:
    u, _, vt = torch.linalg.svd(rotation.mean(0))
    sign = torch.linalg.det(u @ vt)
    return u @ torch.diag(torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign])) @ vt


def _facing(rotation: Tensor, position: Tensor, basis: FaceBasis) -> Tensor:
    """Low weights for points on the averted side of the face, which the detector guesses."""
    view = -torch.nn.functional.normalize(position, dim=-1)
    cosine = ((rotation @ basis.normals.T) * view[..., None]).sum(1)
    return ((cosine + 0.15) / 0.35).clamp(0.05, 1.0)
