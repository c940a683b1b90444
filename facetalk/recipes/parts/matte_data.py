"""Crops of people and their mattes by MediaPipe, varied: other places, light and backgrounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from rich.console import Console
from rich.progress import track as progress
from torch import Tensor
from torch.nn import functional

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.data.sampling import random_index
from facetalk.io.files import replacing
from facetalk.networks.person_matte import MATTE_SIDE
from facetalk.recipes.parts.portrait_data import FOLDER, PortraitClip
from facetalk.vision.person_matte import person_matte

_TURNED, _SCALED, _SHIFTED = 0.25, 0.15, 0.12
"""Largest rotation, radians, change of scale and shift in units of half the side."""
_LIGHT, _GAMMA = 0.35, 0.3
"""Standard deviations of the logarithms of the channels' common gain, a third of it for each channel, and exponent."""
_PLAIN, _OTHER = 0.25, 0.35
"""Shares of images with a background of two colors that flow into each other, and with that of another image."""


class MattedFrames(NamedTuple):
    """Frames of one clip as the network sees them."""

    images: UInt8[Tensor, "frames 3 side side"]
    opacity: UInt8[Tensor, "frames side side"]
    """255 on the person."""


def matted_frames(clip: PortraitClip, count: int) -> MattedFrames:
    """Some evenly spread frames of a clip and their mattes, which are computed once and stored beside the frames.

    Raises:
        MissingAssetError: the installed MediaPipe has no model for mattes.
    """
    chosen = np.unique(np.linspace(0, len(clip.frames) - 1, count).round().astype(int))
    images = np.stack([clip.images[index] for index in chosen])
    path = clip.clip.folder / FOLDER / f"{clip.clip.name}.matte{count}.npy"
    if not path.is_file():
        mattes = [person_matte(image) for image in images]
        if any(matte is None for matte in mattes):
            raise MissingAssetError(
                "person-matte learns from MediaPipe's segmentation, which only its releases up to 0.10.21 contain: "
                "train it on Python 3.10 to 3.12 with mediapipe==0.10.21"
            )
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, np.rint(255 * np.stack([np.asarray(matte) for matte in mattes])).astype(np.uint8))
    opacity = np.load(path)
    if opacity.shape != images.shape[:3]:
        raise FacetalkError(f"{path} does not belong to the frames beside it; remove it")
    small = _reduced(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    alpha = _reduced(torch.from_numpy(opacity)[:, None].float())[:, 0]
    return MattedFrames(small.round().to(torch.uint8), alpha.round().to(torch.uint8))


def _reduced(images: Tensor) -> Tensor:
    return functional.interpolate(images, (MATTE_SIDE, MATTE_SIDE), mode="area")


class Matted(NamedTuple):
    """A batch."""

    images: Float[Tensor, "batch 3 side side"]
    opacity: Float[Tensor, "batch side side"]


class MatteSampler:
    """Samples varied frames, every clip equally often."""

    def __init__(self, clips: Sequence[MattedFrames], batch_size: int) -> None:
        self._clips, self._batch_size = clips, batch_size

    def sample(self, generator: torch.Generator) -> Matted:
        """A batch of frames."""
        parts = [self._one(generator) for _ in range(self._batch_size)]
        return Matted(*(torch.stack(values) for values in zip(*parts, strict=True)))

    def _frame(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        clip = self._clips[random_index(len(self._clips), generator)]
        index = random_index(len(clip.images), generator)
        return clip.images[index].float() / 255, clip.opacity[index].float() / 255

    def _one(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        image, opacity = self._frame(generator)
        chance = float(torch.rand((), generator=generator))
        if chance < _PLAIN:
            image = opacity * image + (1 - opacity) * _gradient(generator)
        elif chance < _PLAIN + _OTHER:
            behind, person = self._frame(generator)
            around = _gradient(generator)
            image = opacity * image + (1 - opacity) * (person * around + (1 - person) * behind)
        both = _moved(torch.cat([image, opacity[None]]), generator)
        return _relit(both[:3], generator), both[3].clamp(0, 1)


def _gradient(generator: torch.Generator) -> Float[Tensor, "3 side side"]:
    """One color that flows into another."""
    first, second = torch.rand(2, 3, 1, 1, generator=generator)
    direction = torch.randn(2, generator=generator)
    along = torch.linspace(0, 1, MATTE_SIDE)
    share = (direction[0] * along[:, None] + direction[1] * along).clamp(-1, 1) / 2 + 0.5
    return first + share * (second - first)


def _moved(image: Float[Tensor, "channels side side"], generator: torch.Generator) -> Tensor:
    """Turned, scaled, shifted and perhaps mirrored; beyond the edges, the edge is repeated."""
    turn, scale, x, y = (2 * torch.rand(4, generator=generator) - 1).tolist()
    mirror = 1.0 if float(torch.rand((), generator=generator)) < 0.5 else -1.0
    cosine, sine = np.cos(_TURNED * turn) * np.exp(_SCALED * scale), np.sin(_TURNED * turn) * np.exp(_SCALED * scale)
    matrix = torch.tensor([[mirror * cosine, -sine, _SHIFTED * x], [mirror * sine, cosine, _SHIFTED * y]])
    grid = functional.affine_grid(matrix[None].float(), [1, *image.shape], align_corners=False)
    return functional.grid_sample(image[None], grid, padding_mode="border", align_corners=False)[0]


def _relit(image: Float[Tensor, "3 side side"], generator: torch.Generator) -> Float[Tensor, "3 side side"]:
    """Other exposure, white balance and contrast, and noise."""
    common, single = torch.randn(1, 1, 1, generator=generator), torch.randn(3, 1, 1, generator=generator)
    gain = torch.exp(_LIGHT * (common + single / 3))
    gamma = torch.exp(_GAMMA * torch.randn(1, 1, 1, generator=generator))
    noise = 0.03 * torch.rand((), generator=generator) * torch.randn(image.shape, generator=generator)
    return (gain * image.clamp(1e-3, 1) ** gamma + noise).clamp(0, 1)


def read_all(clips: Sequence[PortraitClip], count: int) -> list[MattedFrames]:
    """The frames of all clips."""
    return [matted_frames(clip, count) for clip in progress(clips, "mattes", console=Console(stderr=True))]
