"""Motion: how one face moves, frame by frame.

World frame: x points to the right of a viewer who faces the head (the subject's left), y up, z out of the face toward
the viewer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from numbers import Real
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.camera import Camera
from facetalk.core.emotions import EMOTIONS, MAX_LEVEL
from facetalk.core.errors import InvalidValueError, UsageError
from facetalk.core.events import Event, cut_events, events_at_times, in_order
from facetalk.core.rotations import axis_angle_to_quaternion, quaternion_to_axis_angle, slerp
from facetalk.core.timing import exact_rate, frame_times

POSES = ("global_orient", "neck_pose", "jaw_pose", "leye_pose", "reye_pose")
"""Joint rotations of a motion, in the order of the head's joints."""

MIN_FPS, MAX_FPS = 1.0, 1000.0
"""Frame rates that motions may have."""

MOST_HOURS = 24

_LARGEST = {
    "expression": 1e3,
    "laughter": 1e3,
    "emotion": MAX_LEVEL + 0.01,
    "transl": 1e4,
    "betas": 1e3,
} | dict.fromkeys(POSES, 1e3)
"""Largest absolute value; meters and radians, and standard deviations or weights near 1. Far beyond any face, and far
below what single precision no longer distinguishes."""

_BLOCK = 4096
"""Frames that are resampled together."""

_LATE_S = 1.0
"""By how much an event may outlast the last frame: rates are rounded, and the slowest has one frame a second."""


