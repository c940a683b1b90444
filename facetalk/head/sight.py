"""Where a face looks: lines of sight relative to whoever looks at it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.motion import Motion
from facetalk.head.model import HeadModel
from facetalk.head.skinning import JOINT_NAMES, joint_transforms

_EYES = slice(JOINT_NAMES.index("left_eye"), JOINT_NAMES.index("right_eye") + 1)


def sight_angles(head: HeadModel, motion: Motion, viewer_m: float) -> Float[Tensor, "frames 2"]:
    """Yaw and pitch of the line of sight, mean of both eyes, relative to the line to the viewer, degrees.

    Positive yaw leads to the subject's left, positive pitch down; zeros look at the viewer. Of a motion that was fitted
    to a video, the viewer is its camera, and otherwise somebody in front of the face.

    Args:
        head: the motion's.
        motion: any length.
        viewer_m: distance of somebody in front of the face, meters.
    """
    joints = head.shaped(motion.betas)[1]
    rotation, shift = joint_transforms(joints, motion.poses)
    places = torch.einsum("tjab,jb->tja", rotation[:, _EYES], joints[_EYES]) + shift[:, _EYES]
    between = places.mean(1) + motion.transl
    if motion.camera is not None:
        viewer = torch.zeros(3)
    else:
        viewer = joints[_EYES].mean(0) + motion.transl.median(0).values + torch.tensor([0.0, 0.0, viewer_m])
    ahead = rotation[:, _EYES, :, 2].mean(1)  # an eye at rest looks along z
    angles = _angles(ahead) - _angles(viewer - between)
    return (torch.remainder(angles + torch.pi, 2 * torch.pi) - torch.pi).rad2deg()


def _angles(direction: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames 2"]:
    x, y, z = direction.unbind(1)
    return torch.stack([torch.atan2(x, z), -torch.atan2(y, torch.hypot(x, z))], 1)
