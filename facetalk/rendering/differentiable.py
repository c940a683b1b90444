"""Differentiable rendering: the rasterizer finds the visible triangles, everything after that is torch.

The barycentric coordinates of a pixel are computed again from the projected corners, so that colors depend smoothly
on vertices, normals, albedo and light. The choice of the triangle is not differentiable: silhouettes carry no
gradient, as in SPECTRE (Filntisis et al. 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from facetalk.rendering.harmonics import shade
from facetalk.rendering.rasterizer import Raster

_FAR = 10.0
"""A scaled-orthographic camera has no distance; vertices are put this far away, only to order them in depth."""


@dataclass(frozen=True, eq=False)
class Projected:
    """Vertices projected by a camera."""

    homogeneous: Float[Tensor, "frames vertices 3"]
    """(u w, v w, w) with pixels u, v; weights are perspective-correct with respect to w."""
    distance: Float[Tensor, "frames vertices"]
    """Along the camera's axis, positive; decides visibility."""


@dataclass(frozen=True, eq=False)
class Fragments:
    """The pixels of a batch of images that show the surface, and the surface point of each."""

    num_frames: int
    image_size: tuple[int, int]
    """Width and height."""
    frame: Int64[Tensor, " pixels"]
    place: Int64[Tensor, " pixels"]
    """row * width + column."""
    corners: Int64[Tensor, "pixels 3"]
    """Vertices of the visible triangle."""
    barycentric: Float[Tensor, "pixels 3"]

    def interpolate(self, attributes: Float[Tensor, "frames vertices width"]) -> Float[Tensor, "pixels width"]:
        """Vertex attributes interpolated at the pixels."""
        rows = (self.frame[:, None] * attributes.shape[1] + self.corners).flatten()
        at_corners = attributes.flatten(0, 1).index_select(0, rows).unflatten(0, (-1, 3))
        return (at_corners * self.barycentric[..., None]).sum(1)

    def image(
        self, values: Float[Tensor, "pixels width"], background: float = 0.0
    ) -> Float[Tensor, "frames width height columns"]:
        """Images with the given values at the pixels."""
        width, height = self.image_size
        flat = values.new_full((self.num_frames * height * width, values.shape[1]), background)
        flat = flat.index_copy(0, self.frame * (height * width) + self.place, values)
        return flat.unflatten(0, (self.num_frames, height, width)).permute(0, 3, 1, 2)


def perspective(points: Float[Tensor, "frames vertices 3"], K: Float[Tensor, "frames 3 3"]) -> Projected:
    """Project points by a pinhole camera.

    Args:
        points: in the camera's frame: x right, y up, looking down -z.
        K: intrinsics in pixels, y down; skew is ignored.
    """
    distance = -points[..., 2]
    across = K[:, 0, 2, None] * distance + K[:, 0, 0, None] * points[..., 0]
    down = K[:, 1, 2, None] * distance - K[:, 1, 1, None] * points[..., 1]
    return Projected(torch.stack([across, down, distance], -1), distance)


def orthographic(points: Float[Tensor, "frames vertices 3"], camera: Float[Tensor, "frames 3"], size: int) -> Projected:
    """Project points by a scaled-orthographic camera: `u = s (X + tx)`, `v = -s (Y + ty)`, in [-1, 1] of the image.

    Args:
        points: meters, in the camera's orientation.
        camera: s, tx and ty.
        size: side of the square image, pixels.
    """
    scale, shift = camera[:, None, :1], camera[:, None, 1:]
    flipped = scale * (points[..., :2] + shift) * points.new_tensor([1.0, -1.0])
    pixels = (flipped + 1) * (size / 2)
    return Projected(torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1), _FAR - points[..., 2])


def rasterize(projected: Projected, faces: Int64[Tensor, "faces 3"], image_size: tuple[int, int]) -> Fragments:
    """Find the surface point at each pixel's center.

    Args:
        projected: the vertices of every frame.
        faces: triangles, counter-clockwise seen from outside; their backs are not rendered.
        image_size: width and height in pixels.
    """
    seen = visible_faces(projected, faces.numpy(), image_size)
    frame, place = torch.nonzero(seen.flatten(1) >= 0, as_tuple=True)
    corners = faces[seen.flatten(1)[frame, place]]
    barycentric = _barycentric(projected.homogeneous, frame, place, corners, image_size[0])
    return Fragments(len(seen), image_size, frame, place, corners, barycentric)


