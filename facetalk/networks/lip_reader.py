"""Mouth video -> phonemes: a 3D convolution, a ResNet-18 per frame, and dilated convolutions over time."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.audio.articulation import ARTICULATORS
from facetalk.audio.phonemes import PHONEMES
from facetalk.core.config import check_ranges
from facetalk.networks.backbones import ResNetTrunk

MEAN, STD = 0.421, 0.165
"""Mean and standard deviation of gray mouth crops, as the published readers use them."""

MOUTH_SHAPES = 5
"""Number of lip distances that the features predict in training: `core.landmarks.IBUG_LIP_SHAPE_PAIRS`."""

ACTIVATIONS = {"relu": nn.ReLU, "swish": nn.SiLU}


@dataclass(frozen=True)
class LipReaderConfig:
    """Size of the network; `width` 64 is the published one."""

    width: int = 24
    activation: str = "relu"
    hidden: int = 128
    """Width of the layers over time."""
    dilations: tuple[int, ...] = (1, 2, 4)
    dropout: float = 0.2

    def __post_init__(self) -> None:
        check_ranges(self, width=(1, 1024), hidden=(1, 8192), dilations=(1, 10_000), dropout=(0, 0.99))
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation={self.activation!r}; known: {', '.join(ACTIVATIONS)}")


class LipFrontEnd(nn.Module):
    """Gray mouths -> one row of features per frame; parameter names are the published ones."""

    def __init__(self, width: int = 64, activation: str = "relu") -> None:
        super().__init__()
        kind = ACTIVATIONS[activation]
        self.frontend3D = nn.Sequential(
            nn.Conv3d(1, width, (5, 7, 7), (1, 2, 2), (2, 3, 3), bias=False),
            nn.BatchNorm2d(width),
            kind(),
            nn.MaxPool2d(3, 2, 1),
        )
        self.trunk = ResNetTrunk(width, activation=kind)

    def features(self, mouths: Float[Tensor, "batch frames 88 88"]) -> Float[Tensor, "batch frames features"]:
        """See `experts.LipReader.features`."""
        filters: Tensor = self.frontend3D[0].weight  # type: ignore[assignment]
        span = filters.shape[2]
        reach = span // 2
        # A filter over five frames is a filter over five channels, which takes a third of the time of Conv3d on a CPU.
        around = functional.pad((mouths - MEAN) / STD, (0, 0, 0, 0, reach, reach)).unfold(1, span, 1)
        stacked = around.flatten(0, 1).contiguous().permute(0, 3, 1, 2)
        rows = self.trunk(self.frontend3D[1:](functional.conv2d(stacked, filters[:, 0], stride=2, padding=3)))
        return rows.unflatten(0, mouths.shape[:2])

    def forward(self, mouths: Float[Tensor, "batch frames 88 88"]) -> Float[Tensor, "batch frames features"]:
        """See `experts.LipReader.features`."""
        return self.features(mouths)


class PhonemeLipReader(nn.Module):
    """The front end, and layers that predict phonemes from its features.

    `to_shape` predicts the lip distances from the features of a frame, `to_articulation` the articulators.
    """

    def __init__(self, config: LipReaderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LipReaderConfig()
        self.front_end = LipFrontEnd(config.width, config.activation)
        self.narrow = nn.Conv1d(self.front_end.trunk.num_features, config.hidden, 1)
        self.memory = nn.ModuleList(_Memory(config.hidden, step, config.dropout) for step in config.dilations)
        self.to_phonemes = nn.Linear(config.hidden, len(PHONEMES))
        self.to_shape = nn.Linear(self.front_end.trunk.num_features, MOUTH_SHAPES)
        self.to_articulation = nn.Linear(self.front_end.trunk.num_features, len(ARTICULATORS))

    def features(self, mouths: Float[Tensor, "batch frames 88 88"]) -> Float[Tensor, "batch frames features"]:
        """See `experts.LipReader.features`. They depend on the five frames that the first convolution sees."""
        return self.front_end.features(mouths)

    def forward(self, mouths: Float[Tensor, "batch frames 88 88"]) -> Float[Tensor, "batch frames phonemes"]:
        """Logits of the phoneme in each frame."""
        return self.phonemes(self.features(mouths))

    def phonemes(self, features: Float[Tensor, "batch frames features"]) -> Float[Tensor, "batch frames phonemes"]:
        """Logits of the phoneme in each frame."""
        x = self.narrow(features.transpose(1, 2))
        for layer in self.memory:
            x = layer(x)
        return self.to_phonemes(x.transpose(1, 2))


class _Memory(nn.Module):
    """A dilated convolution over time with a residual connection."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(dropout),
        )

    def forward(self, x: Float[Tensor, "batch width frames"]) -> Float[Tensor, "batch width frames"]:
        return x + self.layers(x)
