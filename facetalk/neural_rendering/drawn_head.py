"""The tracked head as a neural renderer sees it: drawn in a person's colors, with eye attention, and where its surface
lies in other images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from facetalk.head.assets import HeadAssets
from facetalk.rendering.differentiable import Fragments, perspective, rasterize
from facetalk.rendering.push_pull import spread

SAMPLES = 2
"""Samples along each side of a pixel: lips that part by less than a pixel are to be seen, and edges not to flicker."""

FALLOFF = 0.35
"""Distance from the head, in units of its size, at which surroundings follow it 1/e as far: hair, but not shoulders."""


@dataclass(frozen=True, eq=False)
class DrawnHead:
    """One head in one image."""

    size: int
    """Side of the image, pixels."""
    fragments: Fragments
    """At `SAMPLES` times the size."""
    values: Float[Tensor, "1 width size size"]
    """The attributes of the vertices, zero beside the head."""
    coverage: Float[Tensor, "1 1 size size"]
    """Share of each pixel that the head covers."""


def head_faces(assets: HeadAssets) -> Int64[Tensor, "faces 3"]:
    """Triangles of the head without neck and shoulders, which do not move as those of a person in clothes do."""
    neck = torch.zeros(len(assets.shape.template), dtype=torch.bool)
    neck[assets.points.regions["neck"]] = True
    faces = assets.shape.faces
    return faces[~neck[faces].any(1)]


def eye_sides(assets: HeadAssets) -> Bool[Tensor, "2 vertices"]:
    """Vertices around the left and the right eye, which the eye attention map marks."""
    template = assets.shape.template
    around = torch.zeros(len(template), dtype=torch.bool)
    for name in ("eyes", "left_eyeball", "right_eyeball"):
        around[assets.points.regions[name]] = True
    left = template[:, 0] > 0
    return torch.stack([around & left, around & ~left])


def draw(
    vertices: Float[Tensor, "vertices 3"],
    attributes: Float[Tensor, "vertices width"],
    faces: Int64[Tensor, "faces 3"],
    K: Float[Tensor, "3 3"],
    size: int,
) -> DrawnHead:
    """Draw attributes of the vertices of a head.

    Args:
        vertices: in the frame of the camera, meters.
        attributes: colors and anything else that is interpolated.
        faces: triangles that are drawn.
        K: intrinsics for an image of that size, pixels.
        size: side of the image, pixels.
    """
    finer = K * K.new_tensor([[SAMPLES], [SAMPLES], [1.0]])
    fragments = rasterize(perspective(vertices[None], finer[None]), faces, (SAMPLES * size, SAMPLES * size))
    values = fragments.interpolate(attributes[None])
    image = fragments.image(torch.cat([values, torch.ones_like(values[:, :1])], 1))
    image = functional.avg_pool2d(image, SAMPLES)
    return DrawnHead(size, fragments, image[:, :-1], image[:, -1:])


def places(drawn: DrawnHead, points: Float[Tensor, "images vertices 3"]) -> Float[Tensor, "images size size 2"]:
    """Where the content of each pixel lies in other images, where hair and skin beside the head follow it; see `grid`.

    Arguments as for `shifts`.
    """
    return grid(shifts(drawn, points) * follows(drawn.coverage)[0, 0, :, :, None])


def shifts(drawn: DrawnHead, points: Float[Tensor, "images vertices 3"]) -> Float[Tensor, "images size size 2"]:
    """How far from each pixel its content lies in other images of the same size, where all moves as the head does.

    Args:
        drawn: the head in the image that is to be made.
        points: vertices of the head in the other images, (u w, v w, w) in pixels.

    Returns:
        Pixels to the right and down; beside the head that of the nearest part of it.
    """
    size, count = drawn.size, len(points)
    fragments = drawn.fragments
    attributes = points.permute(1, 0, 2).flatten(1)[None]
    found = fragments.interpolate(attributes).unflatten(1, (count, 3))
    there = found[..., :2] / found[..., 2:]
    side = SAMPLES * size
    here = torch.stack([fragments.place % side, fragments.place // side], -1).to(there) / SAMPLES + 0.5 / SAMPLES
    moved = (there - here[:, None]).flatten(1)
    image = fragments.image(torch.cat([moved, torch.ones_like(moved[:, :1])], 1))
    image = functional.avg_pool2d(image, SAMPLES)
    coverage = image[:, -1:]
    shift = spread(image[:, :-1] / coverage.clamp_min(1e-6), coverage)
    return shift[0].unflatten(0, (count, 2)).permute(0, 2, 3, 1)


def grid(shift: Float[Tensor, "images size size 2"]) -> Float[Tensor, "images size size 2"]:
    """Places that lie so many pixels from each pixel, in the units of `grid_sample`."""
    size = shift.shape[1]
    row = (torch.arange(size, dtype=shift.dtype) + 0.5).expand(size, size)
    return 2 * (torch.stack([row, row.T], -1) + shift) / size - 1


def follows(coverage: Float[Tensor, "1 1 size size"]) -> Float[Tensor, "1 1 size size"]:
    """How far the surroundings of a head follow it, in [0, 1]: all of the way next to it."""
    from scipy.ndimage import distance_transform_edt

    inside = (coverage[0, 0] > 0).numpy()
    if not inside.any():
        return torch.zeros_like(coverage)
    away = torch.from_numpy(np.asarray(distance_transform_edt(~inside), np.float32))
    extent = FALLOFF * float(inside.sum()) ** 0.5
    return torch.exp(-(away / extent).square())[None, None].to(coverage)


def warped(
    images: Float[Tensor, "images channels size size"], where: Float[Tensor, "images size size 2"]
) -> Float[Tensor, "images channels size size"]:
    """Images sampled at the places of another one; beyond their edge, the edge."""
    return functional.grid_sample(images, where, padding_mode="border", align_corners=False)
