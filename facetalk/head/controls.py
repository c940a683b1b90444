"""What speech moves on a head, as one row of numbers per frame: expression, and the jaw where it is a joint."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.motion import Motion, still_motion
from facetalk.head.assets import HeadShape

JAW_JOINT = 2
"""Of the joints in FLAME's order."""

JAW_CHANNEL = "jawOpen"
"""A head with this channel opens its mouth without the joint."""


@dataclass(frozen=True)
class Controls:
    """The columns of such rows: expression and jaw pose on FLAME, the ARKit channels on the bundled head."""

    names: tuple[str, ...]
    """Of the expression channels."""

    @property
    def has_jaw(self) -> bool:
        """Whether three columns with the jaw's axis-angle rotation follow."""
        return JAW_CHANNEL not in self.names

    @property
    def count(self) -> int:
        """Number of columns."""
        return len(self.names) + 3 * self.has_jaw

    def rows(self, motion: Motion) -> Float[Tensor, "frames controls"]:
        """The rows of a motion.

        Raises:
            ValueError: the motion has other channels.
        """
        if motion.expression_names != self.names:
            raise ValueError(f"a motion for the head {motion.head!r} has other channels than were asked for")
        return torch.cat([motion.expression, motion.jaw_pose], 1) if self.has_jaw else motion.expression

    def motion(self, rows: Float[Tensor, "frames controls"], head: str, fps: float, num_betas: int) -> Motion:
        """The rows as a motion of a mean head that is otherwise at rest; ARKit channels are limited to [0, 1]."""
        expression = rows[:, : len(self.names)]
        expression = expression if self.has_jaw else expression.clamp(0, 1)
        still = still_motion(head, expression, self.names, fps, num_betas)
        return still.replace(jaw_pose=rows[:, len(self.names) :]) if self.has_jaw else still

    def with_laughter(self, motion: Motion, rows: Float[Tensor, "frames controls"]) -> Motion:
        """The motion with rows added to its own as laughter; ARKit channels stay in [0, 1]."""
        moved = self.rows(motion) + rows
        count = len(self.names)
        expression, jaw_pose = moved[:, :count], moved[:, count:] if self.has_jaw else motion.jaw_pose
        expression = expression if self.has_jaw else expression.clamp(0, 1)
        laughter = torch.cat([expression - motion.expression, jaw_pose - motion.jaw_pose], 1)
        return motion.replace(expression=expression, jaw_pose=jaw_pose, laughter=laughter)


def control_dirs(shape: HeadShape) -> Float[Tensor, "controls vertices 3"]:
    """Displacement of every vertex for one unit of each column of `Controls`, meters.

    The jaw's rotation is linearized around rest, which errs by a sixth of the angle squared.
    """
    if not Controls(shape.expression_names).has_jaw:
        return shape.expression_dirs
    arm = shape.template - shape.joints[JAW_JOINT]
    turns = torch.linalg.cross(torch.eye(3).to(arm)[:, None].expand(3, len(arm), 3), arm.expand(3, -1, 3))
    return torch.cat([shape.expression_dirs, turns * shape.skin_weights[:, JAW_JOINT, None]])
