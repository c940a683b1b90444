"""An image of a head and shoulders -> the opacity of the person at each pixel."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.core.config import check_ranges

MATTE_SIDE = 160
"""Side of the images that the network sees, pixels."""
_GROUPS = 4


@dataclass(frozen=True)
class PersonMatteConfig:
    """Sizes of the network."""

    fine: int = 8
    """Width at full resolution."""
    widths: tuple[int, ...] = (16, 24, 40, 64)
    """Widths at half the resolution and below; multiples of four."""

    def __post_init__(self) -> None:
        check_ranges(self, fine=(1, 4096), widths=(4, 4096))


class PersonMatte(nn.Module):
    """A small U-Net that also sees where in the image each pixel lies: heads are in the middle, shoulders below."""

    def __init__(self, config: PersonMatteConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PersonMatteConfig()
        widths = config.widths
        self.first = nn.Conv2d(5, config.fine, 3, padding=1)
        self.down = nn.ModuleList(_block(a, b, 2) for a, b in pairwise((config.fine, *widths)))
        self.deepest = _block(widths[-1], widths[-1], 1)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in reversed(list(pairwise((config.fine, *widths)))))
        self.blocks = nn.ModuleList(_block(a, a, 1) for a in reversed(widths[:-1]))
        self.last = nn.Conv2d(config.fine, 1, 3, padding=1)

    def forward(self, images: Float[Tensor, "batch 3 side side"]) -> Float[Tensor, "batch side side"]:
        """Logits of the opacity.

        Args:
            images: RGB in [0, 1], of `MATTE_SIDE` pixels.
        """
        along = torch.linspace(-1, 1, images.shape[3], device=images.device, dtype=images.dtype)
        places = torch.stack(torch.meshgrid(along, along, indexing="xy")).expand(len(images), -1, -1, -1)
        skips = [functional.leaky_relu(self.first(torch.cat([2 * images - 1, places], 1)), 0.1)]
        for layer in self.down:
            skips.append(layer(skips[-1]))
        hidden = self.deepest(skips.pop())
        for level, layer in enumerate(self.up):
            hidden = functional.interpolate(layer(hidden), scale_factor=2, mode="bilinear") + skips.pop()
            if level < len(self.blocks):
                hidden = self.blocks[level](hidden)
        return self.last(functional.leaky_relu(hidden, 0.1))[:, 0].float()


def _block(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1), nn.GroupNorm(_GROUPS, after), nn.LeakyReLU(0.1)
    )
