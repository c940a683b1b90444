"""Face image -> emotion; SPECTRE's emotion loss compares the features before the classifier."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.config import check_ranges
from facetalk.core.emotions import EMOTIONS
from facetalk.head.channels import ARKIT_NAMES
from facetalk.networks.backbones import Bottleneck, ResNet


@dataclass(frozen=True)
class ExpressionNetConfig:
    """Size of the network."""

    width: int = 16
    image_size: int = 112
    dropout: float = 0.3

    def __post_init__(self) -> None:
        check_ranges(self, width=(1, 1024), image_size=(16, 4096), dropout=(0, 0.99))


class ExpressionNet(nn.Module):
    """A small ResNet-18 with a classifier, and a layer that predicts the expression channels from the same features."""

    def __init__(self, config: ExpressionNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ExpressionNetConfig()
        self.backbone = ResNet(config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(self.backbone.num_features, len(EMOTIONS))
        self.to_channels = nn.Linear(self.backbone.num_features, len(ARKIT_NAMES))

    @property
    def image_size(self) -> int:
        """See `experts.ExpressionReader.image_size`."""
        return self.config.image_size

    def features(self, faces: Float[Tensor, "batch 3 height columns"]) -> Float[Tensor, "batch features"]:
        """See `experts.ExpressionReader.features`."""
        return self.backbone(2 * faces - 1)

    def forward(self, faces: Float[Tensor, "batch 3 height columns"]) -> Float[Tensor, "batch emotions"]:
        """Logits over `EMOTIONS`."""
        return self.classifier(self.dropout(self.features(faces)))


class PublishedExpressionNet(nn.Module):
    """The backbone of a published ResNet-50 emotion network: 2048 features of a 224-pixel image."""

    image_size = 224

    def __init__(self, width: int = 64, blocks: tuple[int, ...] = (3, 4, 6, 3)) -> None:
        super().__init__()
        self.backbone = ResNet(width, blocks, Bottleneck)

    def features(self, faces: Float[Tensor, "batch 3 height columns"]) -> Float[Tensor, "batch features"]:
        """See `experts.ExpressionReader.features`."""
        return self.backbone(faces)

    def forward(self, faces: Float[Tensor, "batch 3 height columns"]) -> Float[Tensor, "batch features"]:
        """See `experts.ExpressionReader.features`."""
        return self.features(faces)
