"""Pinhole cameras.

A camera at rest sits at the world's origin and looks down -z, so a face in front of it has negative z.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera without distortion."""

    K: Float[Tensor, "3 3"]
    """Focal lengths and principal point in pixels, y down."""
    image_size: tuple[int, int]
    """Width and height in pixels."""
    world_to_camera: Float[Tensor, "4 4"] = field(default_factory=lambda: torch.eye(4))
    """Rigid transform into the camera's frame: x right, y up, looking down -z."""
