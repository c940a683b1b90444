"""Faces in an image without their landmarks: where they are, how large, and how far they are tilted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

_SHARED = 1 / 3
"""Part of a tile that its neighbor shows too."""
Image: TypeAlias = UInt8[np.ndarray, "height width 3"]
Part: TypeAlias = UInt8[np.ndarray, "part_height part_width 3"]
"""An image made from another one."""


class FaceBox(NamedTuple):
    """A face without its landmarks, pixels."""

    x: float
    """Of its center."""
    y: float
    side: float
    """The longer one of the box around it."""
    score: float
    """Of the detector, in [0, 1]."""
    roll_deg: float
    """How far the face is tilted clockwise in the image."""


@runtime_checkable
class FaceFinder(Protocol):
    """Face detector without the mesh."""

    smallest_tile: int
    """Shorter side of the smallest tiles in which it is worth searching, pixels."""

    def boxes(self, image: Image) -> list[FaceBox]:
        """Return the faces in an image."""
        ...

    def close(self) -> None:
        """Free the network's memory."""
        ...


def roll_deg(keypoints: Float[np.ndarray, "points 2"]) -> float:
    """Tilt of a face clockwise in the image, degrees: the mean of those of the eyes and of the mouth below them.

    Args:
        keypoints: in pixels; right eye, left eye, nose tip and mouth come first, as MediaPipe's detectors give them.
    """
    right, left, _, mouth = keypoints[:4]
    across, down = left - right, mouth - (left + right) / 2
    # Both as complex numbers that are real and positive for an upright face.
    one, other = complex(*across.tolist()), complex(*down.tolist()) / 1j
    return float(np.degrees(np.angle(one / max(abs(one), 1e-9) + other / max(abs(other), 1e-9))))


def find_boxes(finder: FaceFinder, image: Image, *, tiles: bool = True) -> list[FaceBox]:
    """Return the faces in an image, the largest first; where there is none, those in its tiles, see `search_levels`.

    Args:
        finder: looks at the image and its tiles.
        image: RGB.
        tiles: whether to look at tiles.
    """
    return next((boxes for boxes in search_levels(finder, image, tiles=tiles) if boxes), [])


def search_levels(finder: FaceFinder, image: Image, *, tiles: bool = True) -> Iterator[list[FaceBox]]:
    """Yield the faces in an image, the largest first, then those in tiles of half its side, of a quarter, and so on.

    Args:
        finder: looks at the image and its tiles.
        image: RGB.
        tiles: whether to look at tiles.
    """
    height, width = image.shape[:2]
    yield _distinct(finder.boxes(image))
    while tiles and min(height, width) // 2 >= finder.smallest_tile:
        height, width = height // 2, width // 2
        boxes = []
        for left, top in tile_corners((image.shape[1], image.shape[0]), (width, height)):
            inside = finder.boxes(np.ascontiguousarray(image[top : top + height, left : left + width]))
            boxes += [box._replace(x=box.x + left, y=box.y + top) for box in inside]
        yield _distinct(boxes)


def _distinct(boxes: Sequence[FaceBox]) -> list[FaceBox]:
    """The largest first, without those of the same face in neighboring tiles."""
    kept: list[FaceBox] = []
    for box in sorted(boxes, key=lambda box: -box.side):
        if all(max(abs(box.x - other.x), abs(box.y - other.y)) > 0.5 * other.side for other in kept):
            kept.append(box)
    return kept


def tile_corners(size: tuple[int, int], tile: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Left and top of tiles that cover an image and share a third of their side with their neighbors.

    Args:
        size: width and height of the image.
        tile: width and height of a tile.
    """
    columns, rows = (_starts(whole, part) for whole, part in zip(size, tile, strict=True))
    for top in rows:
        for left in columns:
            yield left, top


def _starts(whole: int, part: int) -> Sequence[int]:
    count = 1 + int(np.ceil((whole - part) / (part * (1 - _SHARED))))
    return [round(index * (whole - part) / max(count - 1, 1)) for index in range(count)]
