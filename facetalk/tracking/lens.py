"""Derivatives of the points in the image by the focal length, which is one unknown of a whole clip.

A longer lens at a larger distance shows a face of the same size, but flatter: its center is enlarged less. In a single
frontal frame this cannot be told from the shape of the face; a head that turns, or comes closer, separates the two.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.tracking.energy import FaceEnergy, Observation, State, left_jacobian


class LensTerms(NamedTuple):
    """Derivatives of each frame's energy by the logarithm of the focal length, also mixed with other unknowns."""

    slope: Float[Tensor, " frames"]
    own: Float[Tensor, " frames"]
    """Second derivative."""
    pose: Float[Tensor, "frames 6"]
    """Mixed with the pose."""
    pull: Float[Tensor, "frames points 3"]
    """Mixed with each point's position in the head's frame, pairs included."""


def lens_terms(
    energy: FaceEnergy, rest: Float[Tensor, "frames points 3"], state: State, seen: Observation
) -> LensTerms:
    """The terms at a state; arguments as for `FaceEnergy.linearize`.

    The head moves away as the focal length grows, so that it keeps its size and only its perspective changes. As in
    `point_kernel`, errors are meters at the face; their scale to pixels does not change.
    """
    basis, settings = energy.basis, energy.settings
    turn = axis_angle_to_matrix(state.rotation) @ seen.reference
    offsets = energy.posed(rest, state) @ turn.transpose(1, 2)
    x, y, z = (offsets + state.position[:, None]).unbind(-1)
    distance = -state.position[:, 2:]
    near = distance / -z
    shown = torch.stack([x, y], -1) * near[..., None]
    grown = shown * (offsets[..., 2] / z)[..., None]
    errors = shown - seen.image_points * (distance / seen.focal_px)[..., None]
    doubt = 1 / (1 + errors.square().sum(-1) / settings.robust_m**2)
    weights = seen.weights * basis.point_weights / settings.point_sigma_m**2 * doubt
    first, second = basis.pairs.unbind(1)
    pair_weights = seen.weights[:, first] * seen.weights[:, second] * basis.pair_weights / settings.point_sigma_m**2
    apart, missing = grown[:, first] - grown[:, second], errors[:, first] - errors[:, second]
    own = (weights * grown.square().sum(-1)).sum(1) + (pair_weights * apart.square().sum(-1)).sum(1)
    slope = (weights * (grown * errors).sum(-1)).sum(1) + (pair_weights * (apart * missing).sum(-1)).sum(1)
    across = weights[..., None] * grown
    across = across.index_add(1, first, pair_weights[..., None] * apart)
    across = across.index_add(1, second, -pair_weights[..., None] * apart)
    forces = near[..., None] * torch.cat([across, -(across * torch.stack([x, y], -1) / z[..., None]).sum(-1, True)], -1)
    torque = torch.linalg.cross(offsets, forces).sum(1)
    by_rotation = (left_jacobian(state.rotation).transpose(1, 2) @ torque[..., None]).squeeze(-1)
    return LensTerms(slope, own, torch.cat([by_rotation, forces.sum(1)], 1), forces @ turn)
