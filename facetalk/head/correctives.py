"""Corrective shapes: what two channels need together, or one halfway, beyond the sum of what each does alone.

A corrective names two channels `a` and `b`, and shows with the weight `a b`. Where both are the same channel it is an
in-between and shows with `4 a (1 - a)`: nought at rest and at 1, whole at one half. Weights are taken in [0, 1].
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from facetalk.head.assets import HeadShape


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


def blend_shape_names(shape: HeadShape) -> tuple[str, ...]:
    """Names of the channels and, after them, of the correctives: `jawOpen_mouthFunnel`, `eyeBlinkLeft_half`."""
    names = shape.expression_names
    if shape.corrective_pairs is None:
        return names
    pairs = shape.corrective_pairs.tolist()
    return (*names, *(f"{names[a]}_half" if a == b else f"{names[a]}_{names[b]}" for a, b in pairs))


def blend_shape_dirs(shape: HeadShape) -> Float[Tensor, "n_shapes vertices 3"]:
    """Displacements of the channels and, after them, of the correctives."""
    if shape.corrective_dirs is None:
        return shape.expression_dirs
    return torch.cat([shape.expression_dirs, shape.corrective_dirs.to(shape.expression_dirs)])


def blend_shape_weights(
    shape: HeadShape, expression: Float[Tensor, "frames n_expression"]
) -> Float[Tensor, "frames n_shapes"]:
    """Coefficients of the channels and, after them, the weights of the correctives: what plain blend shapes need."""
    if shape.corrective_pairs is None:
        return expression
    return torch.cat([expression, corrective_weights(expression, shape.corrective_pairs)], 1)
