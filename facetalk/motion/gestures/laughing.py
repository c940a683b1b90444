"""Laughing with the whole head: it leans back as the laugh grows, bobs with the bursts, and the brows rise.

When people laugh the head goes back and up, and the trunk shakes at the rate of the bursts, four to six a second
(Ruch and Ekman 2001, The Expressive Pattern of Laughter; Niewiadomski et al. 2014). The sizes are a choice, at the
lower end of what is seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.activity import loudness_db
from facetalk.core.motion import Motion
from facetalk.core.timing import FPS, SAMPLE_RATE
from facetalk.head.channels import GAZE_NAMES, indices
from facetalk.head.gaze import gaze_to_channels
from facetalk.io.audio import Waveform
from facetalk.motion.gestures.gaze import EYE_LIMITS, Gaze

BROW_NAMES = ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")

MOST_MOTION = 2.0
"""Of the factors on the head: what a laugh adds to the other movements of the head stays within a neck's reach."""


@dataclass(frozen=True)
class Laughing:
    """Moves head and brows in the motion's laughs; a motion without laughs stays as it is."""

    head_motion: float = 1.0
    """Multiplies how far the head moves, up to `MOST_MOTION`; 0 for not at all."""
    gaze: Gaze = field(default_factory=Gaze)
    """Where the eyes look; unless they rest, they stay there while the head moves."""
    lean_deg: float = 5.0
    """How far the head leans back in a laugh that lasts."""
    tilt_deg: float = 2.0
    """How far it tilts to one side, at most."""
    bob_deg: float = 0.9
    """How far it goes with the bursts."""
    brows: float = 0.15
    """How far the brows rise."""
    growth_s: float = 1.2
    """A laugh of this length has grown to two thirds."""

    def add(
        self, motion: Motion, waveform: Waveform | None, generator: torch.Generator, in_place: bool = False
    ) -> Motion:
        """Return the motion with the head laughing along; see `Gesture.add`."""
        if motion.fps != FPS:
            raise ValueError(f"gestures are made for {FPS:g} fps, the motion has {motion.fps:g}")
        laughs = motion.events_of("laugh")
        if not laughs:
            return motion
        sides = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=generator)))
        grown, side = torch.zeros(motion.num_frames), torch.zeros(motion.num_frames)
        for laugh in laughs:
            course = laugh_course(motion.num_frames, laugh.start, laugh.end, self.growth_s) * (laugh.strength or 1.0)
            tilt = 2 * torch.rand((), generator=sides, dtype=torch.float64).item() - 1
            side = torch.where(course > grown, tilt * course, side)
            grown = torch.maximum(grown, course)
        bursts = torch.zeros_like(grown) if waveform is None else burst_course(waveform, motion.num_frames)
        head = torch.zeros(motion.num_frames, 3)
        # Pitch is positive downwards: the head leans back, and nods a little with every burst.
        head[:, 0] = math.radians(-self.lean_deg) * grown + math.radians(self.bob_deg) * bursts * grown.sqrt()
        head[:, 2] = math.radians(self.tilt_deg) * side
        expression = motion.expression if in_place else motion.expression.clone()
        columns = indices(BROW_NAMES, motion.expression_names)
        raised = expression[:, columns] + self.brows * grown[:, None]
        expression[:, columns] = torch.maximum(raised.clamp(max=1), expression[:, columns])
        head *= min(MOST_MOTION, self.head_motion)
        changes = {"neck_pose": motion.neck_pose + head}
        if self.gaze.amount > 0 or self.gaze.target is not None:
            left, right = countered(motion.leye_pose, head), countered(motion.reye_pose, head)
            changes |= {"leye_pose": left, "reye_pose": right}
            moved = (head[:, 0] != 0)[:, None]
            columns = indices(GAZE_NAMES, motion.expression_names)
            expression[:, columns] = torch.where(moved, gaze_to_channels(left, right), expression[:, columns])
        return motion.replace(expression=expression, **changes)


def countered(eye_pose: Float[Tensor, "frames 3"], head: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames 3"]:
    """The pose of an eye that keeps its direction while the head nods, as far as its socket allows."""
    most = math.radians(EYE_LIMITS[1])
    pitch = eye_pose[:, 0]
    wanted = (pitch - head[:, 0]).clamp(pitch.clamp(max=-most), pitch.clamp(min=most))
    return torch.stack([wanted, *eye_pose[:, 1:].unbind(1)], 1)


def laugh_course(num_frames: int, start_s: float, end_s: float, growth_s: float) -> Float[Tensor, " frames"]:
    """How far a laugh has grown in each frame, 0 to 1: it approaches 1 while it lasts, and calms down as slowly.

    Both the course and its speed are continuous: a spring at its critical damping follows the laugh.
    """
    course = torch.zeros(num_frames)
    rate = 2.0 / growth_s
    first, last = max(0, math.floor(start_s * FPS)), min(num_frames, math.ceil((end_s + 4 * growth_s) * FPS))
    times = torch.arange(first, max(first, last), dtype=torch.float64) / FPS

    def risen(since: Tensor) -> Tensor:
        since = since.clamp_min(0) * rate
        return 1 - (1 + since) * torch.exp(-since)

    course[first : first + len(times)] = (risen(times - start_s) - risen(times - end_s)).float()
    return course


def burst_course(waveform: Waveform, num_frames: int) -> Float[Tensor, " frames"]:
    """The fast course of the loudness, about -1 to 1, a frame late because a head is slower than a voice."""
    level = loudness_db(waveform[: math.ceil(num_frames / FPS * SAMPLE_RATE)])[:num_frames]
    level = torch.nn.functional.pad(level[None], (0, num_frames - len(level)), mode="replicate")
    fast = _averaged(level, 3) - _averaged(level, 21)
    return torch.nn.functional.pad((fast / 8).clamp(-1, 1), (1, 0))[0, :num_frames]


def _averaged(curve: Float[Tensor, "1 frames"], size: int) -> Float[Tensor, "1 frames"]:
    """Mean over this many frames up to the present one, so that no frame depends on what follows."""
    padded = torch.nn.functional.pad(curve, (size - 1, 0), mode="replicate")
    return padded.unfold(1, size, 1).mean(2)
