"""Diffuse light as nine spherical harmonics (Ramamoorthi and Hanrahan 2001)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

NUM_HARMONICS = 9

_PI = math.pi
_CONSTANTS = (
    1 / math.sqrt(4 * _PI),
    *3 * (2 * _PI / 3 * math.sqrt(3 / (4 * _PI)),),
    *3 * (_PI / 4 * 3 * math.sqrt(5 / (12 * _PI)),),
    _PI / 4 * 1.5 * math.sqrt(5 / (12 * _PI)),
    _PI / 4 * 0.5 * math.sqrt(5 / (4 * _PI)),
)


def harmonics(normals: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 9"]:
    """Irradiance of each of the nine harmonics of strength one on a surface with these unit normals."""
    x, y, z = normals.unbind(-1)
    basis = [torch.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1]
    return torch.stack(basis, -1) * normals.new_tensor(_CONSTANTS)


def shade(
    normals: Float[Tensor, "*batch 3"], albedo: Float[Tensor, "*batch 3"], light: Float[Tensor, "*batch 9 3"]
) -> Float[Tensor, "*batch 3"]:
    """Color of surface points.

    Args:
        normals: unit length.
        albedo: color under white light of strength one.
        light: strength of each harmonic for red, green and blue.
    """
    return albedo * (harmonics(normals)[..., None, :] @ light).squeeze(-2)


def solve_light(
    normals: Float[Tensor, "points 3"],
    albedo: Float[Tensor, "points 3"],
    colors: Float[Tensor, "points 3"],
    ridge: float = 0.02,
) -> Float[Tensor, "9 3"]:
    """The light under which surface points have about these colors, by linear least squares per channel.

    Args:
        normals: unit length.
        albedo: color under white light of strength one.
        colors: of the points in an image.
        ridge: regularization towards light that is the same from all sides, as a share of the points' weight.
    """
    given = harmonics(normals)[:, None] * albedo[..., None]
    penalty = ridge * given.square().mean((0, 2)).clamp_min(1e-6)
    columns = []
    for channel in range(3):
        rows, seen = given[:, channel], colors[:, channel]
        # Light that is the same from all sides is the best prior, so its coefficient is not penalized.
        penalized = torch.ones(NUM_HARMONICS, dtype=rows.dtype, device=rows.device)
        penalized[0] = 0
        normal = rows.T @ rows / len(rows) + torch.diag(penalty[channel] * penalized + 1e-8)
        columns.append(torch.linalg.solve(normal, rows.T @ seen / len(rows)))
    return torch.stack(columns, 1)
