"""Carry a performance from one head to another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.landmarks import IBUG_OUTER_EYE_CORNERS, IBUG_RIGID
from facetalk.core.motion import Motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head import model, retargeting
from facetalk.head.assets import HeadAssets
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.gaze import gaze_to_channels
from facetalk.head.model import HeadModel
from facetalk.head.retargeting import (
    JAW,
    PointBasis,
    compared,
    controls_to_channels,
    point_basis,
    points_to_controls,
    row_weights,
    shared_points,
    solve_map,
)
from facetalk.io.cache import arrays_in, cached_arrays
from facetalk.io.heads import read_head
from facetalk.motion.heads import load_head

_IDENTITY_PRIOR = 0.02
"""Cost of an identity coefficient, in units of the mean squared distance of points of one millimetre."""


def retarget(motion: Motion, target: HeadModel, source: HeadModel | None = None) -> Motion:
    """The same performance for another head.

    Channels go over by name where both heads have ARKit's; else the face's points decide. Head pose and gaze are kept;
    the identity's difference from the mean is carried over; a head in front of a fitted camera keeps its place and size
    in the picture.

    Args:
        motion: made for `source`.
        target: the head to move.
        source: the motion's head, read by its name if not given.
    """
    if motion.head == target.name and motion.expression_names == target.shape.expression_names:
        return motion
    source = source or load_head(motion.head)
    if motion.head != source.name or motion.expression_names != source.shape.expression_names:
        raise ValueError(f"a motion for head {motion.head!r} was given with head {source.name!r}")
    expression, jaw_pose = _carry_expression(motion, source, target)
    betas = _carry_identity(motion.betas, source, target)
    carried = motion.replace(
        head=target.name,
        expression=expression,
        expression_names=target.shape.expression_names,
        jaw_pose=jaw_pose,
        betas=betas,
        meta={**motion.meta, "retargeted_from": motion.head},
    )
    return carried.replace(transl=_place(motion, source, carried, target))


def arkit_map(head: HeadModel) -> Float[Tensor, "52 controls"]:
    """Coefficients and jaw angles of a head for each ARKit channel; solved once and kept in the user's cache."""
    reference = read_head("facetalk")
    parts = [*arrays_in(reference), *arrays_in(head.assets)]
    code = (retargeting, model)
    made = cached_arrays("arkit", parts, lambda: {"map": solve_map(HeadModel(reference), head).numpy()}, code)
    return torch.from_numpy(np.asarray(made["map"]))


def arkit_view(head: HeadModel, num_betas: int = 100) -> HeadModel:
    """A head with ARKit's channels that moves, to first order, as a head does that has others.

    What works on channels by name (the tracker) works on it; `from_view` turns its motions into the head's own.

    Args:
        head: any head.
        num_betas: leading identity coefficients that are kept.
    """
    if head.shape.is_arkit:
        return head
    assets, table = head.assets, arkit_map(head)
    jaw = torch.zeros(3, 5, 3)
    jaw[torch.arange(3), JAW, torch.arange(3)] = 0.02
    still, zero = torch.zeros(3, len(assets.shape.expression_dirs)), torch.zeros(3, 3)
    with torch.no_grad():
        betas = torch.zeros(head.num_betas)
        turned = (head(still, jaw, zero, betas) - head(still, -jaw, zero, betas)) / 0.04
    dirs = torch.einsum("kc,cvx->kvx", table, torch.cat([assets.shape.expression_dirs, turned]))
    kept = min(num_betas, head.num_betas)
    view = replace(
        assets,
        shape=replace(
            assets.shape,
            expression_dirs=dirs,
            expression_names=ARKIT_NAMES,
            expression_bounds=None,
            joint_expression_dirs=None,
            corrective_dirs=None,
            corrective_pairs=None,
            identity_dirs=assets.shape.identity_dirs[:kept],
            identity_names=assets.shape.identity_names[:kept],
            joint_identity_dirs=assets.shape.joint_identity_dirs[:kept],
        ),
    )
    return HeadModel(view).eval()


def from_view(motion: Motion, head: HeadModel) -> Motion:
    """A motion made for `arkit_view(head)`, in the head's own coefficients."""
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


def to_arkit(motion: Motion, source: HeadModel | None = None) -> Motion:
    """The performance as a motion of the bundled head, with ARKit's curves."""
    return retarget(motion, load_head("facetalk"), source)


