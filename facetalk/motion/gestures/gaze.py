"""Where the eyes look: fixations on and beside the listener, and saccades between them.

Statistics are those that Lee, Badler and Badler (2002, "Eyes Alive") measured on people who talk. Directions are in
degrees relative to the line to the target: yaw to the subject's left, pitch down.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import UsageError
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.core.timing import FPS

MOST = 10.0
"""Largest factor on gaze, head motion and blinks: nobody moves so much."""
EYE_CONTACT = 0.77
"""Share of the time that a talking person looks at the listener: 93.9 of 121.7 frames."""
_CONTACT_S, _AWAY_S = 3.13, 0.93
"""Mean length of looks at the listener and away from them; their spreads are about as long, so they are exponential."""
_LEAST_CONTACT_S, _LEAST_AWAY_S = 0.5, 0.25
_DIRECTIONS = (15.54, 6.46, 17.69, 7.44, 16.80, 7.89, 20.38, 7.79)
"""Percent of the saccades in eight directions, every 45 degrees: first to the subject's left, then up."""
_FACE = ((-1.8, 0.0), (1.8, 0.0), (0.0, 2.6), (0.0, 0.8))
"""The listener's eyes, mouth and nose at the distance of a conversation."""
_ON_FACE_S, _AWAY_FIXATION_S = 1.0, 0.5
"""Mean length of single fixations."""
_LEAST_FIXATION_S = 0.2
_WIDEST_YAW, _HIGHEST, _LOWEST = 20.0, 10.0, 14.0
"""Limits of looks away."""
_LARGEST = 27.5
"""Of a saccade, degrees."""
FARTHEST_ASIDE = 60.0
"""Of a look beside the target, degrees, so that no factor turns a look to the left into one to the right."""

SACCADE_S, SACCADE_S_PER_DEGREE = 0.021, 0.0022
"""Length of a saccade: the main sequence (Carpenter 1988)."""

BLINKLESS, BLINKING, EVOKED = 10.0, 33.0, 0.97
"""Saccades of fewer degrees evoke no blink, and those of more do in 97 % (Evinger et al. 1994); linear in between."""

HEAD_SHARE, FREE_EYES = 0.6, 25.0
"""The head takes this share of the way to a target, and what is more than so many degrees from it for the eyes."""
LARGEST_TURN = 60.0
"""Of the head, degrees."""
_FOLLOW_RATE = 5.0
"""With which the head follows a target, 1/s: it arrives half a second after the eyes."""

EYE_DISTANCE = 0.063
"""Between the eyes, meters: the bundled head's, and the adult mean (Dodgson 2004)."""
VIEWER_M = 1.4
"""Distance of a viewer: that of the camera in front of the head."""
EYE_LIMITS = (30.0, 22.0)
"""Largest yaw and pitch of an eye in its socket, degrees."""

_BLOCK = 4096
"""Frames whose rotations are held as matrices at a time."""


@dataclass(frozen=True, eq=False)
class Gaze:
    """Where the eyes look."""

    amount: float = 1.0
    """Multiplies how far looks and glances lead away from the target; 0: eyes that rest."""
    eye_contact: float = EYE_CONTACT
    """Share of the time that the eyes are on the target."""
    target: Float[Tensor, "frames 3"] | Float[Tensor, "1 3"] | None = None
    """Where the target is: meters from the point between the eyes at rest, x to the subject's left, y up, z to the
    front. One row for all frames, or one for each. If None, it is the viewer, and the head does not turn for them."""

    def __post_init__(self) -> None:
        if not 0 <= self.amount <= MOST:
            raise UsageError(f"gaze is {self.amount}; it must be a number between 0 and {MOST:g}")
        if not 0 <= self.eye_contact <= 1:
            raise UsageError(f"eye contact is {self.eye_contact}; it must be a share between 0 and 1")
        if self.target is not None and not (isinstance(self.target, Tensor) and self.target.ndim == 2):
            raise UsageError(f"the target of a gaze is {self.target!r:.80}; it must be a tensor with rows of x, y, z")

    def targets(self, num_frames: int) -> Float[Tensor, "frames 3"]:
        """The target in each frame; the last place counts from then on."""
        rows = torch.tensor([[0.0, 0.0, VIEWER_M]]) if self.target is None else self.target
        rows = rows[:num_frames]
        return torch.cat([rows, rows[-1:].expand(num_frames - len(rows), 3)])


class Fixation(NamedTuple):
    """A stretch of time in which the eyes stay."""

    start_s: float
    yaw: float
    pitch: float
    contact: bool
    """Whether it is on the target."""


def sample_fixations(seconds: float, generator: torch.Generator, eye_contact: float = EYE_CONTACT) -> list[Fixation]:
    """Sample fixations one after the other; fewer seconds have the first of those of more.

    Args:
        seconds: how long.
        generator: source of all choices.
        eye_contact: share of the time on the target.
    """
    coming = endless_fixations(generator, eye_contact)
    found = [next(coming)]
    while (following := next(coming)).start_s < seconds:
        found.append(following)
    return found


