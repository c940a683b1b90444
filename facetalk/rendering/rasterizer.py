"""Visibility: the nearest triangle at each pixel or sample.

Triangles are never divided by depth or clipped: the three barycentric coordinates over depth are linear functions of
the pixel even for a triangle that reaches behind the camera (Olano and Greer, "Triangle Scan Conversion using 2D
Homogeneous Coordinates", 1997). Their sum is the inverse depth, their shares are the perspective-correct weights.
"""

from __future__ import annotations

import math
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int32, Integer

from facetalk.rendering.kernels import kernel
from facetalk.rendering.lane_access import load, load_mask, store
from facetalk.rendering.lanes import LANES, STEPS, bits, floats, least, lowest_bit, select
from facetalk.rendering.tables import aligned

NEAR = np.float32(0.01)
"""Nothing closer to the camera is rendered, meters."""

SLACK = np.float32(1e-5)
"""By how much a barycentric coordinate may be negative, so that rounding never opens a crack between neighbors."""

SAMPLE_X = np.array([9, 7, 13, 5, 3, 1, 11, 15], np.float32) / np.float32(16) - np.float32(0.5)
SAMPLE_Y = np.array([5, 11, 9, 3, 13, 7, 15, 1], np.float32) / np.float32(16) - np.float32(0.5)
"""Offsets of the eight samples of an edge pixel from its center: each column and row of an 8x8 grid is used once."""

PLANES = 16
"""Columns of the table of planes, a multiple of what is read at once."""

CORNERS = 11
"""The first of the three columns of the table of planes that say where the corners are."""


class Raster:
    """The visible triangles of a mesh in images of one size: tables that are filled anew for every frame."""

    def __init__(
        self,
        faces: Integer[np.ndarray, "faces 3"],
        image_size: tuple[int, int],
        corners: Int32[np.ndarray, "faces 3"] | None = None,
    ) -> None:
        """Allocate the tables.

        Args:
            faces: triangles, counter-clockwise seen from outside; their backs are not rendered.
            image_size: width and height in pixels.
            corners: where a table holds what is known of the corners of each face, see `set_up`.
        """
        width, height = self.image_size = image_size
        self.faces = np.ascontiguousarray(faces, np.int32)
        self._corners = self.faces if corners is None else np.ascontiguousarray(corners)
        self.face_of = np.zeros(len(faces), np.int32)
        """Face of each collected triangle, see `set_up`."""
        self.planes = aligned((len(faces), PLANES), np.float32)
        self.boxes = np.empty((len(faces), 8), np.int32)
        self.count = 0
        """Number of collected triangles."""
        self._nearness = np.empty(height * width + LANES, np.float32)
        self.flat_triangle = np.empty(height * width + LANES, np.int32)
        """Like `triangle`, with a margin at the end for kernels."""

    @property
    def nearness(self) -> Float[np.ndarray, "height width"]:
        """Inverse depth at each pixel's center, 0 where nothing is."""
        return self._nearness[:-LANES].reshape(self.image_size[::-1])

    @property
    def triangle(self) -> Int32[np.ndarray, "height width"]:
        """Number of the collected triangle at each pixel's center, -1 where nothing is."""
        return self.flat_triangle[:-LANES].reshape(self.image_size[::-1])

    def draw(self, pixels: Float[np.ndarray, "vertices 3"]) -> None:
        """Find the nearest triangle at each pixel's center.

        Args:
            pixels: homogeneous pixels (u w, v w, w) with depth w.
        """
        width, height = self.image_size
        homogeneous = np.ascontiguousarray(pixels, np.float64)
        tables = self.face_of, self.planes, self.planes.view(np.int32), self.boxes
        self.count = set_up(homogeneous, self.faces, self._corners, width, height, *tables)
        cover(self.count, self.planes, self.boxes, width, self._nearness, self.flat_triangle)

    def visible_faces(self) -> Int32[np.ndarray, "height width"]:
        """Face at each pixel's center, -1 where nothing is."""
        return np.where(self.triangle >= 0, self.face_of[self.triangle], np.int32(-1))