def _carry_expression(motion: Motion, source: HeadModel, target: HeadModel) -> tuple[Tensor, Tensor]:
    """Expression and jaw pose for the target."""
    own, other = source.shape.is_arkit, target.shape.is_arkit
    if own and other:
        return motion.expression, motion.jaw_pose
    if own:
        controls = motion.expression @ arkit_map(target)
        return controls[:, :-3], motion.jaw_pose + controls[:, -3:]
    controls = torch.cat([motion.expression, motion.jaw_pose], 1)
    if other:
        basis = _basis(source, source.assets, read_head("facetalk"))
        gaze = gaze_to_channels(motion.leye_pose, motion.reye_pose)
        channels = controls_to_channels(controls, arkit_map(source), basis, gaze)
        return channels, torch.zeros_like(motion.jaw_pose)
    return _by_points(motion, source, target)


def _by_points(motion: Motion, source: HeadModel, target: HeadModel) -> tuple[Tensor, Tensor]:
    """Neither head has ARKit's channels: the target's points follow the source's."""
    numbers = shared_points(source.assets, target.assets)
    basis = _basis(target, target.assets, source.assets)
    poses = torch.zeros(motion.num_frames + 1, 5, 3)
    poses[1:, JAW] = motion.jaw_pose
    expression = torch.cat([torch.zeros_like(motion.expression[:1]), motion.expression])
    with torch.no_grad():
        vertices = source(expression, poses, torch.zeros(len(poses), 3), torch.zeros(source.num_betas))
    rows = compared(source.assets, numbers, vertices)
    scale = basis.scale / point_basis(source, numbers, basis.weights).scale
    bounds = target.shape.expression_bounds
    limits = torch.tensor([0.0, 1.0]).repeat(len(target.shape.expression_names), 1) if bounds is None else bounds
    controls = points_to_controls((rows[1:] - rows[:1]) * scale, basis, limits)
    return controls[:, :-3], controls[:, -3:]


def _basis(head: HeadModel, first: HeadAssets, second: HeadAssets) -> PointBasis:
    numbers = shared_points(first, second)
    return point_basis(head, numbers, row_weights(first, numbers))


def _carry_identity(betas: Float[Tensor, " source_betas"], source: HeadModel, target: HeadModel) -> Tensor:
    """The target's identity whose points differ from its mean as the source's do from theirs."""
    if not bool(betas.any()) or target.num_betas == 0:
        return betas.new_zeros(target.num_betas)
    numbers = shared_points(source.assets, target.assets)
    rest = torch.stack([source.shaped(betas)[0], source.template])
    rows = compared(source.assets, numbers, rest)[:, : len(numbers)]
    scale = _eye_distance(target, target.template) / _eye_distance(source, source.template)
    wanted = ((rows[0] - rows[1]) * scale).double()
    dirs = compared(target.assets, numbers, target.shape.identity_dirs)[:, : len(numbers)].double()
    # Where the heads lie against each other is no identity: only the shape about its middle counts.
    wanted, dirs = wanted - wanted.mean(0), dirs - dirs.mean(1, keepdim=True)
    unit = 0.001 * len(numbers) ** 0.5
    basis, goal = dirs.flatten(1) / unit, wanted.flatten() / unit
    inner = basis @ basis.T + _IDENTITY_PRIOR * torch.eye(len(basis), dtype=torch.float64)
    return torch.linalg.solve(inner, basis @ goal).clamp(-4, 4).to(betas)


def _eye_distance(head: HeadModel, template: Tensor) -> float:
    marks = head.points.landmarks.on(template)
    right, left = IBUG_OUTER_EYE_CORNERS
    return float((marks[right] - marks[left]).norm())


def _place(motion: Motion, source: HeadModel, carried: Motion, target: HeadModel) -> Tensor:
    """Where the target stands: same place and size in a fitted camera's picture, else the same shift."""
    if motion.camera is None:
        return motion.transl
    own, other = _anchor(motion, source), _anchor(carried.replace(transl=torch.zeros_like(motion.transl)), target)
    scale = _eye_distance(target, target.shaped(carried.betas)[0]) / _eye_distance(
        source, source.shaped(motion.betas)[0]
    )
    return own * scale - other


def _anchor(motion: Motion, head: HeadModel) -> Tensor:
    """Middle of the rigid landmarks in every frame, without expression."""
    template, joints = head.shaped(motion.betas)
    place = head.points.landmarks.on(template)[list(IBUG_RIGID)].mean(0)
    turn, neck = axis_angle_to_matrix(motion.global_orient), axis_angle_to_matrix(motion.neck_pose)
    inner = (neck @ (place - joints[1])[:, None]).squeeze(-1) + joints[1] - joints[0]
    return (turn @ inner[..., None]).squeeze(-1) + joints[0] + motion.transl