def endless_fixations(generator: torch.Generator, eye_contact: float) -> Iterator[Fixation]:
    """Yield fixations one after the other; arguments are those of `sample_fixations`."""
    contact_s, away_s = _mean_lengths(eye_contact)
    time, contact = 0.0, eye_contact > 0
    while True:
        mean, least = (contact_s, _LEAST_CONTACT_S) if contact else (away_s, _LEAST_AWAY_S)
        end = time + max(least, _exponential(mean, generator))
        yaw = pitch = 0.0
        while time < end:
            yaw, pitch = _on_face(generator) if contact else _away(yaw, pitch, generator)
            yield Fixation(time, yaw, pitch, contact)
            usual = _ON_FACE_S if contact else _AWAY_FIXATION_S
            time = min(end, time + max(_LEAST_FIXATION_S, _exponential(usual, generator)))
        contact = eye_contact > 0 and (not contact or eye_contact >= 1)


def _mean_lengths(eye_contact: float) -> tuple[float, float]:
    """Mean length of looks at the target and away from it that come to a share of the time."""
    if not 0 < eye_contact < 1:
        return _CONTACT_S, _CONTACT_S
    contact = _AWAY_S * eye_contact / (1 - eye_contact)
    if contact >= _LEAST_CONTACT_S * 2:
        return contact, _AWAY_S
    contact = _LEAST_CONTACT_S * 2
    return contact, contact * (1 - eye_contact) / eye_contact


def _on_face(generator: torch.Generator) -> tuple[float, float]:
    place = int(torch.randint(len(_FACE), (), generator=generator))
    yaw, pitch = (0.4 * torch.randn(2, generator=generator, dtype=torch.float64)).tolist()
    return _FACE[place][0] + yaw, _FACE[place][1] + pitch


def _away(yaw: float, pitch: float, generator: torch.Generator) -> tuple[float, float]:
    """A saccade from a direction, which does not end on the target."""
    chosen = int(torch.multinomial(torch.tensor(_DIRECTIONS), 1, generator=generator))
    percent, turn = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
    # Their equation 2: magnitudes of saccades that occur with a frequency of so many percent.
    size = min(_LARGEST, max(3.0, -6.9 * math.log(max(1e-3, 15 * percent) / 15.7)))
    angle = math.radians(45 * chosen + 30 * (turn - 0.5))
    yaw = min(_WIDEST_YAW, max(-_WIDEST_YAW, yaw + size * math.cos(angle)))
    return yaw, min(_LOWEST, max(-_HIGHEST, pitch - size * math.sin(angle)))


def _exponential(mean: float, generator: torch.Generator) -> float:
    return -mean * math.log(max(1e-9, torch.rand((), generator=generator, dtype=torch.float64).item()))


class GlanceCourse:
    """The `glances` of a gaze without end, taken as they are needed."""

    def __init__(self, generator: torch.Generator, gaze: Gaze) -> None:
        self._amount = gaze.amount
        self._coming = endless_fixations(generator, gaze.eye_contact)
        self._held = [next(self._coming)]
        self._frame = 0

    def take(self, num_frames: int) -> tuple[Float[Tensor, "frames 2"], Float[Tensor, " frames"]]:
        """The next rows, and the probability of a blink that comes with a saccade, see `evoked_blinks`."""
        end_s = (self._frame + num_frames) / FPS
        while self._held[-1].start_s < end_s:
            self._held.append(next(self._coming))
        rows = glances(num_frames, self._held, self._frame)
        evoked = evoked_blinks(num_frames, self._held, self._amount, self._frame)
        self._frame += num_frames
        # The fixation of the last frame goes on, and the saccade to it comes from the one before.
        now = sum(fixation.start_s <= end_s for fixation in self._held)
        del self._held[: max(0, now - 2)]
        return rows, evoked


def glances(num_frames: int, fixations: list[Fixation], first: int = 0) -> Float[Tensor, "frames 2"]:
    """Yaw and pitch of the gaze in each frame, radians: still within fixations, and fast between them.

    A saccade begins at the fixation's start; its course is that of least jerk (Flash and Hogan 1985).

    Args:
        num_frames: at 30 fps.
        fixations: by their start, the first at 0 s, or two of them before the first frame.
        first: number of the first frame.
    """
    rows = torch.tensor([[fixation.yaw, fixation.pitch] for fixation in fixations], dtype=torch.float64)
    starts = torch.tensor([fixation.start_s for fixation in fixations], dtype=torch.float64)
    times = torch.arange(first, first + num_frames, dtype=torch.float64) / FPS
    now = (torch.searchsorted(starts, times, right=True) - 1).clamp_min(0)
    before = rows[(now - 1).clamp_min(0)]
    size = (rows[now] - before).norm(dim=1)
    done = ((times - starts[now]) / (SACCADE_S + SACCADE_S_PER_DEGREE * size)).clamp(0, 1)
    done = done**3 * (10 - 15 * done + 6 * done**2)
    return torch.deg2rad(before + done[:, None] * (rows[now] - before)).float()


