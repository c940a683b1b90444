"""Corrective shapes: what a combination of two channels, or one channel halfway, needs beyond the linear sum.

A corrective belongs to two channels `a` and `b` and has the weight `a b`. Where both are the same channel it is an
in-between with the weight `4 a (1 - a)`, which is zero at 0 and 1, and 1 at one half. Coefficients are clamped to
[0, 1].
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from facetalk.head.assets import HeadShape


def corrective_weights(
    expression: Float[Tensor, "frames n_expression"], pairs: Int[Tensor, "n_correctives 2"]
) -> Float[Tensor, "frames n_correctives"]:
    """Weight of each corrective.

    Args:
        expression: coefficients.
        pairs: columns of `expression`; the same column twice for an in-between.
    """
    share = expression.clamp(0, 1)
    first, second = share[:, pairs[:, 0]], share[:, pairs[:, 1]]
    halfway = pairs[:, 0] == pairs[:, 1]
    return first * torch.where(halfway, 4 - 4 * second, second)


def blend_shape_names(shape: HeadShape) -> tuple[str, ...]:
    """Names of the channels, then of the correctives (`jawOpen_mouthFunnel`, `eyeBlinkLeft_half`)."""
    names = shape.expression_names
    if shape.corrective_pairs is None:
        return names
    pairs = shape.corrective_pairs.tolist()
    return (*names, *(f"{names[a]}_half" if a == b else f"{names[a]}_{names[b]}" for a, b in pairs))


def blend_shape_dirs(shape: HeadShape) -> Float[Tensor, "n_shapes vertices 3"]:
    """Displacements of the channels, then of the correctives."""
    if shape.corrective_dirs is None:
        return shape.expression_dirs
    return torch.cat([shape.expression_dirs, shape.corrective_dirs.to(shape.expression_dirs)])


def blend_shape_weights(
    shape: HeadShape, expression: Float[Tensor, "frames n_expression"]
) -> Float[Tensor, "frames n_shapes"]:
    """Coefficients of the channels, then the weights of the correctives, as plain blend shapes need them."""
    if shape.corrective_pairs is None:
        return expression
    return torch.cat([expression, corrective_weights(expression, shape.corrective_pairs)], 1)
