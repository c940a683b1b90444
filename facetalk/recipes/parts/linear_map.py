"""Training statistics in StyleTalk's generator, and its linear map from features to motion by ridge regression."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.data.dataset import Example
from facetalk.networks.styletalk import DIRECT_DILATION, DIRECT_TAPS, StyleTalkGenerator


def set_statistics(generator: StyleTalkGenerator, examples: Sequence[Example]) -> None:
    """Set the generator's buffers: mean and scale of the features, usual spread of every channel within a clip."""
    features = torch.cat([example.features[0] for example in examples])
    generator.feature_mean.copy_(features.mean(0))
    generator.feature_scale.copy_(features.std(0).clamp_min(1e-3))
    lengths = torch.tensor([float(example.num_frames) for example in examples])
    variances = torch.stack([example.expression[0].var(0, correction=0) for example in examples])
    generator.usual_spread.copy_(((variances * lengths[:, None]).sum(0) / lengths.sum()).sqrt().clamp_min(0.01))


@torch.no_grad()
def set_linear_map(generator: StyleTalkGenerator, examples: Sequence[Example], ridge: float) -> None:
    """Initialize the generator's linear map from features to motion by ridge regression.

    Features and motion are centered per clip; the motion is in units of the spread of its clip.

    Args:
        generator: its `direct` layer is set.
        examples: the training examples.
        ridge: regularization, relative to the mean variance of the features.
    """
    num_channels, num_features, taps = generator.direct.weight.shape
    size = num_features * taps
    squares = torch.zeros(size, size, dtype=torch.float64)
    products = torch.zeros(size, num_channels, dtype=torch.float64)
    low, high = generator.config.spread_range
    for example in examples:
        features = windowed((example.features[0] - generator.feature_mean) / generator.feature_scale)
        features = example.weight**0.5 * (features - features.mean(0))
        moved = example.expression[0] - example.expression[0].mean(0)
        spread = generator.usual_spread * (moved.square().mean(0).sqrt() / generator.usual_spread).clamp(low, high)
        squares += features.T @ features
        products += features.T @ (example.weight**0.5 * moved / spread * generator.driven)
    squares += ridge * squares.diagonal().mean() * torch.eye(size, dtype=torch.float64)
    solved = torch.linalg.solve(squares, products)
    generator.direct.weight.copy_(solved.T.unflatten(1, (num_features, taps)))


def windowed(features: Float[Tensor, "frames features"]) -> Float[Tensor, "frames taps_by_features"]:
    """The input of the linear map: for each feature its values at all taps, zero beyond the clip."""
    reach = DIRECT_DILATION * (DIRECT_TAPS // 2)
    padded = torch.nn.functional.pad(features, (0, 0, reach, reach))
    return padded.unfold(0, 2 * reach + 1, 1)[..., ::DIRECT_DILATION].flatten(1)
