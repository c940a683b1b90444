"""The part of a photo in which a head moves: a square around it, upright like the head, of a fixed number of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from facetalk.rendering.sampling import sampled

CROP_PX = 320
"""Side of the crop."""
CROP_M = 0.33
"""What it shows at the distance of the face, meters: a head with its hair, and some of the neck."""
WINDOW_PX = 192
"""Side of the part with the face, from the brows to below an open mouth, that the network sees."""
WINDOW_LEFT, WINDOW_TOP = 64, 88
_CENTER_UP_M = 0.02
"""How far above the middle of the face the center of the crop lies."""

WINDOW = (slice(WINDOW_TOP, WINDOW_TOP + WINDOW_PX), slice(WINDOW_LEFT, WINDOW_LEFT + WINDOW_PX))
"""Rows and columns of the window in the crop."""


@dataclass(frozen=True, eq=False)
class PortraitCrop:
    """An affine map from the pixels of an image to those of a crop."""

    to_crop: Float[Tensor, "2 3"]

    @classmethod
    def around(cls, center: Float[Tensor, "3"], up: Float[Tensor, "3"], K: Float[Tensor, "3 3"]) -> PortraitCrop:
        """The crop around a head.

        Args:
            center: middle of the face in the camera's frame, meters.
            up: unit vector from the chin to the forehead.
            K: intrinsics of the camera.
        """
        scale = CROP_PX / CROP_M * float(-center[2]) / float(K[0, 0])  # pixels of the crop per pixel of the image
        middle = center + _CENTER_UP_M * up
        at = torch.stack([K[0, 2] - K[0, 0] * middle[0] / middle[2], K[1, 2] + K[1, 1] * middle[1] / middle[2]])
        tilt = torch.atan2(up[0], up[1])  # clockwise, as seen in the image
        cosine, sine = torch.cos(tilt), torch.sin(tilt)
        linear = scale * torch.stack([torch.stack([cosine, sine]), torch.stack([-sine, cosine])])
        shift = CROP_PX / 2 - linear @ at
        return cls(torch.cat([linear, shift[:, None]], 1))

    @property
    def scale(self) -> float:
        """Pixels of the crop per pixel of the image."""
        return float(self.to_crop[0, :2].norm())

    @property
    def to_image(self) -> Float[Tensor, "2 3"]:
        """The inverse map."""
        inverse = torch.linalg.inv(self.to_crop[:, :2])
        return torch.cat([inverse, -(inverse @ self.to_crop[:, 2:])], 1)

    def homogeneous(self, points: Float[Tensor, "*batch 3"], K: Float[Tensor, "3 3"]) -> Float[Tensor, "*batch 3"]:
        """Project points in the camera's frame to homogeneous pixels of the crop (u w, v w, w)."""
        distance = -points[..., 2]
        seen = torch.stack(
            [K[0, 2] * distance + K[0, 0] * points[..., 0], K[1, 2] * distance - K[1, 1] * points[..., 1], distance], -1
        )
        return torch.cat([seen @ self.to_crop.T, distance[..., None]], -1)

    def pixels(self, image_points: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 2"]:
        """Convert pixels of the image to pixels of the crop."""
        return image_points @ self.to_crop[:, :2].T + self.to_crop[:, 2]

    def shifted(self, left: int, top: int) -> PortraitCrop:
        """The crop of the same size that begins so many pixels further right and down."""
        shift = self.to_crop.new_tensor([[0, 0, left], [0, 0, top]])
        return PortraitCrop(self.to_crop - shift)

    def scaled(self, ratio: Float[Tensor, "2"]) -> PortraitCrop:
        """The same crop of the image after its width and height were multiplied."""
        return PortraitCrop(torch.cat([self.to_crop[:, :2] / ratio, self.to_crop[:, 2:]], 1))

    def cut(self, image: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "crop crop 3"]:
        """The crop's content in the image's numbers; beyond the image, its edge is repeated."""
        reduced = max(1, round(1 / self.scale))
        if reduced > 1:
            image = np.asarray(Image.fromarray(image).reduce(reduced))
        return sampled(image, self.image_places() / reduced)

    def image_places(self) -> Float[np.ndarray, "crop crop 2"]:
        """Where in the image each pixel of the crop lies."""
        inverse = self.to_image.numpy()
        y, x = np.mgrid[0:CROP_PX, 0:CROP_PX].astype(np.float32) + np.float32(0.5)
        return np.stack([x, y], -1) @ inverse[:, :2].T + inverse[:, 2]

    def bounds(self, image_size: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of an image, width and height given, that the crop touches."""
        corners = torch.tensor([[0.0, 0], [CROP_PX, 0], [0, CROP_PX], [CROP_PX, CROP_PX]])
        inverse = self.to_image
        at = (corners @ inverse[:, :2].T + inverse[:, 2]).numpy()
        low, high = np.floor(at.min(0)).astype(int), np.ceil(at.max(0)).astype(int) + 1
        width, height = image_size
        rows = slice(max(int(low[1]), 0), min(max(int(high[1]), 0), height))
        return rows, slice(max(int(low[0]), 0), min(max(int(high[0]), 0), width))
