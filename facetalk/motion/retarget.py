"""Retargeting: the motion of one head as a motion of another."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import InvalidValueError
from facetalk.core.landmarks import IBUG_OUTER_EYE_CORNERS, IBUG_RIGID
from facetalk.core.motion import Motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.assets import HeadAssets
from facetalk.head.channel_map import controls_to_channels, points_to_controls
from facetalk.head.gaze import gaze_to_channels
from facetalk.head.model import HeadModel
from facetalk.head.point_basis import JAW, PointBasis, compared, point_basis, row_weights, shared_points
from facetalk.motion.arkit_view import arkit_map
from facetalk.motion.heads import load_head, load_head_assets

_IDENTITY_PRIOR = 0.02
"""Cost of an identity coefficient, relative to a mean squared error of one square millimeter per point."""


_BLOCK = 256
"""Frames that are posed together."""


def retarget(motion: Motion, head: HeadModel | str, source: HeadModel | None = None) -> Motion:
    """Convert a motion to another head.

    Channels are copied by name where both heads have ARKit's; otherwise the face's points decide. Head pose and gaze
    are kept, the identity's difference from the mean is transferred, and a head in front of a fitted camera keeps its
    place and size in the image.

    Args:
        motion: motion of `source`.
        head: the head to move, or its name as for `load_head`.
        source: the motion's own head; None to load it by the name in the motion.

    Raises:
        UsageError: no head has the given name, or the motion's.
        InvalidValueError: the motion has other channels or more betas than the head that it names.
        ValueError: `source` is not the motion's head.
    """
    target = load_head(head) if isinstance(head, str) else head
    if motion.head == target.name and motion.expression_names == target.shape.expression_names:
        return motion
    source = source or load_head(motion.head)
    if motion.head != source.name:
        raise ValueError(f"a motion for head {motion.head!r} was given with head {source.name!r}")
    if motion.expression_names != source.shape.expression_names:
        raise InvalidValueError(
            f"the motion is for the head {source.name!r} but has other channels than this head; it was made for "
            "another version of the head, or changed"
        )
    if len(motion.betas) > source.num_betas:
        raise InvalidValueError(
            f"the motion has {len(motion.betas)} betas; the head {source.name!r} has {source.num_betas}"
        )
    expression, jaw_pose = _retarget_expression(motion, source, target)
    laughter = None
    if motion.laughter is not None:
        talking = _retarget_expression(motion.without_laughter(), source, target)
        laughter = torch.cat([expression, jaw_pose], 1) - torch.cat(talking, 1)
    retargeted = motion.replace(
        head=target.name,
        expression=expression,
        expression_names=target.shape.expression_names,
        jaw_pose=jaw_pose,
        laughter=laughter,
        betas=_retarget_identity(motion.betas, source, target),
        meta={**motion.meta, "retargeted_from": motion.head},
    )
    return retargeted.replace(transl=_retarget_position(motion, source, retargeted, target))


def to_arkit(motion: Motion, source: HeadModel | None = None) -> Motion:
    """Convert a motion to the bundled head and thus to ARKit's curves; `source` as for `retarget`."""
    return retarget(motion, load_head("facetalk"), source)


def _retarget_expression(motion: Motion, source: HeadModel, target: HeadModel) -> tuple[Tensor, Tensor]:
    """Expression and jaw pose for the target."""
    if source.shape.is_arkit and target.shape.is_arkit:
        return motion.expression, motion.jaw_pose
    if source.shape.is_arkit:
        controls = motion.expression @ arkit_map(target)
        return controls[:, :-3], motion.jaw_pose + controls[:, -3:]
    controls = torch.cat([motion.expression, motion.jaw_pose], 1)
    if target.shape.is_arkit:
        basis = _shared_basis(source, source.assets, load_head_assets("facetalk"))
        gaze = gaze_to_channels(motion.leye_pose, motion.reye_pose)
        channels = controls_to_channels(controls, arkit_map(source), basis, gaze)
        return channels, torch.zeros_like(motion.jaw_pose)
    return _follow_points(motion, source, target)


