"""Faces that are too small in a frame for the face mesh to find: found by a search, then followed in windows.

The mesh starts from a detector that sees the whole frame on 128 x 128 pixels, a face of an eighth of the frame's side
on 16. Once a smaller face is found, the mesh gets a window around it instead of the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32
from PIL import Image as PillowImage

from facetalk.vision.face_finder import FaceBox, FaceFinder, Image, Part, find_boxes, search_levels

LARGEST_SHARE = 0.18
"""Side of a small face over the longer side of the frame; larger ones are left to the mesh itself."""
_GROWN = 1.3
"""Size in units of the largest small face up to which a face is followed."""

_WINDOW = 2.5
"""Side of a new window over that of the face."""
_TIGHT, _WIDE = 1.7, 4.0
"""A window whose side is fewer or more times that of the face is replaced."""
_EDGE = 0.15
"""So is one in which the face comes closer to the window's edge, in units of the face, unless the frame ends there."""

_FACE_PX = 192
"""Side of a face in an enlarged window: the mesh sees it on as many pixels."""

_SEARCH_EVERY = 5
"""Frames without a face from one search of the whole frame to the next."""
_TILES_EVERY = 20
"""The same for the search of its tiles."""
_LOOK_EVERY = 15
"""Frames with small faces from one attempt to find a large one to the next."""


@runtime_checkable
class Mesh(Protocol):
    """Face mesh that follows one face from frame to frame."""

    def faces(self, image: Image) -> list[Float32[np.ndarray, "478 3"]]:
        """Return the points of each face: x and z in units of the image's width, y of its height."""
        ...

    def close(self) -> None:
        """Free the network's memory."""
        ...


class SmallFaces:
    """The small faces of a video."""

    def __init__(self, open_finder: Callable[[], FaceFinder], open_mesh: Callable[[], Mesh], max_faces: int) -> None:
        """Load nothing before the first frame without a large face.

        Args:
            open_finder: loads the detector of the search.
            open_mesh: loads the mesh of one face.
            max_faces: largest number of faces that are followed.
        """
        self._open_finder, self._open_mesh, self._max_faces = open_finder, open_mesh, max_faces
        self._finder: FaceFinder | None = None
        self._idle: list[Mesh] = []
        self._followed: list[_FollowedFace] = []
        self._missing = 0
        self._frames = 0

    @property
    def are_followed(self) -> bool:
        """Whether there are some, so that the next frame need not be shown to the mesh as a whole."""
        return bool(self._followed) and (self._frames + 1) % _LOOK_EVERY != 0

    def faces(self, image: Image) -> list[Float32[np.ndarray, "478 3"]]:
        """Return the points in pixels of each small face in the next frame, in which no large one was found."""
        self._frames += 1
        found = self._follow(image)
        if not found:
            found = self._search(image)
        return found

    def confirm(self, image: Image, faces: Sequence[Float32[np.ndarray, "478 3"]]) -> bool:
        """Whether large faces that the mesh newly found in the whole frame are faces.

        The mesh sometimes takes a blurred background for a large face. The finder, which sees small ones too, decides:
        a face where the mesh found one confirms it, a small face elsewhere refutes it. Where the finder sees nothing,
        the mesh counts, unless small faces are being followed.
        """
        boxes = find_boxes(self._loaded_finder(), image, tiles=False)
        if any(_covers(points, box) for points in faces for box in boxes):
            return True
        if self._followed or any(box.side <= LARGEST_SHARE * max(image.shape[:2]) for box in boxes):
            self._missing = 0
            return False
        return True

    def forget(self) -> None:
        """Stop following: a large face was found."""
        self._idle += [face.mesh for face in self._followed]
        self._followed.clear()
        self._missing = self._frames = 0

    def close(self) -> None:
        """Free the networks' memory."""
        self.forget()
        for part in (self._finder, *self._idle):
            if part is not None:
                part.close()
        self._finder = None
        self._idle.clear()

    def _follow(self, image: Image) -> list[Float32[np.ndarray, "478 3"]]:
        found, kept = [], []
        for face in self._followed:
            points = face.next(image)
            # Two windows may end up on one face.
            if points is None or any(_same(points, other) for other in found):
                self._idle.append(face.mesh)
            else:
                kept.append(face)
                found.append(points)
        self._followed = kept
        return found

    def _start(self, image: Image, boxes: Sequence[FaceBox]) -> list[Float32[np.ndarray, "478 3"]]:
        """Follow the faces in small boxes, and return their points."""
        largest = LARGEST_SHARE * max(image.shape[:2])
        found: list[Float32[np.ndarray, "478 3"]] = []
        for box in boxes:
            if box.side > largest or len(found) == self._max_faces:
                continue
            face = _FollowedFace(self._idle.pop() if self._idle else self._open_mesh())
            points = face.start(image, box)
            if points is None or any(_same(points, other) for other in found):
                self._idle.append(face.mesh)
                continue
            self._followed.append(face)
            found.append(points)
        return found

    def _loaded_finder(self) -> FaceFinder:
        if self._finder is None:
            self._finder = self._open_finder()
        return self._finder

    def _search(self, image: Image) -> list[Float32[np.ndarray, "478 3"]]:
        missing, self._missing = self._missing, self._missing + 1
        if missing % _SEARCH_EVERY:
            return []
        found: list[Float32[np.ndarray, "478 3"]] = []
        # A box in which the mesh sees no face, as in a pattern, does not end the search.
        for boxes in search_levels(self._loaded_finder(), image, tiles=missing % _TILES_EVERY == 0):
            found = self._start(image, boxes)
            if found:
                break
        if found:
            self._missing = self._frames = 0
        return found


