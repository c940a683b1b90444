"""What a gesture does to a face: head, lids, eyes and brows of a motion change, and the mouth does not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.motion import Motion
from facetalk.core.rotations import from_yaw_pitch_roll, matrix_to_axis_angle
from facetalk.core.timing import FPS
from facetalk.head.behavior import PARTS
from facetalk.head.channels import BLINK_NAMES, GAZE_NAMES, WIDE_NAMES, indices
from facetalk.head.gaze import gaze_to_channels
from facetalk.motion.gestures.blinks import Blink, blink_events, lid_closure
from facetalk.motion.gestures.gaze import Gaze, eye_poses, head_turns

NECK_SHARE = 0.3
"""Of the rotation of the head: the neck takes it on (`global_orient`), and the head turns the rest on it."""

LARGEST_TURNS = (25.0, 18.0, 14.0)
"""Degrees of yaw, pitch and roll that gestures approach and never reach."""

BREATHS_HZ, BREATH_M, BREATH_DEG = 0.25, 0.0012, 0.25
"""Fifteen breaths a minute lift the head by a millimeter and tip it back a little."""

_MOVED = ("global_orient", "neck_pose", "transl", "leye_pose", "reye_pose")
"""What changes beside the expression."""

_BLOCK = 4096
"""Frames whose rotations are held as matrices at a time."""


@dataclass(frozen=True, eq=False)
class Performance:
    """Movements that are added to a talking face."""

    angles: Float[Tensor, "frames 3"]
    """Yaw, pitch and roll of the head, radians."""
    blinks: Sequence[Blink]
    away: Float[Tensor, "frames 2"]
    """Yaw and pitch by which the eyes look beside their target, radians."""
    breath: Float[Tensor, " frames"]
    """How far breath lifts the head: -1 to 1."""
    parts: Float[Tensor, "frames parts"] | None = None
    """What is added to each of `PARTS`."""
    loop: bool = False
    """Whether the end joins the beginning."""


def perform(
    motion: Motion,
    performance: Performance | Iterable[Performance],
    head_motion: float,
    blinks: float,
    gaze: Gaze,
    in_place: bool = False,
) -> Motion:
    """Return the motion with these movements.

    Args:
        motion: at 30 fps, with the ARKit channels.
        performance: as long as the motion; or pieces of one, each of which is asked for when the one before is done.
        head_motion: multiplies how far head and brows move; 0 for not at all.
        blinks: 0 for none; how many there are is the performance's business.
        gaze: where the eyes look.
        in_place: see `Gesture.add`.
    """
    targets = gaze.targets(motion.num_frames)
    followed = None if gaze.target is None else min(1.0, head_motion) * head_turns(targets)
    changed = {name: getattr(motion, name).clone() for name in _MOVED}
    if not in_place:
        changed["expression"] = motion.expression.clone()
    result, shown, start = motion.replace(events=(), **changed), {}, 0
    for piece in [performance] if isinstance(performance, Performance) else performance:
        frames = slice(start, start + len(piece.angles))
        if blinks == 0:
            piece = replace(piece, blinks=())
        _move(
            result.cut(frames.start, frames.stop),
            piece,
            head_motion,
            gaze,
            targets[frames],
            None if followed is None else followed[frames],
        )
        # One that goes on in the next piece is in both.
        shown |= dict.fromkeys(blink._replace(peak=blink.peak + start) for blink in piece.blinks)
        start = frames.stop
    return result.replace(events=motion.events).with_events(blink_events(list(shown)))


def _move(
    motion: Motion,
    performance: Performance,
    head_motion: float,
    gaze: Gaze,
    targets: Float[Tensor, "frames 3"],
    followed: Float[Tensor, "frames 2"] | None,
) -> None:
    """Write the movements into the tensors of a motion.

    Args:
        motion: the frames of the performance.
        performance: what is done.
        head_motion: see `perform`.
        gaze: how far glances lead away from the target.
        targets: where the eyes look.
        followed: yaw and pitch with which the head follows them, if it does.
    """
    turns = _turns(performance, head_motion, followed)
    expression, names = motion.expression, motion.expression_names
    if performance.parts is not None and head_motion > 0:
        for part, moved in zip(PARTS.values(), performance.parts.unbind(1), strict=True):
            columns = indices(part, names)
            expression[:, columns] = (expression[:, columns] + min(1.0, head_motion) * moved[:, None]).clamp(0, 1)
    columns = indices(BLINK_NAMES, names)
    # A blink closes what is still open, so that half-closed lids do not close twice.
    closure = lid_closure(motion.num_frames, performance.blinks, performance.loop)
    expression[:, columns] += closure * (1 - expression[:, columns])
    expression[:, indices(WIDE_NAMES, names)] *= 1 - closure  # lids that are torn open close, too
    motion.global_orient.add_(NECK_SHARE * turns)
    motion.neck_pose.add_((1 - NECK_SHARE) * turns)
    if head_motion > 0:
        motion.transl[:, 1] += min(1.0, head_motion) * BREATH_M * performance.breath
    if gaze.amount > 0 or gaze.target is not None:
        left, right = eye_poses(targets, gaze.amount * performance.away, turns)
        motion.leye_pose.add_(left)
        motion.reye_pose.add_(right)
        expression[:, indices(GAZE_NAMES, names)] = gaze_to_channels(motion.leye_pose, motion.reye_pose)


def _turns(
    performance: Performance, head_motion: float, followed: Float[Tensor, "frames 2"] | None
) -> Float[Tensor, "frames 3"]:
    """Axis-angle of the head."""
    most = torch.tensor(LARGEST_TURNS, dtype=torch.float64).deg2rad()
    turns = torch.empty_like(performance.angles)
    for start in range(0, len(turns), _BLOCK):
        block = slice(start, start + _BLOCK)
        # In double precision, because functions of single precision depend on the number of rows in the last bit.
        angles = head_motion * performance.angles[block].double()
        angles[:, 1] -= min(1.0, head_motion) * math.radians(BREATH_DEG) * performance.breath[block]
        angles = most * (angles / most).tanh()
        if followed is not None:
            angles[:, :2] += followed[block]
        turns[block] = matrix_to_axis_angle(from_yaw_pitch_roll(angles)).float()
    return turns


def breaths(generator: torch.Generator) -> Iterator[Float[Tensor, " frames"]]:
    """Yield breaths one after the other, each of its own length."""
    phase = float(torch.rand((), generator=generator))
    while True:
        rate = BREATHS_HZ * math.exp(0.15 * float(torch.randn((), generator=generator)))
        rows: list[float] = []
        while phase < 1:
            rows.append(math.sin(2 * math.pi * phase))
            phase += rate / FPS
        phase -= 1
        yield torch.tensor(rows)


def looped_breath(num_frames: int) -> Float[Tensor, " frames"]:
    """Breaths of which a whole number fits."""
    cycles = max(1, round(num_frames / FPS * BREATHS_HZ))
    return (torch.arange(num_frames) * (2 * math.pi * cycles / num_frames)).sin()