def _follow_points(motion: Motion, source: HeadModel, target: HeadModel) -> tuple[Tensor, Tensor]:
    """Expression and jaw pose with which the target's points follow the source's; neither head has ARKit's channels."""
    numbers = shared_points(source.assets, target.assets)
    basis = _shared_basis(target, target.assets, source.assets)
    poses = torch.zeros(motion.num_frames + 1, 5, 3)
    poses[1:, JAW] = motion.jaw_pose
    expression = torch.cat([torch.zeros_like(motion.expression[:1]), motion.expression])
    parts = []
    with torch.no_grad():
        for start in range(0, len(poses), _BLOCK):  # all vertices of a long motion would take gigabytes
            part = slice(start, start + _BLOCK)
            still = torch.zeros(len(poses[part]), 3)
            vertices = source(expression[part], poses[part], still, torch.zeros(source.num_betas))
            parts.append(compared(source.assets, numbers, vertices))
    rows = torch.cat(parts)
    scale = basis.scale / point_basis(source, numbers, basis.weights).scale
    bounds = target.shape.expression_bounds
    limits = torch.tensor([0.0, 1.0]).repeat(len(target.shape.expression_names), 1) if bounds is None else bounds
    controls = points_to_controls((rows[1:] - rows[:1]) * scale, basis, limits)
    return controls[:, :-3], controls[:, -3:]


def _shared_basis(head: HeadModel, first: HeadAssets, second: HeadAssets) -> PointBasis:
    """Basis of a head on the points that two heads share."""
    numbers = shared_points(first, second)
    return point_basis(head, numbers, row_weights(first, numbers))


def _retarget_identity(betas: Float[Tensor, " source_betas"], source: HeadModel, target: HeadModel) -> Tensor:
    """The target's identity whose points differ from its mean as the source's do from theirs."""
    if not bool(betas.any()) or target.num_betas == 0:
        return betas.new_zeros(target.num_betas)
    numbers = shared_points(source.assets, target.assets)
    rest = torch.stack([source.shaped(betas)[0], source.template])
    rows = compared(source.assets, numbers, rest)[:, : len(numbers)]
    scale = _eye_distance(target, target.template) / _eye_distance(source, source.template)
    wanted = ((rows[0] - rows[1]) * scale).double()
    dirs = compared(target.assets, numbers, target.shape.identity_dirs)[:, : len(numbers)].double()
    # The offset between the heads is not part of the identity: only the shape around its center counts.
    wanted, dirs = wanted - wanted.mean(0), dirs - dirs.mean(1, keepdim=True)
    unit = 0.001 * len(numbers) ** 0.5
    basis, goal = dirs.flatten(1) / unit, wanted.flatten() / unit
    inner = basis @ basis.T + _IDENTITY_PRIOR * torch.eye(len(basis), dtype=torch.float64)
    return torch.linalg.solve(inner, basis @ goal).clamp(-4, 4).to(betas)


def _eye_distance(head: HeadModel, template: Tensor) -> float:
    """Distance of the outer eye corners, meters."""
    landmarks = head.points.landmarks.on(template)
    right, left = IBUG_OUTER_EYE_CORNERS
    return float((landmarks[right] - landmarks[left]).norm())


def _retarget_position(motion: Motion, source: HeadModel, retargeted: Motion, target: HeadModel) -> Tensor:
    """Translation of the target: same place and size in a fitted camera's image, otherwise unchanged."""
    if motion.camera is None:
        return motion.transl
    own, other = _anchor(motion, source), _anchor(retargeted.replace(transl=torch.zeros_like(motion.transl)), target)
    target_size = _eye_distance(target, target.shaped(retargeted.betas)[0])
    return own * (target_size / _eye_distance(source, source.shaped(motion.betas)[0])) - other


def _anchor(motion: Motion, head: HeadModel) -> Tensor:
    """Center of the rigid landmarks in every frame, without expression."""
    template, joints = head.shaped(motion.betas)
    place = head.points.landmarks.on(template)[list(IBUG_RIGID)].mean(0)
    turn, neck = axis_angle_to_matrix(motion.global_orient), axis_angle_to_matrix(motion.neck_pose)
    inner = (neck @ (place - joints[1])[:, None]).squeeze(-1) + joints[1] - joints[0]
    return (turn @ inner[..., None]).squeeze(-1) + joints[0] + motion.transl