@kernel
@no_type_check
def to_pixels(vertices, pose, lens, seen, pixels):
    """Camera-frame positions, and homogeneous pixels (u w, v w, w) with depth w.

    Args:
        vertices: (V, 3) float32 world frame, meters.
        pose: (3, 4) float32 world to camera.
        lens: (4,) float32 fx, fy, cx, cy in pixels.
        seen: (V, 3) float32, filled with positions in the camera's frame.
        pixels: (V, 3) float64, filled with homogeneous pixels.
    """
    for i in range(len(vertices)):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        cx = pose[0, 0] * x + pose[0, 1] * y + pose[0, 2] * z + pose[0, 3]
        cy = pose[1, 0] * x + pose[1, 1] * y + pose[1, 2] * z + pose[1, 3]
        cz = pose[2, 0] * x + pose[2, 1] * y + pose[2, 2] * z + pose[2, 3]
        seen[i, 0], seen[i, 1], seen[i, 2] = cx, cy, cz
        pixels[i, 0] = lens[2] * -cz + lens[0] * cx
        pixels[i, 1] = lens[3] * -cz - lens[1] * cy
        pixels[i, 2] = -cz


@kernel
@no_type_check
def set_up(pixels, faces, corners, width, height, face_of, planes, plane_bits, boxes):
    """Collect the triangles that face the camera and touch the image.

    Args:
        pixels: (V, 3) float64 homogeneous pixels.
        faces: (F, 3) int32.
        corners: (F, 3) int32, copied to the planes of the face.
        width: of the image.
        height: of the image.
        face_of: (F,) int32, filled with the face of each collected triangle.
        planes: (F, PLANES) float32, filled with a, b, c of each corner: its weight over depth at the pixel with offset
            (dx, dy) from the center of the box's first pixel is a dx + b dy + c. The tenth and eleventh column are
            that center, the next three the corners' integers.
        plane_bits: (F, PLANES) int32, the same memory.
        boxes: (F, 8) int32, filled with first and last column, first and last row of the pixels that the triangle
            may touch, and the same of the pixels whose centers it may cover.

    Returns:
        Number of collected triangles.
    """
    count = 0
    for face in range(len(faces)):
        i, j, k = faces[face, 0], faces[face, 1], faces[face, 2]
        x0, y0, w0 = pixels[i, 0], pixels[i, 1], pixels[i, 2]
        x1, y1, w1 = pixels[j, 0], pixels[j, 1], pixels[j, 2]
        x2, y2, w2 = pixels[k, 0], pixels[k, 1], pixels[k, 2]
        a0, b0, c0 = y1 * w2 - y2 * w1, x2 * w1 - x1 * w2, x1 * y2 - x2 * y1
        volume = x0 * a0 + y0 * b0 + w0 * c0
        # Rows grow downwards, so a counter-clockwise triangle has a negative volume.
        if volume >= -1e-12:
            continue
        if w0 > NEAR and w1 > NEAR and w2 > NEAR:
            u0, u1, u2 = x0 / w0, x1 / w1, x2 / w2
            v0, v1, v2 = y0 / w0, y1 / w1, y2 / w2
            left, right = min(u0, u1, u2), max(u0, u1, u2)
            top, bottom = min(v0, v1, v2), max(v0, v1, v2)
            if right < 0 or bottom < 0 or left >= width or top >= height:
                continue
            left, top = max(left, 0.0), max(top, 0.0)
            right, bottom = min(right, width - 0.25), min(bottom, height - 0.25)
        elif w0 <= NEAR and w1 <= NEAR and w2 <= NEAR:
            continue
        else:
            left, top, right, bottom = 0.0, 0.0, width - 0.25, height - 0.25
        first_column, first_row = int(left), int(top)
        scale = 1.0 / volume
        a1, b1, c1 = y2 * w0 - y0 * w2, x0 * w2 - x2 * w0, x2 * y0 - x0 * y2
        a2, b2, c2 = y0 * w1 - y1 * w0, x1 * w0 - x0 * w1, x0 * y1 - x1 * y0
        u, v = first_column + 0.5, first_row + 0.5
        planes[count, 0], planes[count, 1], planes[count, 2] = a0 * scale, b0 * scale, (a0 * u + b0 * v + c0) * scale
        planes[count, 3], planes[count, 4], planes[count, 5] = a1 * scale, b1 * scale, (a1 * u + b1 * v + c1) * scale
        planes[count, 6], planes[count, 7], planes[count, 8] = a2 * scale, b2 * scale, (a2 * u + b2 * v + c2) * scale
        planes[count, 9], planes[count, 10] = u, v
        for corner in range(3):
            plane_bits[count, CORNERS + corner] = corners[face, corner]
        boxes[count, 0], boxes[count, 1] = first_column, int(right)
        boxes[count, 2], boxes[count, 3] = first_row, int(bottom)
        boxes[count, 4], boxes[count, 5] = math.ceil(left - 0.5), math.floor(right - 0.5)
        boxes[count, 6], boxes[count, 7] = math.ceil(top - 0.5), math.floor(bottom - 0.5)
        face_of[count] = face
        count += 1
    return count


