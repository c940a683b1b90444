"""Small temporal convolutional networks that predict motion from speech features, several side by side."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.core.config import check_ranges

KERNEL = 5


@dataclass(frozen=True)
class TemporalConfig:
    """Sizes of the networks."""

    members: int = 0
    """Number of networks; their mean errs less than one of them. 0 for none."""
    width: int = 64
    """Channels of each network."""
    dilations: tuple[int, ...] = (1, 2, 4)
    """One residual layer each."""
    dropout: float = 0.4
    share: float = 0.5
    """Share of these networks in the movement that they predict together with the linear map."""

    def __post_init__(self) -> None:
        check_ranges(self, members=(0, 64), width=(1, 8192), dilations=(1, 1000), dropout=(0, 0.99), share=(0, 1))

    @property
    def reach(self) -> int:
        """Frames to either side that can change a frame of the result."""
        return (KERNEL // 2) * sum(self.dilations) if self.members else 0


class TemporalEnsemble(nn.Module):
    """Independent networks of the same form (Bai et al. 2018, without causality), computed together in groups."""

    def __init__(self, config: TemporalConfig, num_features: int, num_channels: int) -> None:
        super().__init__()
        self.config, self.num_channels = config, num_channels
        members, width = config.members, config.members * config.width
        if not members:
            return
        self.embed = nn.Conv1d(num_features, width, 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2 * dilation, dilation=dilation, groups=members)
            for dilation in config.dilations
        )
        self.predict = nn.Conv1d(width, members * num_channels, 1, groups=members)

    def forward(
        self, features: Float[Tensor, "batch frames features"], present: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch members frames channels"]:
        """Return what each network predicts.

        Args:
            features: of the speech, one row per frame.
            present: False where a row is only padding, which counts like what lies beyond a clip.
        """
        if not self.config.members:
            return features.new_zeros(len(features), 0, features.shape[1], self.num_channels)
        counted = present[:, None]
        x = self._dropped(functional.gelu(self.embed(features.transpose(1, 2)))) * counted
        for layer in self.layers:
            x = (x + self._dropped(functional.gelu(layer(x)))) * counted
        return self.predict(x).unflatten(1, (self.config.members, -1)).transpose(2, 3)

    def _dropped(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.config.dropout, self.training)
