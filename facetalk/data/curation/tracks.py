"""Detected faces linked to tracks, and the measurements of each track on the frames of the video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from facetalk.core.spans import Span
from facetalk.core.timing import FPS, frame_times
from facetalk.vision.face_measures import overlap

_SAME_FACE = 0.3
"""Overlap of two bounding boxes from which they contain the same face."""
_MAX_GAP_S = 0.5
"""A face that was invisible for longer starts a new track."""
_NEAR_S = 0.09
"""Largest distance of a frame from a detection: the step of 12 frames per second, and a little."""
_SPEED_S = 0.5
"""Time over which speeds are measured: longer than a nod on a stressed word."""

MEASURES = ("left", "top", "right", "bottom", "x", "y", "yaw", "pitch", "roll", "mouth")
"""Columns of the measurements of a detected face: box and center in pixels, degrees, opening of the lips."""


class FaceLinker:
    """Assigns every detected face to a track, frame by frame."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[np.ndarray, float]] = {}
        self._count = 0

    def link(self, boxes: Float[np.ndarray, "faces 4"], time_s: float) -> list[int]:
        """Track numbers of the faces in the next frame, by the best overlap with recently seen faces."""
        recent = {track: box for track, (box, seen_s) in self._last.items() if time_s - seen_s <= _MAX_GAP_S}
        pairs = sorted(
            ((overlap(box, old), face, track) for face, box in enumerate(boxes) for track, old in recent.items()),
            reverse=True,
        )
        tracks = [-1] * len(boxes)
        for shared, face, track in pairs:
            if shared >= _SAME_FACE and tracks[face] < 0 and track not in tracks:
                tracks[face] = track
        for face, box in enumerate(boxes):
            if tracks[face] < 0:
                tracks[face] = self._count
                self._count += 1
            self._last[tracks[face]] = (box, time_s)
        self._last = {track: kept for track, kept in self._last.items() if time_s - kept[1] <= _MAX_GAP_S}
        return tracks


@dataclass(frozen=True, eq=False)
class MeasuredFace:
    """One face on all frames of a video at 30 fps; NaN where it is not visible."""

    number: int
    """Of its track."""
    span: Span
    """From its first to its last frame."""
    seen: Bool[Tensor, " frames"]
    width_px: Float[Tensor, " frames"]
    yaw_deg: Float[Tensor, " frames"]
    pitch_deg: Float[Tensor, " frames"]
    turn_deg_s: Float[Tensor, " frames"]
    """Angular speed of the head."""
    move_widths_s: Float[Tensor, " frames"]
    """Speed of the face's center, in face widths per second."""
    mouth: Float[Tensor, " frames"]
    """Opening of the lips."""


def measured_face(
    number: int,
    times: Float[Tensor, " rows"],
    measures: Float[Tensor, "rows measures"],
    scene: Span,
    num_frames: int,
) -> MeasuredFace:
    """Bring the measurements of a track to the frames of the video.

    Args:
        number: of the track.
        times: times of its detections, seconds, increasing.
        measures: columns `MEASURES`.
        scene: frames of the scene that it belongs to.
        num_frames: of the whole video, at 30 fps.
    """
    rows, seen = _nearest_rows(times, num_frames)
    seen[: scene.start] = False
    seen[scene.stop :] = False
    values = measures[rows]
    values[~seen] = torch.nan
    left, _, right, _, x, y, yaw, pitch, roll, mouth = values.T
    width = right - left
    center = torch.stack([x, y], 1) / width[:, None]
    inside = seen.nonzero()[:, 0]
    span = Span(int(inside[0]), int(inside[-1]) + 1) if len(inside) else Span(0, 0)
    return MeasuredFace(
        number=number,
        span=span,
        seen=seen,
        width_px=width,
        yaw_deg=yaw,
        pitch_deg=pitch,
        turn_deg_s=_speed(torch.stack([yaw, pitch, roll], 1)),
        move_widths_s=_speed(center),
        mouth=mouth,
    )


def split_rows(track_of_row: Int64[np.ndarray, " rows"]) -> dict[int, Int64[np.ndarray, " some"]]:
    """Row indices of each track, in order."""
    return {int(number): np.flatnonzero(track_of_row == number) for number in np.unique(track_of_row)}


def _nearest_rows(times: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
    """The nearest detection of each frame, and whether it is near enough."""
    target = frame_times(num_frames)
    times = times.to(torch.float64).contiguous()
    right = torch.searchsorted(times, target).clamp(max=len(times) - 1)
    left = (right - 1).clamp_min(0)
    nearest = torch.where((times[right] - target).abs() < (target - times[left]).abs(), right, left)
    return nearest, (times[nearest] - target).abs() <= _NEAR_S


def _speed(values: Float[Tensor, "frames width"]) -> Float[Tensor, " frames"]:
    """Change per second over `_SPEED_S`; over half of it where one side is not visible, NaN where neither is."""
    reach = round(_SPEED_S / 2 * FPS)
    gap = torch.full((reach, values.shape[1]), torch.nan)
    before = torch.cat([gap, values])[: len(values)]
    after = torch.cat([values, gap])[reach : reach + len(values)]
    both, later, earlier = ((b - a).norm(dim=1) for a, b in ((before, after), (values, after), (before, values)))
    either = torch.where(later.isnan(), earlier, later) * 2
    return torch.where(both.isnan(), either, both) / (2 * reach / FPS)
