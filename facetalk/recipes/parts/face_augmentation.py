"""Other views of a training face: shifted and scaled crops, mirrored faces, other light, blur; with matching labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facetalk.core.landmarks import IBUG_MIRRORED
from facetalk.data.crops import KEPT_SCALE
from facetalk.data.faces import FACE_SIDE
from facetalk.head.channels import ARKIT_NAMES, mirrored
from facetalk.networks.face_encoder import FaceCode
from facetalk.vision.crop import FACE_SCALE

BLURRED_SHARE = 0.2


def crop_part(
    faces: UInt8[np.ndarray, "batch 128 128 3"], part: Float[Tensor, " batch"], shift: Float[Tensor, "batch 2"]
) -> Float[Tensor, "batch 3 112 112"]:
    """A square part of each stored face.

    Args:
        faces: stored crops.
        part: side of the part over that of the crop.
        shift: center of the part (x, y) in half crops from the middle.

    Returns:
        RGB in [0, 1].
    """
    images = torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 255
    along = part[:, None] * ((torch.arange(FACE_SIDE) + 0.5) / FACE_SIDE * 2 - 1)
    across, down = along + shift[:, :1], along + shift[:, 1:]
    grid = torch.stack(torch.broadcast_tensors(across[:, None], down[:, :, None]), -1)
    return torch.nn.functional.grid_sample(images, grid, align_corners=False)


def vary_images(
    images: Float[Tensor, "batch 3 112 112"], noise: Float[Tensor, "batch 3"], generator: torch.Generator
) -> Float[Tensor, "batch 3 112 112"]:
    """The images with another contrast, brightness and tint, some of them blurred.

    Args:
        images: RGB in [0, 1].
        noise: uniform in [0, 1]: contrast, brightness, and whether an image is blurred.
        generator: for the tint.
    """
    tint = 0.85 + 0.3 * torch.rand(len(images), 3, generator=generator)
    mean = images.mean((1, 2, 3), keepdim=True)
    contrast = (0.7 + 0.6 * noise[:, 0])[:, None, None, None]
    images = (mean + contrast * (images - mean)) * (tint * (0.7 + 0.6 * noise[:, 1:2]))[:, :, None, None]
    small = torch.nn.functional.interpolate(images, scale_factor=0.5, mode="area")
    blurred = torch.nn.functional.interpolate(small, size=images.shape[-2:], mode="bilinear", align_corners=False)
    return torch.where((noise[:, 2] < BLURRED_SHARE)[:, None, None, None], blurred, images).clamp(0, 1)


def vary_image(image: Float[Tensor, "1 3 height columns"], generator: torch.Generator) -> Tensor:
    """One image with another brightness and tint."""
    tint = 0.85 + 0.3 * torch.rand(3, generator=generator)
    return (image * tint[:, None, None] * (0.7 + 0.6 * torch.rand((), generator=generator))).clamp(0, 1)


def labels_in_part(
    landmarks: Float[Tensor, "batch 68 2"],
    rows: Float[Tensor, "batch width"],
    part: Float[Tensor, " batch"],
    shift: Float[Tensor, "batch 2"],
    num_betas: int,
) -> tuple[Float[Tensor, "batch 68 2"], Float[Tensor, "batch width"]]:
    """Landmarks and joined codes of boxes of `FACE_SCALE`, converted to parts of stored faces.

    Args:
        landmarks: in units of the crop, -1 to 1.
        rows: joined codes.
        part: see `crop_part`.
        shift: see `crop_part`.
        num_betas: of the head.
    """
    ratio = FACE_SCALE / KEPT_SCALE
    landmarks = (landmarks * ratio - shift[:, None]) / part[:, None, None]
    code = FaceCode.split(rows, num_betas)
    places = (code.camera[:, 1:] * ratio - shift) / part[:, None]
    camera = torch.cat([code.camera[:, :1] * ratio / part[:, None], places], 1)
    return landmarks, replace(code, camera=camera).joined()


def mirrored_code(code: FaceCode) -> FaceCode:
    """The code of mirrored images, for heads that are symmetric."""
    sides = [ARKIT_NAMES.index(mirrored(name)) for name in ARKIT_NAMES]
    harmonics = torch.ones(9)
    harmonics[[1, 4, 5]] = -1.0  # the odd ones in x, see `rendering.harmonics`
    return FaceCode(
        betas=code.betas,
        expression=code.expression[:, sides],
        gaze=code.gaze[:, [2, 3, 0, 1]] * torch.tensor([1.0, -1, 1, -1]),
        rotation=code.rotation * torch.tensor([1.0, -1, -1]),
        camera=code.camera * torch.tensor([1.0, -1, 1]),
        light=code.light * harmonics[:, None],
    )


def mirrored_landmarks(landmarks: Float[Tensor, "batch 68 2"]) -> Float[Tensor, "batch 68 2"]:
    """The landmarks of mirrored images, in units of the crop."""
    return landmarks[:, list(IBUG_MIRRORED)] * torch.tensor([-1.0, 1.0])
