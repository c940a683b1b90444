"""Values known at some pixels, spread smoothly over all of an image (push-pull, Gortler et al. 1996)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

_ENOUGH = 1.0
"""Weight of a pixel from which its own value counts alone."""


def spread(
    values: Float[Tensor, "batch width height columns"], weight: Float[Tensor, "batch 1 height columns"]
) -> Float[Tensor, "batch width height columns"]:
    """Fill pixels of small weight with the weighted mean of their surroundings, the smallest that is known.

    Args:
        values: anything where the weight is zero.
        weight: how much each pixel's value is worth, in [0, 1].
    """
    known = torch.cat([values * weight, weight], 1)
    return _pulled(known)[:, :-1]


def _pulled(known: Float[Tensor, "batch width height columns"]) -> Float[Tensor, "batch width height columns"]:
    """Values that are multiplied with their weight, the last channel, as values with weight one everywhere."""
    weight = known[:, -1:]
    if max(known.shape[2:]) <= 1:
        return known / weight.clamp_min(1e-8)
    height, columns = known.shape[2:]
    even = functional.pad(known, (0, columns % 2, 0, height % 2))
    coarse = _pulled(4 * functional.avg_pool2d(even, 2))
    behind = functional.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
    share = weight.clamp(max=_ENOUGH) / _ENOUGH
    own = known / weight.clamp_min(1e-8)
    return share * own + (1 - share) * behind[..., :height, :columns]
