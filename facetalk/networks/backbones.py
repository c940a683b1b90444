"""Convolutional image networks: ResNet (He et al. 2016) and MobileNetV2 (Sandler et al. 2018).

Parameters carry the names under which both are published, so that ImageNet weights fit the full widths as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a residual connection."""

    expansion = 1

    def __init__(self, width_in: int, width: int, stride: int, activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.activation = activation()
        self.downsample = _shortcut(width_in, width, stride)

    def forward(self, x: Float[Tensor, "batch width_in height columns"]) -> Float[Tensor, "batch width rows cols"]:
        """Features at the block's stride."""
        y = self.activation(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.activation(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with a residual connection; four times as wide outside as inside."""

    expansion = 4

    def __init__(self, width_in: int, width: int, stride: int, activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        wide = width * self.expansion
        self.conv1 = nn.Conv2d(width_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, wide, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(wide)
        self.activation = activation()
        self.downsample = _shortcut(width_in, wide, stride)

    def forward(self, x: Float[Tensor, "batch width_in height columns"]) -> Float[Tensor, "batch width rows cols"]:
        """Features at the block's stride."""
        y = self.activation(self.bn1(self.conv1(x)))
        y = self.activation(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.activation(y + (x if self.downsample is None else self.downsample(x)))


def _shortcut(width_in: int, width: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and width_in == width:
        return None
    return nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))


class ResNetTrunk(nn.Module):
    """The four stages of a ResNet and global average pooling, without the first convolution."""

    def __init__(
        self,
        width: int = 64,
        blocks: Sequence[int] = (2, 2, 2, 2),
        block: type[BasicBlock] | type[Bottleneck] = BasicBlock,
        activation: type[nn.Module] = nn.ReLU,
    ) -> None:
        """Build the stages.

        Args:
            width: channels of the first stage; each further one doubles them.
            blocks: number of blocks in each stage.
            block: kind of block.
            activation: after every normalization.
        """
        super().__init__()
        width_in = width
        for stage, count in enumerate(blocks):
            parts = []
            for number in range(count):
                stride = 2 if stage and not number else 1
                parts.append(block(width_in, width << stage, stride, activation))
                width_in = (width << stage) * block.expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*parts))
        self.num_features = width_in
        self._stages = [f"layer{stage + 1}" for stage in range(len(blocks))]

    def forward(self, x: Float[Tensor, "batch width height columns"]) -> Float[Tensor, "batch features"]:
        """One row of features per image."""
        x = x.contiguous(memory_format=torch.channels_last)  # twice as fast on a CPU
        for stage in self._stages:
            x = getattr(self, stage)(x)
        return x.mean((2, 3))


class ResNet(ResNetTrunk):
    """A ResNet on RGB images."""

    def __init__(
        self,
        width: int = 64,
        blocks: Sequence[int] = (2, 2, 2, 2),
        block: type[BasicBlock] | type[Bottleneck] = BasicBlock,
    ) -> None:
        super().__init__(width, blocks, block)
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.start = nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, 2, 1))

    def forward(self, x: Float[Tensor, "batch 3 height columns"]) -> Float[Tensor, "batch features"]:
        """One row of features per image."""
        return super().forward(self.start(self.bn1(self.conv1(x))))


_MOBILE_STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
"""Expansion, channels, blocks and first stride of each stage of MobileNetV2."""


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, projection; with a residual connection where the shapes allow it."""

    def __init__(self, width_in: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = width_in * expansion
        widen = [] if expansion == 1 else [_conv_norm(width_in, inner, 1)]
        narrow = [nn.Conv2d(inner, width, 1, bias=False), nn.BatchNorm2d(width)]
        self.conv = nn.Sequential(*widen, _conv_norm(inner, inner, 3, stride, groups=inner), *narrow)
        self.adds = stride == 1 and width_in == width

    def forward(self, x: Float[Tensor, "batch width_in height columns"]) -> Float[Tensor, "batch width rows cols"]:
        """Features at the block's stride."""
        return x + self.conv(x) if self.adds else self.conv(x)


class MobileNetV2(nn.Module):
    """MobileNetV2 without its classifier."""

    def __init__(self, width: float = 1.0, num_features: int = 1280) -> None:
        """Build the stages.

        Args:
            width: factor on the channels of all stages; 1 is the published size.
            num_features: width of the last layer.
        """
        super().__init__()
        channels = _rounded(32 * width)
        layers: list[nn.Module] = [_conv_norm(3, channels, 3, 2)]
        for expansion, stage_width, count, stride in _MOBILE_STAGES:
            wide = _rounded(stage_width * width)
            for number in range(count):
                layers.append(InvertedResidual(channels, wide, 1 if number else stride, expansion))
                channels = wide
        layers.append(_conv_norm(channels, num_features, 1))
        self.features = nn.Sequential(*layers)
        self.num_features = num_features

    def forward(self, x: Float[Tensor, "batch 3 height columns"]) -> Float[Tensor, "batch features"]:
        """One row of features per image."""
        return self.features(x.contiguous(memory_format=torch.channels_last)).mean((2, 3))


def _conv_norm(width_in: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(width_in, width, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU6())


def _rounded(channels: float) -> int:
    """The nearest multiple of eight that is at least nine tenths of the given number."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest
