"""The curves of a motion by name: its expression channels, and the angles of head and eyes in degrees."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import UsageError
from facetalk.core.motion import Motion
from facetalk.core.rotations import (
    axis_angle_to_matrix,
    from_yaw_pitch_roll,
    matrix_to_axis_angle,
    yaw_pitch_roll,
)
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES, indices
from facetalk.head.gaze import gaze_to_channels

HEAD_ANGLES = ("headYaw", "headPitch", "headRoll")
"""Degrees, as the CSV format counts them: yaw towards the subject's left, pitch down, roll towards the subject's right
shoulder."""
EYE_ANGLES = ("eyesPitch", "eyesYaw")
"""Of both eyes, degrees."""
ANGLES = (*HEAD_ANGLES, *EYE_ANGLES)

LARGEST_ANGLE = 90.0

_DIRECTED = ("jaw", "mouth")
"""Channels such as `jawLeft` name the direction of a movement, and not a side."""


def resolved(name: str, names: Sequence[str], known: Sequence[str] = ()) -> tuple[str, ...]:
    """The curves that a name means: itself, or both sides of a channel such as `mouthSmile`.

    Args:
        name: as a user writes it.
        names: expression channels of the motion.
        known: further names that are right in this place, for the hint.

    Raises:
        UsageError: there is no such curve; the message has the closest name.
    """
    if name in names or name in ANGLES:
        return (name,)
    sides = tuple(f"{name}{side}" for side in ("Left", "Right"))
    if name not in _DIRECTED and all(side in names for side in sides):
        return sides
    lefts = [other.removesuffix("Left") for other in names if other.endswith("Left")]
    bases = [base for base in lefts if base not in _DIRECTED]
    near = difflib.get_close_matches(name[:80], [*known, *names, *bases, *ANGLES], 1)
    hint = f"did you mean {near[0]}?" if near else f"the motion has {len(names)} channels, such as {names[0]}"
    raise UsageError(f"unknown channel {name[:80]!r}; {hint}")


def bounded(values: Float[Tensor, " frames"], name: str) -> Float[Tensor, " frames"]:
    """The values within the range of a curve; channels of heads without ARKit's names have none."""
    if name in ANGLES:
        return values.clamp(-LARGEST_ANGLE, LARGEST_ANGLE)
    return values.clamp(0, 1) if name in ARKIT_NAMES else values


class Curves:
    """A copy of a motion whose curves can be changed in parts."""

    def __init__(self, motion: Motion) -> None:
        """Copy what may be changed.

        Args:
            motion: it stays as it is.
        """
        self._motion = motion
        self._expression = motion.expression.clone()
        # An animated head turns its neck; a tracked one turns as a whole.
        tracked = bool(motion.global_orient.any()) and not bool(motion.neck_pose.any())
        self._head = "global_orient" if tracked else "neck_pose"
        self._poses = {name: getattr(motion, name).clone() for name in (self._head, "leye_pose", "reye_pose")}

    def read(self, name: str, frames: slice = slice(None)) -> Float[Tensor, " frames"]:
        """The values of a curve in some frames."""
        if name in HEAD_ANGLES:
            return self._head_angles(frames)[:, HEAD_ANGLES.index(name)].rad2deg()
        if name in EYE_ANGLES:
            axis = EYE_ANGLES.index(name)
            return ((self._poses["leye_pose"] + self._poses["reye_pose"])[frames, axis] / 2).rad2deg()
        return self._expression[frames, self._motion.expression_names.index(name)]

    def write(self, name: str, values: Float[Tensor, " frames"], frames: slice = slice(None)) -> None:
        """Replace the values of a curve in some frames; poses are rewritten only where they change."""
        values = bounded(values, name)
        if name in HEAD_ANGLES:
            self._turn_head(name, values, frames)
        elif name in EYE_ANGLES:
            self._turn_eyes(name, values, frames)
        else:
            self._expression[frames, self._motion.expression_names.index(name)] = values

    def motion(self) -> Motion:
        """The motion with these curves."""
        return self._motion.replace(expression=self._expression, **self._poses)

    def _head_angles(self, frames: slice) -> Float[Tensor, "frames 3"]:
        return yaw_pitch_roll(self._below(frames) @ axis_angle_to_matrix(self._poses[self._head][frames]))

    def _below(self, frames: slice) -> Float[Tensor, "frames 3 3"]:
        """Rotation of what the joint that is changed sits on: of an animated head that of its neck."""
        turns = axis_angle_to_matrix(self._motion.global_orient[frames])
        return turns if self._head == "neck_pose" else torch.eye(3).expand_as(turns)

    def _turn_head(self, name: str, values: Tensor, frames: slice) -> None:
        pose, angles = self._poses[self._head][frames], self._head_angles(frames)
        axis = HEAD_ANGLES.index(name)
        wanted = values.deg2rad()
        changed = ((wanted - angles[:, axis]).abs() > 1e-6)[:, None]
        angles[:, axis] = wanted
        turned = matrix_to_axis_angle(self._below(frames).mT @ from_yaw_pitch_roll(angles))
        self._poses[self._head][frames] = torch.where(changed, turned, pose)

    def _turn_eyes(self, name: str, values: Tensor, frames: slice) -> None:
        moved = (values - self.read(name, frames)) * (math.pi / 180)
        moved = torch.where(moved.abs() > 1e-6, moved, 0.0)
        for eye in ("leye_pose", "reye_pose"):
            self._poses[eye][frames, EYE_ANGLES.index(name)] += moved
        names = self._motion.expression_names
        if set(GAZE_NAMES) <= set(names):
            gaze = gaze_to_channels(self._poses["leye_pose"][frames], self._poses["reye_pose"][frames])
            columns = indices(GAZE_NAMES, names)
            kept = self._expression[frames][:, columns]
            self._expression[frames, columns] = torch.where((moved != 0)[:, None], gaze, kept)
