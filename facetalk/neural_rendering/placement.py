"""A motion of any face as that of one person: from where their head usually is, as far as it is known to move."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.motion import Motion
from facetalk.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from facetalk.motion.contacts import keep_contacts

SHARE = 0.002
"""Of the frames that lie beyond either limit: a blink is rarer than it seems, a slip of the tracker rarer still."""
SOFT = 0.25
"""Part of a range in which a turn is slowed down before its limit, instead of stopping there."""
RIDGE = 1e-3
"""Squared radians that are added where the place of the head is predicted from its turn."""


@dataclass(frozen=True, eq=False)
class Habits:
    """How a person holds and moves their head and face, as their videos show it."""

    rotation: Float[Tensor, "3"]
    """Usual turn of the head in front of the camera, axis-angle, radians."""
    transl: Float[Tensor, "3"]
    """Usual place, meters."""
    sway: Float[Tensor, "3 3"]
    """Change of the place with each part of the turn, meters per radian: a head turns on its neck."""
    turns: Float[Tensor, "2 3"]
    """Least and largest turn, relative to the usual one."""
    expression: Float[Tensor, "2 channels"]
    """Least and largest value of each channel."""
    gaze: Float[Tensor, "2 3"]
    """Least and largest rotation of the eyes."""


def relative_turns(motion: Motion, usual: Float[Tensor, "3"]) -> Float[Tensor, "frames 3"]:
    """Turns of the head, neck included, away from the usual one, in its own frame; axis-angle, radians."""
    whole = axis_angle_to_matrix(motion.global_orient) @ axis_angle_to_matrix(motion.neck_pose)
    return matrix_to_axis_angle(axis_angle_to_matrix(usual).T @ whole)


def usual_turn(motion: Motion) -> Float[Tensor, "3"]:
    """The mean turn of the head."""
    whole = axis_angle_to_matrix(motion.global_orient) @ axis_angle_to_matrix(motion.neck_pose)
    left, _, right = torch.linalg.svd(whole.mean(0))
    return matrix_to_axis_angle(left @ right)


def habits_of(main: Motion, others: list[Motion]) -> Habits:
    """Measure habits.

    Args:
        main: fitted to the video in whose view the person is shown.
        others: fitted to further videos; faces count in all, heads only in the main one.
    """
    usual = usual_turn(main)
    turns = relative_turns(main, usual)
    center = main.transl.mean(0)
    apart = turns - turns.mean(0)
    gram = apart.T @ apart / len(apart) + RIDGE * torch.eye(3)
    sway = torch.linalg.solve(gram, apart.T @ (main.transl - center) / len(apart)).T
    motions = [main, *others]
    faces = torch.cat([motion.expression for motion in motions])
    eyes = torch.cat([rows for motion in motions for rows in (motion.leye_pose, motion.reye_pose)])
    return Habits(usual, center, sway, _limits(turns), _limits(faces), _limits(eyes))


def _limits(rows: Float[Tensor, "frames width"]) -> Float[Tensor, "2 width"]:
    return torch.quantile(rows.double(), torch.tensor([SHARE, 1 - SHARE], dtype=torch.float64), 0).to(rows)


def placed(motion: Motion, habits: Habits) -> Motion:
    """The motion with the head where the person's usually is, within what their videos show.

    Turns are taken relative to the usual one, of a fitted motion relative to its own mean, and slowed down before the
    limits; faces and eyes stop at theirs. The place of the head follows from its turn, as in the videos.
    """
    own = usual_turn(motion) if motion.camera is not None else motion.global_orient.new_zeros(3)
    turns = softly_limited(relative_turns(motion, own), habits.turns)
    whole = axis_angle_to_matrix(habits.rotation) @ axis_angle_to_matrix(turns)
    return limited(motion, habits).replace(
        global_orient=matrix_to_axis_angle(whole),
        neck_pose=torch.zeros_like(motion.neck_pose),
        transl=habits.transl + turns @ habits.sway.T,
    )


def limited(motion: Motion, habits: Habits) -> Motion:
    """The motion with face and eyes within what the videos show; lips and lids that were closed stay closed."""
    after = motion.replace(
        expression=motion.expression.clamp(*habits.expression),
        leye_pose=motion.leye_pose.clamp(*habits.gaze),
        reye_pose=motion.reye_pose.clamp(*habits.gaze),
    )
    return keep_contacts(motion, after)


def softly_limited(
    values: Float[Tensor, "frames width"], limits: Float[Tensor, "2 width"]
) -> Float[Tensor, "frames width"]:
    """Values that approach limits rather than stop at them; those well within stay as they are."""
    low, high = limits
    room = SOFT * (high - low).clamp_min(1e-6)
    above, below = (values - (high - room)) / room, ((low + room) - values) / room
    eased = torch.where(above > 0, high - room + room * above.clamp_min(0).tanh(), values)
    return torch.where(below > 0, low + room - room * below.clamp_min(0).tanh(), eased)