@kernel
@no_type_check
def cover(count, planes, boxes, width, nearness, triangle):
    """Nearest triangle at each pixel's center.

    Args:
        count: number of triangles.
        planes: see `set_up`.
        boxes: see `set_up`.
        width: of the image.
        nearness: (H W + LANES,) float32, filled with the inverse depth, 0 where there is none.
        triangle: (H W + LANES,) int32, filled with the number of the collected triangle, -1 where there is none.
    """
    nearness[:] = np.float32(0)
    triangle[:] = -1
    steps = load(STEPS, 0)
    for t in range(count):
        first, last, top, bottom = boxes[t, 4], boxes[t, 5], boxes[t, 6], boxes[t, 7]
        a0, a1, a2 = planes[t, 0], planes[t, 3], planes[t, 6]
        b0, b1, b2 = planes[t, 1], planes[t, 4], planes[t, 7]
        c0, c1, c2 = planes[t, 2], planes[t, 5], planes[t, 8]
        a3, b3, c3 = a0 + a1 + a2, b0 + b1 + b2, c0 + c1 + c2
        a0, a1, a2 = a0 + SLACK * a3, a1 + SLACK * a3, a2 + SLACK * a3
        b0, b1, b2 = b0 + SLACK * b3, b1 + SLACK * b3, b2 + SLACK * b3
        c0, c1, c2 = c0 + SLACK * c3, c1 + SLACK * c3, c2 + SLACK * c3
        for column in range(first, last + 1, LANES):
            dx = floats(steps + (column - boxes[t, 0]))
            within = steps <= last - column
            s0, s1, s2, s3 = a0 * dx + c0, a1 * dx + c1, a2 * dx + c2, a3 * dx + c3
            at = top * width + column
            for row in range(top, bottom + 1):
                dy = np.float32(row - boxes[t, 2])
                l0, l1, l2, near = s0 + b0 * dy, s1 + b1 * dy, s2 + b2 * dy, s3 + b3 * dy
                farther = load(nearness, at)
                hit = within & (least(l0, least(l1, l2)) >= 0) & (near > farther) & (near < 1 / NEAR)
                store(nearness, at, select(hit, near, farther))
                store(triangle, at, select(hit, t, load(triangle, at)))
                at += width


@kernel
@no_type_check
def cover_samples(count, planes, boxes, width, marked, slot, nearness, triangle):
    """Nearest triangle at each of the eight samples of the pixels that have a slot.

    Args:
        count: number of triangles.
        planes: see `set_up`.
        boxes: see `set_up`.
        width: of the image.
        marked: (H W + LANES,) uint8, which pixels have a slot.
        slot: (H W,) int32, numbers of the eight samples of the pixels that are marked, in the tables below.
        nearness: (8 slots,) float32, filled with the inverse depth.
        triangle: (8 slots,) int32, filled with the number of the collected triangle, -1 where there is none.
    """
    nearness[:] = np.float32(0)
    triangle[:] = -1
    steps, sample_x, sample_y = load(STEPS, 0), load(SAMPLE_X, 0), load(SAMPLE_Y, 0)
    for t in range(count):
        first, last, top, bottom = boxes[t, 0], boxes[t, 1], boxes[t, 2], boxes[t, 3]
        for column in range(first, last + 1, LANES):
            within = steps <= last - column
            at = top * width + column
            for row in range(top, bottom + 1):
                left = bits(within & load_mask(marked, at))
                while left:
                    step = lowest_bit(left)
                    left &= left - 1
                    dx, dy = sample_x + np.float32(column + step - first), sample_y + np.float32(row - top)
                    l0 = planes[t, 0] * dx + planes[t, 1] * dy + planes[t, 2]
                    l1 = planes[t, 3] * dx + planes[t, 4] * dy + planes[t, 5]
                    l2 = planes[t, 6] * dx + planes[t, 7] * dy + planes[t, 8]
                    near = l0 + l1 + l2
                    place = LANES * slot[at + step]
                    farther = load(nearness, place)
                    inside = least(l0, least(l1, l2)) >= -SLACK * near
                    hit = inside & (near > farther) & (near < 1 / NEAR)
                    store(nearness, place, select(hit, near, farther))
                    store(triangle, place, select(hit, t, load(triangle, place)))
                at += width