class _FollowedFace:
    """One small face, which the mesh sees in a window."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self._window = _Window(0, 0, 0, 0)

    def start(self, image: Image, box: FaceBox) -> Float32[np.ndarray, "478 3"] | None:
        """Points of the face in a box; None if the mesh sees none there, or another one."""
        self._window = _window(image, box.x, box.y, box.side)
        points = self._again(image)
        if points is None:
            return None
        return points if _covers(points, box) else None

    def next(self, image: Image) -> Float32[np.ndarray, "478 3"] | None:
        """Points of the face in the next frame; None if it is lost."""
        points = self._points(image)
        if points is not None and not self._window.holds(*_extent(points), image):
            self._window = _window(image, *_extent(points))
            points = self._again(image)
        if points is None or _extent(points)[2] > _GROWN * LARGEST_SHARE * max(image.shape[:2]):
            return None
        return points

    def _again(self, image: Image) -> Float32[np.ndarray, "478 3"] | None:
        """Points in a new window: the mesh first looks where the face was in the old one."""
        self._points(image)
        return self._points(image)

    def _points(self, image: Image) -> Float32[np.ndarray, "478 3"] | None:
        window = self._window
        part = image[window.top : window.bottom, window.left : window.right]
        faces = self.mesh.faces(_enlarged(part, _FACE_PX * _WINDOW))
        if not faces:
            return None
        width, height = window.right - window.left, window.bottom - window.top
        return faces[0] * np.array([width, height, width], np.float32) + np.array(
            [window.left, window.top, 0], np.float32
        )


def _enlarged(image: Image, side: float) -> Part:
    """The image with a longer side of at least `side`: the mesh itself enlarges small faces by bilinear interpolation,
    which doubles the error of its points on faces of 40 to 80 pixels."""
    height, width = image.shape[:2]
    factor = side / max(height, width)
    if factor <= 1:
        return np.ascontiguousarray(image)
    size = round(width * factor), round(height * factor)
    return np.asarray(PillowImage.fromarray(image).resize(size, PillowImage.Resampling.LANCZOS))


class _Window(NamedTuple):
    left: int
    top: int
    right: int
    bottom: int

    def holds(self, x: float, y: float, side: float, image: Image) -> bool:
        """Whether a face is well inside, and large enough."""
        height, width = image.shape[:2]
        reach = (0.5 + _EDGE) * side
        fits = _TIGHT * side <= max(self.right - self.left, self.bottom - self.top) <= _WIDE * side
        return (
            fits
            and (self.left == 0 or x - reach >= self.left)
            and (self.top == 0 or y - reach >= self.top)
            and (self.right == width or x + reach <= self.right)
            and (self.bottom == height or y + reach <= self.bottom)
        )


def _window(image: Image, x: float, y: float, side: float) -> _Window:
    """Square around a face, moved into the frame."""
    height, width = image.shape[:2]
    size = round(_WINDOW * side)
    left = min(max(round(x - size / 2), 0), max(width - size, 0))
    top = min(max(round(y - size / 2), 0), max(height - size, 0))
    return _Window(left, top, min(left + size, width), min(top + size, height))


def _extent(points: Float32[np.ndarray, "478 3"]) -> tuple[float, float, float]:
    """Center and longer side of the box around a face."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    x, y = ((low + high) / 2).tolist()
    return x, y, float((high - low).max())


def _covers(points: np.ndarray, box: FaceBox) -> bool:
    """Whether a face is the one in a box."""
    x, y, side = _extent(points)
    return max(abs(x - box.x), abs(y - box.y)) < 0.5 * side and 0.4 < side / box.side < 2.5


def _same(points: np.ndarray, other: np.ndarray) -> bool:
    """Whether two sets of points show one face."""
    x, y, side = _extent(points)
    other_x, other_y, other_side = _extent(other)
    return max(abs(x - other_x), abs(y - other_y)) < 0.5 * max(side, other_side)