@dataclass(frozen=True, eq=False)
class Motion:
    """How one face moves: one row per video frame."""

    head: str
    """Name of the head model that the coefficients belong to."""
    fps: float
    expression: Float[Tensor, "frames n_expression"]
    expression_names: tuple[str, ...]
    global_orient: Float[Tensor, "frames 3"]
    """Axis-angle, radians, like all poses."""
    neck_pose: Float[Tensor, "frames 3"]
    jaw_pose: Float[Tensor, "frames 3"]
    leye_pose: Float[Tensor, "frames 3"]
    reye_pose: Float[Tensor, "frames 3"]
    transl: Float[Tensor, "frames 3"]
    """Meters."""
    betas: Float[Tensor, " n_betas"]
    camera: Camera | None = None
    """The camera of the video that the motion was fitted to; it stands at the world's origin."""
    fit_error: Float[Tensor, " frames"] | None = None
    """Mean landmark distance in inter-ocular units."""
    confidence: Float[Tensor, " frames"] | None = None
    """Confidence in the fit of each frame, from 0 (no face found) to 1."""
    source: str = ""
    source_fps: float = 0.0
    meta: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    """What happens when, by start."""
    laughter: Float[Tensor, "frames n_controls"] | None = None
    """The part of expression and jaw pose, side by side, that laughter added; see `without_laughter`."""
    emotion: Float[Tensor, "frames emotions"] | None = None
    """Level, 0 to 3, of each of `core.emotions.EMOTIONS`; None where nobody has asked for an emotion."""

    def __post_init__(self) -> None:
        for name, columns in (("expression", None), *dict.fromkeys((*POSES, "transl"), 3).items()):
            rows = getattr(self, name)
            if not isinstance(rows, Tensor) or rows.ndim != 2 or columns not in (None, rows.shape[1]):
                raise ValueError(f"{name} must be a tensor (frames, {columns or 'channels'}), not {_kind(rows)}")
        if not isinstance(self.betas, Tensor) or self.betas.ndim != 1:
            raise ValueError(f"betas must be a tensor of one dimension, not {_kind(self.betas)}")
        for name in ("fit_error", "confidence"):
            rows = getattr(self, name)
            if rows is not None and (not isinstance(rows, Tensor) or rows.shape != (self.num_frames,)):
                raise ValueError(f"{name} must be a tensor of {self.num_frames} numbers, not {_kind(rows)}")
        wanted = (self.num_frames, self.expression.shape[1] + 3)
        if self.laughter is not None and (not isinstance(self.laughter, Tensor) or self.laughter.shape != wanted):
            raise ValueError(f"laughter must be a tensor {wanted}, not {_kind(self.laughter)}")
        wanted = (self.num_frames, len(EMOTIONS))
        if self.emotion is not None and (not isinstance(self.emotion, Tensor) or self.emotion.shape != wanted):
            raise ValueError(f"emotion must be a tensor {wanted}, not {_kind(self.emotion)}")
        if len(self.expression_names) != self.expression.shape[1]:
            raise ValueError(f"{len(self.expression_names)} names for {self.expression.shape[1]} expression columns")
        for name in (*POSES, "transl"):
            if len(getattr(self, name)) != self.num_frames:
                raise ValueError(f"{name} has {len(getattr(self, name))} frames, expression has {self.num_frames}")
        if not self.fps > 0:
            raise ValueError(f"fps={self.fps} must be positive")
        if any(second.start < first.start for first, second in pairwise(self.events)):
            raise ValueError("events must be sorted by their start; `with_events` does it")

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return self.expression.shape[0]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.num_frames / self.fps

    @property
    def source_turn(self) -> int:
        """Counterclockwise quarter turns that bring the source upright; the motion and its camera belong to the turned
        frames."""
        turn = self.meta.get("source_turn", 0)
        return turn if turn in (0, 1, 2, 3) else 0

    @property
    def poses(self) -> Float[Tensor, "frames joints 3"]:
        """All joint rotations, in the order of the head's joints."""
        return torch.stack([getattr(self, name) for name in POSES], 1)

    def channel(self, name: str) -> Float[Tensor, " frames"]:
        """One expression coefficient over time."""
        return self.expression[:, self.expression_names.index(name)]

    def events_of(self, kind: str) -> tuple[Event, ...]:
        """Return the events of one kind."""
        return tuple(event for event in self.events if event.kind == kind)

    def with_events(self, events: Iterable[Event]) -> Motion:
        """Return a copy with further events; of what lies beyond its end, nothing is kept."""
        return self.replace(events=cut_events(in_order((*self.events, *events)), 0.0, self.duration_s))

    def replace(self, **changes: Any) -> Motion:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def without_laughter(self) -> Motion:
        """Return the motion as the speech alone moves it."""
        if self.laughter is None:
            return self
        expression, jaw_pose = self.laughter[:, :-3], self.laughter[:, -3:]
        return self.replace(expression=self.expression - expression, jaw_pose=self.jaw_pose - jaw_pose, laughter=None)

    def keeping_laughter(self, change: Callable[[Motion], Motion]) -> Motion:
        """Return the motion after a change of its curves, and find anew how much of the result is laughter."""
        if self.laughter is None:
            return change(self)
        whole, talking = change(self.replace(laughter=None)), change(self.without_laughter())
        parts = (whole.expression - talking.expression, whole.jaw_pose - talking.jaw_pose)
        return whole.replace(laughter=torch.cat(parts, 1))

    def cut(self, start: int, stop: int) -> Motion:
        """Return the frames from `start` up to but not including `stop`, and what happens in them."""
        part = self._per_frame(lambda rows: rows[start:stop])
        if not self.events:
            return part
        first, after, _ = slice(start, stop).indices(self.num_frames)
        return part.replace(events=cut_events(self.events, first / self.fps, max(first, after) / self.fps))

    def blocks(self, size: int) -> Iterator[tuple[int, Motion]]:
        """Yield pieces of at most `size` frames without events, each with the number of its first frame."""
        frames = self.replace(events=())
        for start in range(0, self.num_frames, size):
            yield start, frames.cut(start, start + size)

    def pick(self, frames: Sequence[int]) -> Motion:
        """Return some frames, in the given order; events are dropped, because single frames have no course of time."""
        rows = torch.tensor(frames, dtype=torch.long)
        return self.replace(events=())._per_frame(lambda values: values[rows])

    def to_fps(self, fps: float) -> Motion:
        """Return the motion sampled at another frame rate; 29.97 stands for 30000/1001 (see `exact_rate`).

        Fast contacts may fall between two frames of a lower rate; `facetalk.motion.frame_rate` keeps them.
        """
        rate = exact_rate(fps)
        if rate == exact_rate(self.fps):
            return self
        return self.at_times(frame_times(resampled_frames(self, fps), rate), float(rate))

    def at_times(self, times: Float[Tensor, " frames"], fps: float) -> Motion:
        """Return the motion at other times: constant beyond the ends, rotations along the shortest arc.

        Events move along with what they describe. Where the times do not increase they are dropped.

        Args:
            times: of each frame of the result, seconds from the first frame.
            fps: frame rate of the result.
        """
        # Without the rounding, errors of the last bit would blend frames that are to be copied.
        place = (times.double() * float(exact_rate(self.fps))).mul(1e6).round().div(1e6).clamp(0, self.num_frames - 1)
        left = place.long()
        blend = (place - left).to(self.expression.dtype)
        right = (left + (blend > 0)).clamp(max=self.num_frames - 1)

        def linear(rows: Tensor) -> Tensor:
            result = rows.new_empty(len(left), *rows.shape[1:])
            for start in range(0, len(left), _BLOCK):  # an hour of rows would be copied several times otherwise
                part = slice(start, start + _BLOCK)
                share = blend[part].reshape(-1, *[1] * (rows.ndim - 1)).to(rows)
                result[part] = torch.lerp(rows[left[part]], rows[right[part]], share)
            return result

        def turned(rows: Tensor) -> Tensor:
            first, second = (axis_angle_to_quaternion(rows[end]) for end in (left, right))
            between = quaternion_to_axis_angle(slerp(first, second, blend))
            return torch.where((left == right)[:, None], rows[left], between)

        poses = {name: turned(getattr(self, name)) for name in POSES}
        events = events_at_times(self.events, times, fps)
        return self.replace(events=())._per_frame(linear).replace(fps=fps, events=events, **poses)

    def _per_frame(self, change: Callable[[Tensor], Tensor]) -> Motion:
        return self.replace(**{name: change(getattr(self, name)) for name in self._framewise()})

    def _framewise(self) -> list[str]:
        """Names of the fields with a row for each frame."""
        names = [f.name for f in fields(self) if f.name not in ("betas", "camera")]
        return [name for name in names if isinstance(getattr(self, name), Tensor)]


