"""StyleTalk's portrait renderer (Ma et al. 2023), after PIRenderer (Ren et al. 2021): it repairs a warped photo.

As in PIRenderer, a mapping network turns a window of motion into a code, and an editing network paints. The flow of
the tracked head takes the place of the warping network. The editing network adds to the moved photo, and to a first
guess where the photo shows nothing: inside the mouth, on lids, where skin was hidden. Elsewhere, it changes nothing.
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

WINDOW_FRAMES = 27
"""Frames of motion around the rendered one: 13 on each side."""
NUM_CUES = 11
"""Maps beside the warped photo: three of the first guess, two of flow, validity, coverage, and the head's teeth, mouth,
eyeballs and irises."""
_FLOW_SCALE = 1 / 16
"""The flow as the networks see it, per pixel."""
_AROUND_PX = 9
"""Side of the box by which the places that the photo lacks are widened: the network also changes their edges."""


@dataclass(frozen=True)
class PortraitConfig:
    """Sizes of the networks."""

    code: int = 48
    """Length of the code of the motion."""
    widths: tuple[int, ...] = (16, 32, 64)
    """Widths of the editing network at half the resolution and below."""

    def __post_init__(self) -> None:
        check_ranges(self, code=(1, 4096), widths=(1, 4096))


class PortraitFrames(NamedTuple):
    """What the networks make of a batch of frames."""

    warped: Float[Tensor, "batch 3 height columns"]
    """The photo, moved by the flow."""
    change: Float[Tensor, "batch 3 height columns"]
    """What is added."""
    guess: Float[Tensor, "batch 3 height columns"]
    needed: Float[Tensor, "batch 1 height columns"]
    """How far the guess is used instead of the warped photo."""

    @property
    def images(self) -> Float[Tensor, "batch 3 height columns"]:
        """The result."""
        return self.warped + self.needed * (self.guess - self.warped) + self.change


class MotionCode(nn.Module):
    """A window of motion -> a code: dilated convolutions over time and a mean."""

    def __init__(self, num_channels: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(num_channels, width, 7)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, dilation=3) for _ in range(3))

    def forward(self, motion: Float[Tensor, "batch frames channels"]) -> Float[Tensor, "batch code"]:
        """Encode windows of `WINDOW_FRAMES` frames."""
        hidden = self.first(motion.transpose(1, 2))
        for layer in self.layers:
            hidden = layer(functional.leaky_relu(hidden, 0.1)) + hidden[..., 3:-3]
        return hidden.mean(-1)


class AdaptiveNorm(nn.Module):
    """Instance normalization with scale and shift from a code (AdaIN)."""

    def __init__(self, width: int, code: int) -> None:
        super().__init__()
        self.affine = nn.Linear(code, 2 * width)
        nn.init.normal_(self.affine.weight, std=0.02)
        nn.init.zeros_(self.affine.bias)

    def forward(
        self, x: Float[Tensor, "batch width height columns"], code: Float[Tensor, "batch code"]
    ) -> Float[Tensor, "batch width height columns"]:
        """Normalize each channel of each image."""
        scale, shift = self.affine(code)[..., None, None].chunk(2, 1)
        return functional.instance_norm(x) * (1 + scale) + shift


class AdaptiveBlock(nn.Module):
    """A residual block of two convolutions, each normalized by the code."""

    def __init__(self, width: int, code: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(AdaptiveNorm(width, code) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(
        self, x: Float[Tensor, "batch width height columns"], code: Float[Tensor, "batch code"]
    ) -> Float[Tensor, "batch width height columns"]:
        """Add what the block finds."""
        hidden = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            hidden = conv(functional.leaky_relu(norm(hidden, code), 0.1))
        return x + hidden


class AdaptiveUNet(nn.Module):
    """An encoder and a decoder with a connection at each resolution; the code enters at all but the first one."""

    def __init__(self, num_inputs: int, num_outputs: int, widths: tuple[int, ...], code: int, spread: float) -> None:
        """Build the network.

        Args:
            num_inputs: channels of the images that come in.
            num_outputs: channels of those that come out.
            widths: channels at each resolution, the finest first.
            code: length of the code.
            spread: of the last layer's initial weights; small, so that the output begins near zero.
        """
        super().__init__()
        self.first = nn.Conv2d(num_inputs, widths[0], 3, padding=1)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairs)
        self.deepest = nn.ModuleList(AdaptiveBlock(widths[-1], code) for _ in range(2))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in reversed(pairs))
        self.blocks = nn.ModuleList(AdaptiveBlock(a, code) for a, _ in reversed(pairs[1:]))
        final = nn.Conv2d(widths[0], num_outputs, 3, padding=1)
        nn.init.normal_(final.weight, std=spread)
        if final.bias is not None:
            nn.init.zeros_(final.bias)
        self.last = nn.Sequential(
            nn.Conv2d(widths[0], widths[0], 3, padding=1),
            nn.LeakyReLU(0.1),
            final,
        )

    def forward(
        self, x: Float[Tensor, "batch inputs height columns"], code: Float[Tensor, "batch code"]
    ) -> Float[Tensor, "batch outputs height columns"]:
        """Map images to images."""
        skips = [functional.leaky_relu(self.first(x), 0.1)]
        for layer in self.down:
            skips.append(functional.leaky_relu(layer(skips[-1]), 0.1))
        hidden = skips.pop()
        for block in self.deepest:
            hidden = block(hidden, code)
        for level, layer in enumerate(self.up):
            hidden = functional.interpolate(layer(hidden), scale_factor=2, mode="nearest") + skips.pop()
            if level < len(self.blocks):
                hidden = self.blocks[level](hidden, code)
        return self.last(functional.leaky_relu(hidden, 0.1))


class PortraitNetwork(nn.Module):
    """Photo, flow of the tracked head and its parts, and motion -> frames."""

    motion_mean: Tensor
    motion_scale: Tensor

    def __init__(self, num_motion: int, config: PortraitConfig | None = None) -> None:
        """Build the networks.

        Args:
            num_motion: numbers per frame of motion.
            config: sizes.
        """
        super().__init__()
        self.config = config = config or PortraitConfig()
        self.mapping = MotionCode(num_motion, config.code)
        self.editing = AdaptiveUNet(4 * (3 + NUM_CUES), 12, config.widths, config.code, 1e-2)
        self.register_buffer("motion_mean", torch.zeros(num_motion))
        self.register_buffer("motion_scale", torch.ones(num_motion))

    def code(self, motion: Float[Tensor, "batch frames motion"]) -> Float[Tensor, "batch code"]:
        """Encode windows of motion."""
        return self.mapping((motion - self.motion_mean) / self.motion_scale)

    def forward(
        self,
        photo: Float[Tensor, "batch 3 crop crop"],
        flow: Float[Tensor, "batch 2 height columns"],
        cues: Float[Tensor, "batch cues height columns"],
        guess: Float[Tensor, "batch 3 height columns"],
        code: Float[Tensor, "batch code"],
        corner: tuple[int, int],
    ) -> PortraitFrames:
        """Render frames.

        Args:
            photo: the crop of the photo, RGB in [0, 1].
            flow: of the tracked head, from each pixel of the window to the photo, pixels.
            cues: validity, coverage and parts of the head.
            guess: what the window may look like, RGB, where the photo does not show it.
            code: of the motion.
            corner: column and row of the window's first pixel in the crop.
        """
        warped = warp(photo, flow, corner)
        seen = functional.pixel_unshuffle(torch.cat([warped, guess, flow * _FLOW_SCALE, cues], 1), 2)
        needed = (cues[:, 1:2] - cues[:, :1]).clamp(0, 1)
        change = functional.pixel_shuffle(self.editing(seen, code).float(), 2)
        return PortraitFrames(warped, change * near(needed), guess, needed)


def near(needed: Float[Tensor, "batch 1 height columns"]) -> Float[Tensor, "batch 1 height columns"]:
    """Share of the change at each pixel: all of it where the photo lacks something, and less around it."""
    return (3 * functional.avg_pool2d(needed, _AROUND_PX, 1, _AROUND_PX // 2)).clamp(0, 1)


def warp(
    photo: Float[Tensor, "batch 3 crop crop"], flow: Float[Tensor, "batch 2 height columns"], corner: tuple[int, int]
) -> Float[Tensor, "batch 3 height columns"]:
    """Read the photo where the flow leads from each pixel of a window; beyond its edges, the edge is repeated."""
    height, columns = flow.shape[2:]
    x = corner[0] + torch.arange(columns, device=flow.device) + 0.5
    y = corner[1] + torch.arange(height, device=flow.device) + 0.5
    place = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1) + flow.permute(0, 2, 3, 1).float()
    grid = 2 * place / photo.new_tensor([photo.shape[3], photo.shape[2]]) - 1
    return functional.grid_sample(photo, grid, padding_mode="border", align_corners=False)
