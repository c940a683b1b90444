"""FACIAL's rendering-to-video network (Zhang et al. 2021): renders of the tracked head -> frames of the person.

The generator is of pix2pixHD's type (Wang et al. 2018): down, residual blocks, up, instance normalization. Unlike
there, it also gets photos that are warped by the motion of the head, and the background. For every pixel it decides
which of these shows the person best, and where none does, it draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.core.config import check_ranges

WINDOW = 10
"""Consecutive renders that the network sees; the frame that it draws is the one at `CENTER`."""
CENTER = 6
LOOK = 4
"""Channels of a render: red, green, blue, and the eye attention map."""


@dataclass(frozen=True)
class Render2VideoConfig:
    """Sizes of the generator."""

    size: int = 128
    """Side of the frames, pixels."""
    widths: tuple[int, ...] = (24, 48, 96, 128)
    """Channels at full size, at half of it and so on. The paper has (32, 64, 128, 256, 512)."""
    num_blocks: int = 4
    """Residual blocks at the smallest size."""
    num_keyframes: int = 8
    """Photos that are warped; 0 to draw everything, as in the paper."""
    follow: bool = True
    """Whether the first keyframe is also given as it would be if all of it followed the head, as shoulders may do."""
    plate: bool = True
    """Whether the background is given."""

    def __post_init__(self) -> None:
        check_ranges(self, size=(16, 1024), widths=(1, 1024), num_blocks=(0, 32), num_keyframes=(0, 16))
        if len(self.widths) < 2:
            raise ValueError(f"widths={self.widths} must have two values or more: the window is seen at half size")
        smallest = 1 << (len(self.widths) - 1)
        if self.size % smallest or self.size // smallest < 4:
            raise ValueError(f"size={self.size} must be a multiple of {smallest}, at least {4 * smallest}")

    @property
    def num_photos(self) -> int:
        """Photos of which the frame is composed: warped ones and the background."""
        return self.num_keyframes + (self.follow and self.num_keyframes > 0) + self.plate


class PersonLayers(NamedTuple):
    """What the network gets for each frame; colors are in [-1, 1]."""

    look: Float[Tensor, "batch 4 size size"]
    """The render: color, and the eye attention map in [0, 1]."""
    coverage: Float[Tensor, "batch 1 size size"]
    """Share of each pixel that the head covers."""
    window: Float[Tensor, "batch 40 half half"]
    """The ten renders at half size, first to last."""
    photos: Float[Tensor, "batch photos 3 size size"]
    """Keyframes warped to the frame, and the background."""


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_convolution(width, width), nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _convolution(width_in: int, width: int, stride: int = 1) -> list[nn.Module]:
    """A convolution, normalized over the image so that the brightness of a scene does not matter."""
    return [nn.Conv2d(width_in, width, 3, stride, 1), nn.InstanceNorm2d(width, affine=True), nn.LeakyReLU(0.2)]


class PersonGenerator(nn.Module):
    """Layers of a frame -> the frame."""

    def __init__(self, config: Render2VideoConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or Render2VideoConfig()
        first, *widths = config.widths
        # Without normalization, because absolute colors matter at full size.
        num_inputs = LOOK + 1 + 3 * config.num_photos
        self.enter = nn.Sequential(nn.Conv2d(num_inputs, first, 3, padding=1), nn.LeakyReLU(0.2))
        pairs = pairwise((first + LOOK * WINDOW, *widths))
        self.down = nn.ModuleList(
            nn.Sequential(*_convolution(a, b, stride=2 if number else 1)) for number, (a, b) in enumerate(pairs)
        )
        self.blocks = nn.Sequential(*(_Residual(widths[-1]) for _ in range(config.num_blocks)))
        self.up = nn.ModuleList(nn.Sequential(*_convolution(a + b, b)) for b, a in pairwise(widths))
        self.leave = nn.Sequential(nn.Conv2d(widths[0] + first, first, 3, padding=1), nn.LeakyReLU(0.2))
        self.draw = nn.Conv2d(first, 3, 3, padding=1)
        self.choose = nn.Conv2d(first, config.num_photos + 1, 3, padding=1)

    def forward(self, layers: PersonLayers) -> Float[Tensor, "batch 3 size size"]:
        """Colors in [-1, 1]."""
        return self.mixed(layers, *self.parts(layers))

    @staticmethod
    def mixed(
        layers: PersonLayers,
        drawn: Float[Tensor, "batch 3 size size"],
        shares: Float[Tensor, "batch sources size size"],
    ) -> Float[Tensor, "batch 3 size size"]:
        """The frame of what `parts` returns."""
        sources = torch.cat([layers.photos, drawn[:, None]], 1)
        return (sources * shares[:, :, None]).sum(1)

    def parts(
        self, layers: PersonLayers
    ) -> tuple[Float[Tensor, "batch 3 size size"], Float[Tensor, "batch sources size size"]]:
        """What the network draws, and the share of each photo and, last, of the drawing in each pixel."""
        inputs = torch.cat([layers.look, layers.coverage, layers.photos.flatten(1, 2)], 1)
        fine = self.enter(inputs.contiguous(memory_format=torch.channels_last))
        x = torch.cat([functional.avg_pool2d(fine, 2), layers.window], 1)
        passed = []
        for layer in self.down:
            x = layer(x)
            passed.append(x)
        x = self.blocks(passed.pop())
        for layer in reversed(self.up):
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = layer(torch.cat([x, passed.pop()], 1))
        x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        x = self.leave(torch.cat([x, fine], 1))
        return self.draw(x).float().tanh(), self.choose(x).float().softmax(1)