def joined(motions: Sequence[Motion]) -> Motion:
    """One motion after the other, without events; everything but the frames is that of the first.

    Args:
        motions: at least one; parts of one recording, such as a session returns.
    """
    first = motions[0].replace(events=())
    return first.replace(
        **{name: torch.cat([getattr(motion, name) for motion in motions]) for name in first._framewise()}
    )


def resampled_frames(motion: Motion, fps: float) -> int:
    """Number of frames that a motion has at another frame rate, at least one."""
    return max(1, round(motion.num_frames / exact_rate(motion.fps) * exact_rate(fps)))


def _kind(value: object) -> str:
    """What an argument is, for a message."""
    return f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def check_fps(fps: float | None) -> None:
    """Refuse frame rates that no program plays; None stands for the motion's own."""
    if fps is not None and not (isinstance(fps, Real) and MIN_FPS <= fps <= MAX_FPS):
        raise UsageError(
            f"fps is {fps}; it must be a number between {MIN_FPS:g} and {MAX_FPS:g}, such as 24, 29.97 or 60"
        )


def check_values(motion: Motion) -> None:
    """Refuse a motion whose values are not finite or beyond what a face can do: nothing that is made of it would be.

    Raises:
        InvalidValueError: names the values.
    """
    # Without intermediate tensors, because an hour of motion is large.
    present = {name: values for name in _LARGEST if (values := getattr(motion, name)) is not None and values.numel()}
    largest = {name: max(map(abs, torch.stack(values.aminmax()).tolist())) for name, values in present.items()}
    bad = [name for name, value in largest.items() if not math.isfinite(value)]
    if motion.confidence is not None and not bool(torch.isfinite(motion.confidence).all()):
        bad.append("confidence")
    if bad:
        raise InvalidValueError(f"the motion has values that are not finite in {', '.join(bad)}")
    for name, value in largest.items():
        if value > (limit := _LARGEST[name]):
            raise InvalidValueError(f"{name} of the motion reaches {value:.3g}; at most {limit:g} makes sense")
    if motion.num_frames == 0:
        raise InvalidValueError("the motion has no frames")
    if not MIN_FPS <= motion.fps <= MAX_FPS:
        raise InvalidValueError(f"fps of the motion is {motion.fps:g}; it must be {MIN_FPS:g} to {MAX_FPS:g}")
    if not 0 <= motion.source_fps <= MAX_FPS:
        raise InvalidValueError(f"source_fps of the motion is {motion.source_fps:g}; it must be 0 to {MAX_FPS:g}")
    if motion.duration_s > MOST_HOURS * 3600:
        raise InvalidValueError(
            f"the motion lasts {motion.duration_s / 3600:.0f} hours; at most {MOST_HOURS} can be used"
        )
    late = next((event for event in motion.events if event.end > motion.duration_s + _LATE_S), None)
    if late is not None:
        raise InvalidValueError(
            f"a {late.kind} ends at {late.end:.2f} s, the motion at {motion.duration_s:.2f} s; with_events cuts it off"
        )


def still_motion(
    head: str, expression: Float[Tensor, "frames n"], names: tuple[str, ...], fps: float, n_betas: int
) -> Motion:
    """Return a motion of the expression alone: joints at rest, mean identity."""
    rest = expression.new_zeros(1, 3).expand(len(expression), 3)  # one row of memory for all frames
    poses: dict[str, Any] = dict.fromkeys(POSES, rest)
    return Motion(
        head=head,
        fps=fps,
        expression=expression,
        expression_names=names,
        transl=rest,
        betas=expression.new_zeros(n_betas),
        **poses,
    )
