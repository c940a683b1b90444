"""A closer look at a face that is small in a large video: the part of its frames to decode at more pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from facetalk.core.landmarks import MESH_OUTER_EYE_CORNERS
from facetalk.io.frame_table import FrameTable
from facetalk.io.video import DETECTION_SIDE, Region, VideoReader
from facetalk.vision.face_finder import find_boxes
from facetalk.vision.face_tracks import FaceTrack
from facetalk.vision.landmark_detector import MediaPipeFinder
from facetalk.vision.orientation import SAMPLES

_ENOUGH_PX = 60.0
"""Distance of the outer eye corners in decoded pixels from which more pixels bring nothing: the face mesh sees a face
on 192 pixels, its eye corners on about 70."""
_WORTHWHILE = 1.3
"""Gain in pixels from which a second pass over the video is worth its time."""
_AROUND = 3.0
"""Space around a face, in units of the distance of its outer eye corners."""
_AROUND_BOX = 3.0
"""Half the side of the part around a face that was found without landmarks, in units of the face: it may move."""
_SAME_FACE = 0.5
"""Mean distance of two detections of a face, in interocular units, below which they are of one person."""
_MOST = 0.8
"""Share of a face's frames in which another detection must be the same."""
_BLOCK = 512
"""Rows that are compared together."""
_SEARCHED_FRAMES = 200
"""Frames at the start of a video that are searched at full size."""


def closer_region(track: FaceTrack, video: VideoReader) -> Region | None:
    """The part of the frames in which a face moves; None if decoding it alone would not show the face much larger.

    Args:
        track: the face.
        video: as it was decoded for the track.
    """
    shown, eyes_px = 1 / video.scale, float(np.median(track.sizes))
    if shown < _WORTHWHILE or eyes_px >= _ENOUGH_PX:
        return None
    part = video.region
    centers = np.array(track.centers) * part.size + (part.left, part.top)
    reach = _AROUND * float(np.max(track.sizes)) * shown
    region = _inside(centers.min(0) - reach, centers.max(0) + reach, video.info.size)
    gain = min(1.0, DETECTION_SIDE / max(region.size)) * shown
    return region if gain >= _WORTHWHILE else None


def search_region(path: Path | str, turn: int) -> Region | None:
    """The part of the frames around the largest face in a video whose faces are too small where it is decoded smaller.

    Args:
        path: any video that ffmpeg reads.
        turn: see `VideoReader`.
    """
    with VideoReader(path, turn=turn) as video:
        if max(video.size) < _WORTHWHILE * DETECTION_SIDE:
            return None
        finder = MediaPipeFinder(small=True)
        try:
            for number, (_, image) in enumerate(video):
                boxes = find_boxes(finder, image) if number in SAMPLES else []
                if boxes:
                    center = np.array([boxes[0].x, boxes[0].y])
                    reach = _AROUND_BOX * boxes[0].side
                    return _inside(center - reach, center + reach, video.info.size)
                if number == _SEARCHED_FRAMES:
                    break
        finally:
            finder.close()
    return None


def same_face(face: FrameTable, others: Sequence[FrameTable], num_frames: int) -> int | None:
    """Index of the table that shows a face in most of its frames; None if there is none.

    Args:
        face: points of the face, pixels.
        others: points of other detections.
        num_frames: of the video.
    """
    right, left = MESH_OUTER_EYE_CORNERS
    for table in (face, *others):
        table.extend_to(num_frames)
    known, counts = 0, [0] * len(others)
    for start in range(0, num_frames, _BLOCK):
        points = face[start : start + _BLOCK][..., :2]
        size = (points[:, right] - points[:, left]).norm(dim=-1)
        known += int(torch.isfinite(size).sum())
        for index, other in enumerate(others):
            apart = (points - other[start : start + _BLOCK][..., :2]).norm(dim=-1).mean(-1)
            counts[index] += int((apart < _SAME_FACE * size).sum())
    best = max(range(len(others)), key=counts.__getitem__, default=None)
    return best if best is not None and counts[best] > _MOST * known else None


def _inside(low: np.ndarray, high: np.ndarray, size: tuple[int, int]) -> Region:
    """A region with even sides inside the frame."""
    left, top = (2 * max(int(value // 2), 0) for value in low)
    right, bottom = (min(int(np.ceil(value)), side) for value, side in zip(high, size, strict=True))
    return Region(left, top, max((right - left) // 2 * 2, 2), max((bottom - top) // 2 * 2, 2))
