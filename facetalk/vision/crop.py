"""Crops of a face and its mouth, placed as SPECTRE does (Filntisis et al. 2023).

A box is a square in the image: the coordinates of its center and the length of its side, in pixels.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from facetalk.core.landmarks import IBUG_FROM_MEDIAPIPE, IBUG_MOUTH_SLICE

FACE_SCALE = 1.6
"""Side of the face box over the mean of width and height of the 68 landmarks."""

MOUTH_SHARE = 96 / 224
"""Side of the mouth box over that of the face box."""

MOUTH_REACH = 6
"""Frames on each side over which the position of the mouth in the face is averaged."""

_BOX_REACH = 2
"""Frames on each side over which the face box is averaged, so that it does not follow the noise of the detector."""


def landmarks_68(points: Float[np.ndarray, "frames 478 _"]) -> Float[np.ndarray, "frames 68 2"]:
    """The 68 landmarks in the image from MediaPipe's points."""
    return points[:, list(IBUG_FROM_MEDIAPIPE), :2]


def fill_gaps(points: Float[np.ndarray, "frames *width"]) -> Float[np.ndarray, "frames *width"]:
    """Points with the rows of NaN, frames without a face, interpolated linearly; ends are held."""
    flat = points.reshape(len(points), -1)
    found = np.flatnonzero(np.isfinite(flat).all(1))
    if len(found) == 0:
        raise ValueError("no frame has points")
    frames = np.arange(len(flat))
    filled = [np.interp(frames, found, flat[found, column]) for column in range(flat.shape[1])]
    return np.stack(filled, 1).reshape(points.shape).astype(points.dtype)


def face_boxes(landmarks: Float[np.ndarray, "frames 68 2"]) -> Float[np.ndarray, "frames 3"]:
    """Box around the face in each frame, `FACE_SCALE` times as large as the landmarks.

    Args:
        landmarks: pixels, without gaps.
    """
    low, high = landmarks.min(1), landmarks.max(1)
    side = FACE_SCALE * (high - low).mean(1)
    return running_mean(np.concatenate([(low + high) / 2, side[:, None]], 1), _BOX_REACH)


def mouth_boxes(
    landmarks: Float[np.ndarray, "frames 68 2"], faces: Float[np.ndarray, "frames 3"]
) -> Float[np.ndarray, "frames 3"]:
    """Box around the mouth in each frame, a fixed share of the face box.

    It follows the head at once, but the position of the mouth in the face slowly: a box that followed the lips would
    hide their motion.
    """
    head = landmarks.mean(1)
    mouth = head + running_mean(landmarks[:, IBUG_MOUTH_SLICE].mean(1) - head, MOUTH_REACH)
    return np.concatenate([mouth, faces[:, 2:] * MOUTH_SHARE], 1)


def running_mean(rows: Float[np.ndarray, "frames width"], reach: int) -> Float[np.ndarray, "frames width"]:
    """Mean over the frames from `reach` before to `reach` after, fewer at the ends."""
    total = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, 0, dtype=np.float64)])
    frames = np.arange(len(rows))
    first, last = np.maximum(frames - reach, 0), np.minimum(frames + reach + 1, len(rows))
    return ((total[last] - total[first]) / (last - first)[:, None]).astype(rows.dtype)


def cut(
    image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, "3"], size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """The content of a box at `size` x `size` pixels; black outside the image."""
    u, v, side = (float(value) for value in box)
    left, top = u - side / 2, v - side / 2
    # A margin, because the filter reads pixels just outside the box.
    reach = int(np.ceil(max(2.0, 2 * side / size)))
    x0, y0 = int(np.floor(left)) - reach, int(np.floor(top)) - reach
    x1, y1 = int(np.ceil(left + side)) + reach, int(np.ceil(top + side)) + reach
    patch = np.zeros((max(y1 - y0, 1), max(x1 - x0, 1), 3), np.uint8)
    height, width = image.shape[:2]
    inside = image[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]
    if inside.size:
        row, column = max(-y0, 0), max(-x0, 0)
        patch[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    part = (left - x0, top - y0, left - x0 + side, top - y0 + side)
    resized = Image.fromarray(patch).resize((size, size), Image.Resampling.BILINEAR, box=part)
    return np.asarray(resized)


def to_gray(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width"]:
    """Luma of an sRGB image."""
    return np.asarray(Image.fromarray(image).convert("L"))
