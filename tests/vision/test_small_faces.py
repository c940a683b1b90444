"""Bright squares on dark frames stand for faces."""

from __future__ import annotations

import numpy as np
import pytest

from facetalk.vision.face_finder import FaceBox, find_boxes, tile_corners
from facetalk.vision.small_faces import SmallFaces

FRAME = (400, 600)


def frame(*squares: tuple[int, int, int]) -> np.ndarray:
    """A dark frame with squares: left, top and side."""
    image = np.zeros((*FRAME, 3), np.uint8)
    for left, top, side in squares:
        image[top : top + side, left : left + side] = 255
    return image


def extent(image: np.ndarray) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of what is bright."""
    rows, columns = np.nonzero(image[..., 0] > 128)
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None


class SquareMesh:
    """Finds one square of at least an eighth of the image's longer side."""

    opened = 0

    def __init__(self) -> None:
        SquareMesh.opened += 1
        self.shapes: list[tuple[int, ...]] = []

    def faces(self, image: np.ndarray) -> list[np.ndarray]:
        self.shapes.append(image.shape)
        found = extent(image)
        height, width = image.shape[:2]
        if found is None or found[2] - found[0] < max(height, width) / 8:
            return []
        points = np.random.default_rng(0).uniform(0, 1, (478, 3)).astype(np.float32)
        points[:2, :2] = (0, 0), (1, 1)
        low, high = np.array(found[:2]), np.array(found[2:])
        points[:, :2] = (low + points[:, :2] * (high - low)) / (width, height)
        return [points]

    def close(self) -> None:
        SquareMesh.opened -= 1


class SquareFinder:
    """Finds squares of at least a thirtieth of the image's longer side, apart in x."""

    smallest_tile = 90

    def __init__(self) -> None:
        self.calls = 0

    def boxes(self, image: np.ndarray) -> list[FaceBox]:
        self.calls += 1
        bright = np.flatnonzero((image[..., 0] > 128).any(0))
        parts = np.split(bright, np.flatnonzero(np.diff(bright) > 1) + 1) if len(bright) else []
        boxes = []
        for part in parts:
            left, top, right, bottom = extent(image[:, part[0] : part[-1] + 1]) or (0, 0, 0, 0)
            side = float(right - left)
            if side >= max(image.shape[:2]) / 30:
                boxes.append(FaceBox(float(part[0]) + side / 2, float(top + bottom) / 2, side, 0.9, 0.0))
        return boxes

    def close(self) -> None:
        pass


def make(max_faces: int = 2) -> tuple[SmallFaces, SquareFinder]:
    finder = SquareFinder()
    return SmallFaces(lambda: finder, SquareMesh, max_faces), finder


def corners(points: np.ndarray) -> list[int]:
    """Left, top, right and bottom of the points."""
    return [round(float(value)) for value in (*points[:, :2].min(0), *points[:, :2].max(0))]


def test_a_small_face_is_found_in_pixels_of_the_frame_and_then_only_followed() -> None:
    small, finder = make()
    for step in range(13):
        left, top = 300 + 9 * step, 200 - 6 * step
        (points,) = small.faces(frame((left, top, 40)))
        assert corners(points) == pytest.approx([left, top, left + 40, top + 40], abs=2)
        assert small.are_followed
    assert finder.calls == 1
    small.close()
    assert SquareMesh.opened == 0


@pytest.mark.parametrize("place", [(0, 0), (560, 360), (0, 360)])
def test_a_face_in_a_corner_of_the_frame_is_found(place: tuple[int, int]) -> None:
    small, _ = make()
    (points,) = small.faces(frame((*place, 40)))
    assert corners(points)[:2] == pytest.approx(place, abs=2)


def test_several_faces_are_followed_up_to_the_limit() -> None:
    small, _ = make(max_faces=2)
    found = small.faces(frame((100, 100, 50), (300, 120, 40), (500, 90, 30)))
    assert [corners(points)[0] for points in found] == pytest.approx([100, 300], abs=2)


def test_a_face_that_jumps_is_searched_again_at_once() -> None:
    small, finder = make()
    small.faces(frame((100, 100, 40)))
    (points,) = small.faces(frame((450, 300, 40)))
    assert corners(points)[:2] == pytest.approx([450, 300], abs=2) and finder.calls == 2


def test_a_face_that_comes_closer_is_left_to_the_mesh_itself() -> None:
    small, _ = make()
    assert small.faces(frame((100, 100, 80)))
    assert not small.faces(frame((100, 100, 160)))
    assert not small.are_followed


def test_frames_without_a_face_are_searched_now_and_then() -> None:
    small, finder = make()
    for _ in range(10):
        assert small.faces(frame()) == []
    tiles = len(list(tile_corners((600, 400), (300, 200)))) + len(list(tile_corners((600, 400), (150, 100))))
    assert finder.calls == 2 + tiles


def test_a_large_face_found_in_a_blur_is_refuted_by_a_small_face_elsewhere() -> None:
    small, _ = make()
    (blur,) = SquareMesh().faces(frame((50, 50, 200)))
    blur = blur * np.array([600, 400, 600], np.float32)
    assert not small.confirm(frame((400, 300, 40)), [blur])
    assert small.confirm(frame((50, 50, 200)), [blur])
    assert small.confirm(frame(), [blur]), "nothing else is seen, so the mesh counts"
    small.faces(frame((400, 300, 40)))
    assert not small.confirm(frame(), [blur]), "a small face is being followed"


def test_faces_that_are_too_small_for_the_frame_are_found_in_tiles() -> None:
    finder = SquareFinder()
    image = frame((500, 310, 12))
    assert find_boxes(finder, image, tiles=False) == []
    (box,) = find_boxes(finder, image)
    assert (box.x, box.y, box.side) == (506, 316, 12)


@pytest.mark.parametrize("size", [(1280, 720), (719, 405), (300, 300)])
@pytest.mark.parametrize("parts", [2, 4])
def test_tiles_cover_the_image_and_share_a_third(size: tuple[int, int], parts: int) -> None:
    tile = size[0] // parts, size[1] // parts
    seen = np.zeros(size[::-1], int)
    for left, top in tile_corners(size, tile):
        assert left + tile[0] <= size[0] and top + tile[1] <= size[1]
        seen[top : top + tile[1], left : left + tile[0]] += 1
    assert seen.min() >= 1
    columns = sorted({left for left, _ in tile_corners(size, tile)})
    assert np.diff(columns).max() <= tile[0] * 2 / 3 + 1


def test_a_pattern_that_the_finder_takes_for_a_face_does_not_end_the_search() -> None:
    class Mistaken(SquareFinder):
        def boxes(self, image: np.ndarray) -> list[FaceBox]:
            pattern = [FaceBox(100.0, 100.0, 60.0, 0.9, 0.0)] if image.shape[:2] == FRAME else []
            return pattern + super().boxes(image)

    small = SmallFaces(Mistaken, SquareMesh, 2)
    (points,) = small.faces(frame((500, 310, 12)))
    assert corners(points)[:2] == pytest.approx([500, 310], abs=2)
