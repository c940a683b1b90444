"""From raw detections to what the fit works on: even frames without holes, a camera, a first guess of the pose."""

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
"""Rows that are looked at together."""

_FOCAL_OVER_SIDE = 1.2
"""Focal length of an ordinary camera over the longer side of its picture: about 45 degrees of view."""


@runtime_checkable
class Rows(Protocol):
    """Points row by row: a tensor, or a table that is too long for the memory."""

    def __len__(self) -> int:
        """Number of rows."""
        ...

    def __getitem__(self, rows: slice, /) -> Tensor:
        """The rows of a slice, (rows, points, 3)."""
        ...


class EvenFrames:
    """Detections at facetalk's frame rate, holes filled, made when they are asked for.

    `times` are the moments of the frames. Holes are interpolated, ends held. `confidence` says how surely a face was
    seen in each frame: 0 inside a hole.
    """

    def __init__(self, points: Rows, times: Float[Tensor, " rows"]) -> None:
        """Find where faces were seen.

        Args:
            points: (rows, points, 3) pixels; NaN rows where no face was found.
            times: moments of the rows in seconds, increasing; the first frame stands for second 0.
        """
        starts = range(0, len(points), _BLOCK)
        found = torch.cat([torch.isfinite(points[s : s + _BLOCK]).flatten(1).all(-1) for s in starts])
        if not bool(found.any()):
            raise FacetalkError(f"no face was found in any of the {len(points)} frames")
        times = times.to(torch.float64)
        step = float(torch.diff(times).median()) if len(times) > 1 else 1 / FPS
        self._points, self._times = points, times
        self._known = found.nonzero()[:, 0]
        self._hole_s = 4 * float(torch.diff(times[self._known]).median()) if len(self._known) > 1 else step
        self.times = frame_times(frames_for(float(times[-1]) + step))
        self.confidence = _seen_share(found, times, self.times)

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, frames: slice) -> Float[Tensor, "frames points 3"]:
        """The points of consecutive or of evenly spaced frames."""
        target = self.times[frames]
        if frames.step not in (None, 1):
            return torch.cat([self[index : index + 1] for index in range(*frames.indices(len(self)))])
        known = self._times[self._known]
        # Two rows on either side: the curve through the nearest ones bends with the next.
        first = max(int(torch.searchsorted(known, target[0])) - 2, 0)
        last = min(int(torch.searchsorted(known, target[-1])) + 2, len(known))
        first = max(min(first, last - 2), 0)
        rows = self._known[first:last]
        start = int(rows[0])
        values = self._points[start : int(rows[-1]) + 1][rows - start].float()
        return interpolate(values, self._times[rows], target, hole_s=self._hole_s)


def even_frames(
    points: Float[Tensor, "rows points 3"], times: Float[Tensor, " rows"]
) -> tuple[Float[Tensor, "frames points 3"], Float[Tensor, " frames"]]:
    """All points and the confidence of `EvenFrames` at once."""
    frames = EvenFrames(points, times)
    return frames[:], frames.confidence


def _seen_share(found: Bool[Tensor, " rows"], times: Tensor, target: Tensor) -> Tensor:
    """1 where the rows on both sides of a moment have a face, 0 where one of them has none."""
    right = torch.searchsorted(times, target - 1e-4).clamp(0, len(times) - 1)
    exact = (times[right] - target).abs() < 1e-3
    left = torch.where(exact, right, (right - 1).clamp_min(0))
    return (found[left] & found[right]).to(torch.float32)