@torch.no_grad()
def visible_faces(
    projected: Projected, faces: np.ndarray, image_size: tuple[int, int]
) -> Int64[Tensor, "frames height columns"]:
    """Index of the visible triangle at each pixel, -1 for none."""
    on_screen = projected.homogeneous / projected.homogeneous[..., 2:]
    ordered = (on_screen * projected.distance[..., None]).double().cpu().numpy()
    raster = Raster(faces, image_size)
    result = np.empty((len(ordered), *image_size[::-1]), np.int64)
    for index, pixels in enumerate(ordered):
        raster.draw(pixels)
        result[index] = raster.visible_faces()
    return torch.from_numpy(result)


def _barycentric(
    homogeneous: Tensor, frame: Tensor, place: Tensor, corners: Tensor, width: int
) -> Float[Tensor, "pixels 3"]:
    """Perspective-correct weights of the corners at the pixels' centers (Olano and Greer 1997)."""
    rows = (frame[:, None] * homogeneous.shape[1] + corners).flatten()
    at = homogeneous.flatten(0, 1).index_select(0, rows).unflatten(0, (-1, 3))
    center = torch.stack([place % width, place // width], -1).to(homogeneous) + 0.5
    # Relative to the pixel's center the numbers are small enough for products in single precision.
    x, y = (at[..., :2] - center[:, None] * at[..., 2:]).unbind(-1)
    volumes = x.roll(-1, 1) * y.roll(-2, 1) - x.roll(-2, 1) * y.roll(-1, 1)
    return volumes / volumes.sum(1, keepdim=True)


def smooth_normals(
    vertices: Float[Tensor, "frames vertices 3"], faces: Int64[Tensor, "faces 3"]
) -> Float[Tensor, "frames vertices 3"]:
    """Unit normals, each the area-weighted mean of the triangles around the vertex."""
    corners = vertices.index_select(1, faces.flatten()).unflatten(1, (-1, 3))
    first = corners[:, :, 1] - corners[:, :, 0]
    second = corners[:, :, 2] - corners[:, :, 0]
    across = torch.linalg.cross(first, second, dim=-1)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(1, faces[:, corner], across)
    return torch.nn.functional.normalize(total, dim=-1, eps=1e-12)


def gray(images: Float[Tensor, "frames 3 height columns"]) -> Float[Tensor, "frames height columns"]:
    """Luma of sRGB images (ITU-R BT.601, as in `vision.crop.to_gray`)."""
    return (images * images.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1)


def render_shaded(
    vertices: Float[Tensor, "frames vertices 3"],
    projected: Projected,
    faces: Int64[Tensor, "faces 3"],
    albedo: Float[Tensor, "vertices 3"],
    light: Float[Tensor, "frames 9 3"],
    image_size: tuple[int, int],
    normals: Float[Tensor, "frames vertices 3"] | None = None,
) -> Float[Tensor, "frames 4 height columns"]:
    """Red, green, blue and coverage of a lit head on black.

    Args:
        vertices: in the camera's frame.
        projected: the same vertices in the image.
        faces: triangles.
        albedo: color of the vertices under white light.
        light: spherical harmonics in the camera's frame.
        image_size: width and height in pixels.
        normals: of the vertices, if they are known already.
    """
    seen = rasterize(projected, faces, image_size)
    normals = smooth_normals(vertices, faces) if normals is None else normals
    look = torch.cat([normals, albedo.expand(len(vertices), -1, -1)], -1)
    towards, color = seen.interpolate(look).split([3, 3], -1)
    towards = torch.nn.functional.normalize(towards, dim=-1, eps=1e-12)
    shaded = shade(towards, color, light[seen.frame])
    return seen.image(torch.cat([shaded, torch.ones_like(shaded[:, :1])], -1))
