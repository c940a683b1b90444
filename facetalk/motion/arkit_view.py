"""Heads with other channels, seen through ARKit's: a linear map that is solved once per head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.motion import Motion
from facetalk.head import channel_map, model, point_basis
from facetalk.head.channel_map import solve_map
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.head.point_basis import JAW
from facetalk.io.cache import arrays_in, cached_arrays
from facetalk.motion.heads import load_head_assets


def arkit_map(head: HeadModel) -> Float[Tensor, "52 controls"]:
    """Coefficients and jaw angles of a head for each ARKit channel; solved once and kept in the user's cache."""
    reference = load_head_assets("facetalk")
    parts = [*arrays_in(reference), *arrays_in(head.assets)]
    code = (channel_map, point_basis, model)
    made = cached_arrays("arkit", parts, lambda: {"map": solve_map(HeadModel(reference), head).numpy()}, code)
    return torch.from_numpy(np.asarray(made["map"]))


def arkit_view(head: HeadModel, num_betas: int = 100) -> HeadModel:
    """Return a head with ARKit's channels that moves, to first order, as the given head does.

    Code that addresses channels by name, such as the tracker, can use it; `from_view` converts the resulting motion.

    Args:
        head: any head; one with ARKit's channels is returned as it is.
        num_betas: number of leading identity coefficients to keep.
    """
    if head.shape.is_arkit:
        return head
    shape, table = head.shape, arkit_map(head)
    jaw = torch.zeros(3, 5, 3)
    jaw[torch.arange(3), JAW, torch.arange(3)] = 0.02
    still, zero = torch.zeros(3, len(shape.expression_dirs)), torch.zeros(3, 3)
    with torch.no_grad():
        betas = torch.zeros(head.num_betas)
        jaw_dirs = (head(still, jaw, zero, betas) - head(still, -jaw, zero, betas)) / 0.04
    kept = min(num_betas, head.num_betas)
    view = replace(
        shape,
        expression_dirs=torch.einsum("kc,cvx->kvx", table, torch.cat([shape.expression_dirs, jaw_dirs])),
        expression_names=ARKIT_NAMES,
        expression_bounds=None,
        joint_expression_dirs=None,
        corrective_dirs=None,
        corrective_pairs=None,
        identity_dirs=shape.identity_dirs[:kept],
        identity_names=shape.identity_names[:kept],
        joint_identity_dirs=shape.joint_identity_dirs[:kept],
    )
    return HeadModel(replace(head.assets, shape=view)).eval()


def from_view(motion: Motion, head: HeadModel) -> Motion:
    """Convert a motion made for `arkit_view(head)` to the head's own coefficients."""
    if head.shape.is_arkit:
        return motion
    controls = motion.expression @ arkit_map(head)
    betas = torch.cat([motion.betas, motion.betas.new_zeros(head.num_betas - len(motion.betas))])
    return motion.replace(
        expression=controls[:, :-3],
        expression_names=head.shape.expression_names,
        jaw_pose=controls[:, -3:],
        betas=betas,
    )
