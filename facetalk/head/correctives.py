"""Corrective shapes: what two channels need together, or one halfway, beyond the sum of what each does alone.

A corrective names two channels `a` and `b`, and shows with the weight `a b`. Where both are the same channel it is an
in-between and shows with `4 a (1 - a)`: nought at rest and at 1, whole at one half. Weights are taken in [0, 1].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from facetalk.head.model import HeadAssets


def corrective_weights(
    expression: Float[Tensor, "frames n_expression"], pairs: Int[Tensor, "n_correctives 2"]
) -> Float[Tensor, "frames n_correctives"]:
    """How far each corrective shows.

    Args:
        expression: coefficients.
        pairs: columns of `expression`; twice the same column makes an in-between.
    """
    share = expression.clamp(0, 1)
    first, second = share[:, pairs[:, 0]], share[:, pairs[:, 1]]
    halfway = pairs[:, 0] == pairs[:, 1]
    return first * torch.where(halfway, 4 - 4 * second, second)


def shape_names(assets: HeadAssets) -> tuple[str, ...]:
    """Names of the channels and, after them, of the correctives: `jawOpen_mouthFunnel`, `eyeBlinkLeft_half`."""
    names = assets.expression_names
    if assets.corrective_pairs is None:
        return names
    pairs = assets.corrective_pairs.tolist()
    return (*names, *(f"{names[a]}_half" if a == b else f"{names[a]}_{names[b]}" for a, b in pairs))


def shape_dirs(assets: HeadAssets) -> Float[Tensor, "n_shapes vertices 3"]:
    """Displacements of the channels and, after them, of the correctives."""
    if assets.corrective_dirs is None:
        return assets.expression_dirs
    return torch.cat([assets.expression_dirs, assets.corrective_dirs.to(assets.expression_dirs)])


def shape_weights(
    assets: HeadAssets, expression: Float[Tensor, "frames n_expression"]
) -> Float[Tensor, "frames n_shapes"]:
    """Coefficients of the channels and, after them, the weights of the correctives: what plain blend shapes need."""
    if assets.corrective_pairs is None:
        return expression
    return torch.cat([expression, corrective_weights(expression, assets.corrective_pairs)], 1)