def evoked_blinks(
    num_frames: int, fixations: list[Fixation], amount: float = 1.0, first: int = 0
) -> Float[Tensor, " frames"]:
    """Probability in each frame that a saccade which begins there comes with a blink.

    Args:
        num_frames: at 30 fps.
        fixations: by their start.
        amount: multiplies the sizes of the saccades, see `Gaze.amount`.
        first: number of the first frame.
    """
    chances = torch.zeros(num_frames)
    for before, after in pairwise(fixations):
        frame = math.ceil(after.start_s * FPS) - first
        if 0 <= frame < num_frames:
            size = amount * math.hypot(after.yaw - before.yaw, after.pitch - before.pitch)
            chances[frame] = EVOKED * min(1.0, max(0.0, (size - BLINKLESS) / (BLINKING - BLINKLESS)))
    return chances


def head_turns(targets: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames 2"]:
    """Yaw and pitch with which the head follows a target, radians.

    It moves as a critically damped spring, from a place where it looks at the first target.
    """
    yaw, pitch = directions(targets).rad2deg().unbind(1)
    wanted = torch.stack([_for_head(yaw), _for_head(pitch)], 1)
    if len(targets) == 1 or bool((wanted == wanted[:1]).all()):
        return torch.deg2rad(wanted)
    step = _FOLLOW_RATE / FPS
    decay = math.exp(-step)
    place, speed = wanted[0].tolist(), [0.0, 0.0]
    rows = []
    for goal in wanted.tolist():
        for axis in range(2):
            away = place[axis] - goal[axis]
            drive = speed[axis] + _FOLLOW_RATE * away
            place[axis] = goal[axis] + decay * (away + drive / FPS)
            speed[axis] = decay * (speed[axis] - step * drive)
        rows.append(list(place))
    return torch.deg2rad(torch.tensor(rows))


def _for_head(angle: Float[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """The part of an angle that the head takes, degrees."""
    size = torch.maximum(HEAD_SHARE * angle.abs(), angle.abs() - FREE_EYES)
    return angle.sign() * size.clamp(max=LARGEST_TURN)


def directions(targets: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames 2"]:
    """Yaw and pitch of places, radians."""
    x, y, z = targets.unbind(1)
    return torch.stack([torch.atan2(x, z), -torch.atan2(y, torch.hypot(x, z))], 1)


def eye_poses(
    targets: Float[Tensor, "frames 3"], away: Float[Tensor, "frames 2"], turns: Float[Tensor, "frames 3"]
) -> tuple[Float[Tensor, "frames 3"], Float[Tensor, "frames 3"]]:
    """Rotations of the left and the right eyeball that look at a target, whichever way the head is turned.

    Both eyes meet at the target's distance, and neither leaves the range of comfort.

    Args:
        targets: places, see `Gaze.target`.
        away: yaw and pitch that are added, radians.
        turns: axis-angle of the head.
    """
    blocks = zip(*(rows.split(_BLOCK) for rows in (targets, away, turns)), strict=True)
    left, right = zip(*(_eye_poses(*block) for block in blocks), strict=True)
    return torch.cat(left), torch.cat(right)


def _eye_poses(targets: Tensor, away: Tensor, turns: Tensor) -> tuple[Tensor, Tensor]:
    # In double precision, because functions of single precision depend on the number of rows in the last bit.
    targets, turns = targets.double(), turns.double()
    aside = math.radians(FARTHEST_ASIDE)
    yaw, pitch = (directions(targets) + away.clamp(-aside, aside)).unbind(1)
    ahead = torch.stack([yaw.sin() * pitch.cos(), -pitch.sin(), yaw.cos() * pitch.cos()], 1)
    local = torch.einsum("tji,tj->ti", axis_angle_to_matrix(turns), ahead)
    meet = torch.atan(EYE_DISTANCE / 2 / targets.norm(dim=1).clamp_min(0.25))
    yaw, pitch = torch.atan2(local[:, 0], local[:, 2]), -torch.asin(local[:, 1].clamp(-1, 1))
    wide, high = (math.radians(limit) for limit in EYE_LIMITS)
    yaw, pitch = yaw.clamp(-wide, wide), pitch.clamp(-high, high)
    return toward(yaw - meet, pitch).float(), toward(yaw + meet, pitch).float()


def toward(yaw: Float[Tensor, " frames"], pitch: Float[Tensor, " frames"]) -> Float[Tensor, "frames 3"]:
    """Rotation that turns an eye from straight ahead to a direction without torsion (Listing's law)."""
    x, y, z = yaw.sin() * pitch.cos(), -pitch.sin(), yaw.cos() * pitch.cos()
    angle, sine = torch.atan2(torch.hypot(x, y), z), torch.hypot(x, y)
    scale = torch.where(sine < 1e-6, torch.ones_like(sine), angle / sine.clamp_min(1e-9))
    return torch.stack([-y * scale, x * scale, torch.zeros_like(x)], 1)
