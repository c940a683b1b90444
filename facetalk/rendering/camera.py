"""Projection to pixels, and a portrait camera.

Pixel coordinates are continuous: pixel (column 0, row 0) covers [0, 1) x [0, 1), its center is (0.5, 0.5).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.camera import Camera


def project(points: Float[Tensor, "*batch 3"], camera: Camera) -> Float[Tensor, "*batch 2"]:
    """Project points to pixels: `u = cx + fx X / -Z`, `v = cy - fy Y / -Z` in the camera's frame.

    Args:
        points: world frame, meters, in front of the camera.
        camera: its skew is ignored.
    """
    pose, K = camera.world_to_camera.to(points), camera.K.to(points)
    seen = points @ pose[:3, :3].T + pose[:3, 3]
    depth = -seen[..., 2]
    u = K[0, 2] + K[0, 0] * seen[..., 0] / depth
    v = K[1, 2] - K[1, 1] * seen[..., 1] / depth
    return torch.stack([u, v], -1)


def front_camera(
    points: Float[Tensor, "points 3"],
    image_size: tuple[int, int] = (512, 512),
    *,
    fill: float = 0.68,
    center_v: float = 0.46,
    field_of_view_deg: float = 20.0,
) -> Camera:
    """A portrait camera that looks straight along -z at a head of any size.

    Args:
        points: the head without its neck, for which room is left below; meters.
        image_size: width and height in pixels.
        fill: the head's height (or its width, if that would not fit) as a share of the image's shorter side.
        center_v: vertical position of the head's center in the image, from 0 at the top to 1.
        field_of_view_deg: angle of view over the image's shorter side; small ones distort a face less.
    """
    width, height = image_size
    low, high = points.detach().to(torch.float64).amin(0), points.detach().to(torch.float64).amax(0)
    extent = max(float(high[1] - low[1]), float(high[0] - low[0]), 1e-6)
    shorter = min(width, height)
    focal = shorter / 2 / math.tan(math.radians(field_of_view_deg) / 2)
    middle = (low + high) / 2
    distance = focal * extent / (fill * shorter)
    # The head's widest cross-section lies about halfway between its nearest and its farthest point.
    pose = torch.eye(4)
    pose[:3, 3] = -torch.stack([middle[0], middle[1], middle[2] + distance]).to(torch.float32)
    K = torch.tensor([[focal, 0.0, width / 2], [0.0, focal, height * center_v], [0.0, 0.0, 1.0]])
    return Camera(K, image_size, pose)


def resized_camera(camera: Camera, image_size: tuple[int, int]) -> Camera:
    """The same view in an image of another size."""
    scale = [new / old for new, old in zip(image_size, camera.image_size, strict=True)]
    K = camera.K * camera.K.new_tensor([[scale[0]], [scale[1]], [1.0]])
    return Camera(K, image_size, camera.world_to_camera)