def interpolate(
    values: Float[Tensor, "rows *width"],
    times: Float[Tensor, " rows"],
    target: Float[Tensor, " frames"],
    *,
    hole_s: float | None = None,
) -> Float[Tensor, "frames *width"]:
    """Values at other moments on Catmull-Rom curves, which keep peaks that straight lines would cut; ends held.

    Args:
        values: at the known moments.
        times: known moments, seconds.
        target: wanted moments, seconds.
        hole_s: straight lines over longer gaps; four times the usual step if not given.
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
    # Across a long hole a curve would swing out: straight lines there.
    hole = span[:, 0] > (4 * span.median() if hole_s is None else hole_s)
    width = span[left]
    u = ((target - times[left]).to(flat)[:, None] / width).clamp(0, 1)
    start, stop = flat[left], flat[right]
    curved = (
        (2 * u**3 - 3 * u**2 + 1) * start
        + (u**3 - 2 * u**2 + u) * width * slopes[left]
        + (3 * u**2 - 2 * u**3) * stop
        + (u**3 - u**2) * width * slopes[right]
    )
    straight = torch.lerp(start, stop, u)
    return torch.where(hole[left][:, None], straight, curved).unflatten(1, values.shape[1:])


def interocular_px(points: Float[Tensor, "frames 478 3"]) -> Float[Tensor, " frames"]:
    """Distance of the outer eye corners, depth included so that a turned head does not shrink."""
    right, left = MESH_OUTER_EYE_CORNERS
    return (points[:, right] - points[:, left]).norm(dim=-1)


def estimate_camera(
    points: Float[Tensor, "frames 478 3"], image_size: tuple[int, int], settings: FitSettings
) -> Camera:
    """A likely camera for a clip: ordinary focal length, but no face nearer than `settings.face_distance_m`.

    An enlarged crop should not become a wide-angle close-up. `identity.fit_identity` goes on from here.
    """
    width, height = image_size
    ordinary = _FOCAL_OVER_SIDE * max(width, height)
    size_px = float(interocular_px(points).quantile(0.9))
    focal = max(ordinary, settings.face_distance_m * size_px / INTEROCULAR_M)
    K = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    return Camera(K=K, image_size=(width, height))


def with_focal_length(camera: Camera, focal_px: float) -> Camera:
    """The camera with another lens."""
    K = camera.K.clone()
    K[0, 0] = K[1, 1] = focal_px
    return replace(camera, K=K)


def observe(
    points: Float[Tensor, "frames 478 3"],
    camera: Camera,
    basis: FaceBasis,
    reference: Float[Tensor, "3 3"] | None = None,
) -> tuple[Observation, State]:
    """The points of a basis as the energy wants them, and a first guess of the pose by rigid alignment.

    Args:
        points: pixels, without holes.
        camera: of the clip.
        basis: of the head, or of one identity of it.
        reference: rotation to write poses relative to; the mean of these frames if not given.
    """
    upright = (points[..., :2] - camera.K[:2, 2]) * torch.tensor([1.0, -1.0])
    image_points, depth = upright[:, basis.ids], -points[:, basis.ids, 2]
    focal = float(camera.K[0, 0])
    rotation, place = _align(torch.cat([image_points, depth[..., None]], -1), basis, focal)
    reference = _mean_rotation(rotation) if reference is None else reference
    seen = Observation(
        image_points=image_points,
        depth=depth,
        weights=_facing(rotation, place, basis),
        irises=upright[:, [MESH_LEFT_IRIS, MESH_RIGHT_IRIS]],
        lid_opening=_lid_opening(points),
        reference=reference,
        focal_px=focal,
    )
    turn = matrix_to_axis_angle(rotation @ reference.T)
    return seen, State(turn, place, points.new_zeros(len(points), len(basis.free)))


def _lid_opening(points: Tensor) -> Tensor:
    gaps = [(points[:, a] - points[:, b]).norm(dim=-1) for a, b in (MESH_LEFT_LID_CENTERS, MESH_RIGHT_LID_CENTERS)]
    return (gaps[0] + gaps[1]) / 2 / interocular_px(points).clamp_min(1e-6)


def _align(points: Tensor, basis: FaceBasis, focal: float) -> tuple[Tensor, Tensor]:
    """Rotation and place of the pivot by weighted Procrustes on MediaPipe's own three-dimensional guess."""
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
    centre = middle[:, 0, :2] / scale[:, None]
    place = torch.cat([centre, -distance[:, None]], 1)
    to_pivot = basis.pivot - (weights[:, None] * basis.template).sum(0)
    return rotation, place + rotation @ to_pivot


def _mean_rotation(rotation: Tensor) -> Tensor:
    u, _, vt = torch.linalg.svd(rotation.mean(0))
    sign = torch.linalg.det(u @ vt)
    return u @ torch.diag(torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign])) @ vt


def _facing(rotation: Tensor, place: Tensor, basis: FaceBasis) -> Tensor:
    """Little weight for points on the side of the face that looks away: the detector invents them."""
    view = -torch.nn.functional.normalize(place, dim=-1)
    cosine = ((rotation @ basis.normals.T) * view[..., None]).sum(1)
    return ((cosine + 0.15) / 0.35).clamp(0.05, 1.0)
