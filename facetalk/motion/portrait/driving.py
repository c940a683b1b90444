"""How the head of a photo shall move: a motion, relative to how it begins, from where the photo has the head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.motion import Motion
from facetalk.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES
from facetalk.head.gaze import gaze_to_channels
from facetalk.motion.portrait.scene import PortraitHead, RigidPose, rigid_pose

MOST_TURNED_DEG = 18.0
"""Rotation of the head away from the photo that is approached, but never exceeded: beyond it, too much appears that the
photo does not show."""
MOST_MOVED_M = 0.025
"""The same for the head's place, meters."""

KEPT_CHANNELS = tuple(
    name
    for name in ARKIT_NAMES
    if name.startswith(("brow", "cheek", "nose", "eyeWide", "eyeSquint", "mouthSmile", "mouthFrown", "mouthDimple"))
)
"""Channels of which a photo keeps its own share: how it smiles, and how its brows lie. What speaks and blinks is soon
the motion's alone: lips must close."""

SETTLING_S = 0.2
"""Seconds in which lips and jaw go from where the photo has them to where the motion has them."""
_BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")
_TO_UNITS = 10.0
"""Position as the network sees it, per meter."""
MOTION_WIDTH = 2 * len(ARKIT_NAMES) + 6
"""Numbers per frame that the network sees, see `motion_rows`."""


class Driven(NamedTuple):
    """Frames of a driven photo."""

    expression: Float[Tensor, "frames 52"]
    eyes: Float[Tensor, "frames 2 3"]
    """Rotations of the left and right eyeball, axis-angle."""
    pose: RigidPose


@dataclass(frozen=True, eq=False)
class Reference:
    """Where a motion begins."""

    expression: Float[Tensor, " 52"]
    eyes: Float[Tensor, "2 3"]
    rotation: Float[Tensor, "3 3"]
    center: Float[Tensor, "3"]


def motion_rows(
    shared: PortraitHead, driven: Driven, photo_expression: Float[Tensor, " 52"], photo_pose: RigidPose
) -> Float[Tensor, "frames motion"]:
    """What the network sees: expression, rotation and place relative to the photo, and the photo's expression.

    Args:
        shared: head model.
        driven: the frames.
        photo_expression: of the photo.
        photo_pose: of the head in the photo.
    """
    turned = matrix_to_axis_angle(photo_pose.rotation.T @ driven.pose.rotation)
    moved = centers(shared, driven.pose) - centers(shared, photo_pose)
    own = photo_expression.expand(len(driven.expression), -1)
    return torch.cat([driven.expression, turned, _TO_UNITS * moved, own], 1)


def centers(shared: PortraitHead, pose: RigidPose) -> Float[Tensor, "*frames 3"]:
    """Middle of the face in each pose, meters."""
    return pose.rotation @ shared.center + pose.shift


def limited(vectors: Float[Tensor, "frames 3"], most: float) -> Float[Tensor, "frames 3"]:
    """Vectors of the same directions whose lengths approach, but never exceed a limit."""
    length = vectors.norm(dim=1, keepdim=True).clamp_min(1e-9)
    return vectors * (most * torch.tanh(length / most) / length)


class PhotoDriver:
    """Turns a motion into frames of one photo, block by block."""

    def __init__(self, shared: PortraitHead, fit: Motion, first: Motion) -> None:
        """Remember the photo and where the motion begins.

        Args:
            shared: head model.
            fit: the head in the photo, one frame.
            first: first frame of the motion.
        """
        self._shared = shared
        self._photo = _reference(shared, fit)
        self._start = _reference(shared, first)
        kept = torch.tensor([name in KEPT_CHANNELS for name in ARKIT_NAMES])
        self._added, self._kept = self._photo.expression - self._start.expression, kept
        self._blinks = [ARKIT_NAMES.index(name) for name in _BLINKS]
        self._gaze = [ARKIT_NAMES.index(name) for name in GAZE_NAMES]

    def drive(self, motion: Motion, start: int = 0) -> Driven:
        """The frames of a part of the motion, of which `start` frames precede it."""
        now = rigid_pose(self._shared.model, motion)
        turned = matrix_to_axis_angle(self._start.rotation.T @ now.rotation)
        rotation = self._photo.rotation @ axis_angle_to_matrix(limited(turned, MOST_TURNED_DEG * torch.pi / 180))
        moved = limited(centers(self._shared, now) - self._start.center, MOST_MOVED_M)
        shift = self._photo.center + moved - rotation @ self._shared.center
        eyes = self._photo.eyes + torch.stack([motion.leye_pose, motion.reye_pose], 1) - self._start.eyes
        seconds = (start + torch.arange(motion.num_frames)) / motion.fps
        settled = (seconds / SETTLING_S).clamp(0, 1)[:, None]
        share = torch.where(self._kept, 1.0, 1 - settled * settled * (3 - 2 * settled))
        expression = (motion.expression + share * self._added).clamp(0, 1)
        # Lids start as open as the photo has them, and close as far as the motion closes them.
        rest = self._start.expression[self._blinks]
        closing = ((motion.expression[:, self._blinks] - rest) / (1 - rest).clamp_min(0.1)).clamp(-1, 1)
        open_by = self._photo.expression[self._blinks]
        expression[:, self._blinks] = torch.where(
            closing > 0, open_by + (1 - open_by) * closing, (open_by + closing).clamp_min(0)
        )
        expression[:, self._gaze] = gaze_to_channels(eyes[:, 0], eyes[:, 1])
        return Driven(expression, eyes, RigidPose(rotation, shift))


def _reference(shared: PortraitHead, frame: Motion) -> Reference:
    pose = rigid_pose(shared.model, frame)
    eyes = torch.stack([frame.leye_pose, frame.reye_pose], 1)[0]
    return Reference(frame.expression[0], eyes, pose.rotation[0], centers(shared, pose)[0])


def windows(rows: Float[Tensor, "frames motion"], size: int) -> Iterator[Float[Tensor, "size motion"]]:
    """The frames around each frame; beyond the ends, the last one is repeated."""
    reach = size // 2
    padded = torch.cat([rows[:1].expand(reach, -1), rows, rows[-1:].expand(reach, -1)])
    for start in range(len(rows)):
        yield padded[start : start + size]
