"""Critics of images: patches at several scales (pix2pixHD, Wang et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.core.config import check_ranges

LEAST_SIDE = 16
"""Of the smallest scale, pixels: patches need some room."""


@dataclass(frozen=True)
class ImageCriticConfig:
    """Sizes of a critic of images."""

    widths: tuple[int, ...] = (32, 64, 128)
    """Channels after each convolution; all but the last halve the image. The paper has (64, 128, 256, 512)."""
    num_scales: int = 2
    """Critics of the same build, each for images half as large as those of the one before."""

    def __post_init__(self) -> None:
        check_ranges(self, widths=(1, 4096), num_scales=(1, 5))


class PatchCritic(nn.Module):
    """Images -> features of every layer; the last one is a score for each patch (PatchGAN, Isola et al. 2017)."""

    def __init__(self, num_channels: int, config: ImageCriticConfig) -> None:
        super().__init__()
        widths = (num_channels, *config.widths)
        last = len(config.widths) - 1
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 4, stride=1 if number == last else 2, padding=1),
                nn.InstanceNorm2d(b) if number else nn.Identity(),
                nn.LeakyReLU(0.2),
            )
            for number, (a, b) in enumerate(pairwise(widths))
        )
        self.score = nn.Conv2d(widths[-1], 1, 4, padding=1)

    def forward(self, images: Float[Tensor, "batch channels height columns"]) -> list[Tensor]:
        """Features of each layer, and the scores."""
        found = []
        for layer in self.layers:
            images = layer(images)
            found.append(images)
        return [*found, self.score(images)]


class MultiScaleCritic(nn.Module):
    """Critics of images at full size, at half of it and so on.

    What an image was made from may be given to it as further channels.
    """

    def __init__(self, num_channels: int, config: ImageCriticConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ImageCriticConfig()
        self.scales = nn.ModuleList(PatchCritic(num_channels, config) for _ in range(config.num_scales))

    def forward(self, images: Float[Tensor, "batch channels height columns"]) -> list[list[Tensor]]:
        """Features of each layer at each scale, full size first; the last layer of each holds the scores.

        Raises:
            ValueError: the images are too small for so many scales.
        """
        if min(images.shape[2:]) < LEAST_SIDE << (len(self.scales) - 1):
            raise ValueError(f"images of {tuple(images.shape[2:])} pixels are too small for {len(self.scales)} scales")
        found = []
        for number, critic in enumerate(self.scales):
            found.append(critic(images if number == 0 else functional.avg_pool2d(images, 1 << number)))
        return found
