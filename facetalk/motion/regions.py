"""Regional control: how far mouth, upper face, eyes and head move, and single channels among them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from numbers import Real

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.core.rotations import (
    axis_angle_to_matrix,
    axis_angle_to_quaternion,
    matrix_to_axis_angle,
    quaternion_to_axis_angle,
)
from facetalk.core.text_values import parse_number
from facetalk.head.channels import ARKIT_NAMES, BLINK_NAMES
from facetalk.motion.contacts import keep_contacts
from facetalk.motion.curves import ANGLES, LARGEST_ANGLE, Curves, bounded, resolved

REGIONS = {
    "mouth": ("jaw", "mouth", "cheekPuff", "tongue"),
    "upper": ("brow", "cheekSquint", "nose"),
    "eyes": ("eye",),
    "head": (),
}
"""How the channels of each region begin; together they have all of ARKit's. The rotation of the jaw belongs to the
mouth, those of the eyeballs to the eyes; the head turns and moves as a whole."""

MAX_GAIN = 4.0

_ROTATIONS = {"mouth": ("jaw_pose",), "eyes": ("leye_pose", "reye_pose"), "head": ("neck_pose",), "upper": ()}
_SHOWN_BY = {"eyes": "blink", "head": "nod"}
"""Events that are no more where a region rests."""
_MOST_TURNED = {"mouth": 40.0, "eyes": 40.0, "head": 80.0}
"""Degrees that a gain does not exceed, unless the motion itself does."""


@dataclass(frozen=True)
class RegionalControl:
    """How much regions and channels of a face move.

    Example:
        >>> RegionalControl(gains={"mouth": 1.2, "jawOpen": 1.1}, offsets={"eyeSquint": 0.05})
    """

    gains: Mapping[str, float] = field(default_factory=dict)
    """Factors around rest, 0 to 4, of regions (`mouth`, `upper`, `eyes`, `head`) and channels, which go before their
    region. `mouthSmile` means both sides."""
    offsets: Mapping[str, float] = field(default_factory=dict)
    """What is added to channels, -1 to 1, or to the angles `headYaw`, `headPitch`, `headRoll`, `eyesYaw` and
    `eyesPitch`, degrees."""
    only: tuple[str, ...] = ()
    """Regions that move, while the others rest; all if empty."""

    def __post_init__(self) -> None:
        for name, value in self.gains.items():
            if not (isinstance(value, Real) and 0 <= value <= MAX_GAIN):
                raise UsageError(f"the gain of {name:.40} is {value}; it must be a number between 0 and {MAX_GAIN:g}")
        for name, value in self.offsets.items():
            most = LARGEST_ANGLE if name in ANGLES else 1.0
            if not (isinstance(value, Real) and abs(value) <= most):
                raise UsageError(f"the offset of {name:.40} is {value}; it must be between {-most:g} and {most:g}")
        for name in self.only:
            if name not in REGIONS:
                raise UsageError(f"unknown region {name!r:.40}; there are: {', '.join(REGIONS)}")

    @classmethod
    def parsed(cls, gain: str | None = None, offset: str | None = None, only: str | None = None) -> RegionalControl:
        """Read `mouth=1.2,jawOpen=1.1`, `eyeSquint=0.05` and `mouth,eyes`.

        Raises:
            UsageError: one of them is not of this form, or a value is out of range.
        """
        regions = tuple(name.strip() for name in only.split(",")) if only is not None else ()
        return cls(_assignments(gain, "gain"), _assignments(offset, "offset"), regions)

    def check(self, names: Sequence[str] = ARKIT_NAMES) -> None:
        """Refuse names that a motion with these channels does not have.

        Raises:
            UsageError: names the first of them, and the closest one that there is.
        """
        for name in self.gains:
            if name not in REGIONS:
                resolved(name, names, tuple(REGIONS))
        for name in self.offsets:
            if name in REGIONS:
                raise UsageError(f"an offset is that of a channel, such as jawOpen, and not of the region {name}")
            resolved(name, names)

    def described(self) -> dict[str, str | None]:
        """The texts of which `parsed` makes this control, for records."""
        parts = {
            "gain": ",".join(f"{name}={value:g}" for name, value in self.gains.items()),
            "offset": ",".join(f"{name}={value:g}" for name, value in self.offsets.items()),
            "only": ",".join(self.only),
        }
        return {name: text or None for name, text in parts.items()}


def _assignments(text: str | None, what: str) -> dict[str, float]:
    values: dict[str, float] = {}
    for part in text.split(",") if text is not None else ():
        name, sign, number = (piece.strip() for piece in part.partition("="))
        if not name or not sign:
            raise UsageError(f"cannot read the {what} {part[:80]!r}; write it as NAME=NUMBER,NAME=NUMBER")
        if name in values:
            raise UsageError(f"the {what} of {name[:40]} is given twice")
        try:
            values[name] = parse_number(number, f"the {what} of {name[:40]}")
        except FacetalkError as error:
            raise UsageError(str(error)) from None
    return values


def controlled(motion: Motion, control: RegionalControl | None, *, resting: bool = False) -> Motion:
    """Return a motion whose regions move more, less or not at all.

    Regions that are not among `only` rest first, then gains apply, then offsets. Channels of ARKit stay within 0 to 1.
    Lips that were closed close again, and so do lids under a gain of their region: only a gain or an offset of
    `eyeBlink` itself, or a gain of 0, changes how far they shut. Rotations are scaled from rest; the place and turn of
    a tracked head around their mean over the clip.

    Args:
        motion: for any head.
        control: None changes nothing.
        resting: whether the head stays about its place at rest, as in animated motions, so that its place and turn are
            scaled around that: then the result does not depend on the other frames.

    Raises:
        UsageError: the motion has no such channel, or its channels cannot be told apart by region.
    """
    if control is None or control == RegionalControl():
        return motion
    if motion.laughter is not None:
        return motion.keeping_laughter(lambda part: controlled(part, control, resting=resting))
    names = motion.expression_names
    control.check(names)
    _check_regions(motion, control)
    still = set(REGIONS) - set(control.only) if control.only else set()
    kept = _scaled(motion, dict.fromkeys(still, 0.0), resting)
    regional = {name: value for name, value in control.gains.items() if name in REGIONS}
    curves = Curves(_scaled(kept, {**regional, **_single(control.gains, names)}, resting))
    for name, gain in _single(control.gains, names).items():
        if name in ANGLES:
            curves.write(name, gain * curves.read(name))
    for name, offset in _single(control.offsets, names).items():
        curves.write(name, curves.read(name) + offset)
    free = {*_single(control.gains, names), *_single(control.offsets, names)} & set(BLINK_NAMES)
    if control.gains.get("eyes") == 0:
        free = set(BLINK_NAMES)
    still |= {region for region, gain in regional.items() if gain == 0}
    gone = {_SHOWN_BY[region] for region in still & set(_SHOWN_BY)}
    events = tuple(event for event in motion.events if event.kind not in gone)
    return keep_contacts(kept, curves.motion(), free).replace(events=events)


def _check_regions(motion: Motion, control: RegionalControl) -> None:
    """Refuse regions where the channels of a motion do not say what they move."""
    names = motion.expression_names
    if (control.only or set(control.gains) & {"mouth", "upper", "eyes"}) and not set(names) & set(ARKIT_NAMES):
        known = names[0] if names else "none"
        raise UsageError(
            f"the channels of the head {motion.head!r} ({known}, ...) belong to no known regions; "
            f"name channels, or retarget the motion to a head with ARKit's"
        )


def region_of(channel: str) -> str | None:
    """The region that a channel belongs to; None for channels that are not ARKit's."""
    if channel not in ARKIT_NAMES:
        return None
    return next(region for region, starts in REGIONS.items() if channel.startswith(starts))


def _single(values: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """The values of single curves, with both sides for names without one; a name that says its side goes first."""
    found: dict[str, float] = {}
    for name, value in sorted(values.items(), key=lambda item: item[0] in names):
        if name not in REGIONS:
            found |= dict.fromkeys(resolved(name, names), value)
    return found


def _scaled(motion: Motion, gains: Mapping[str, float], resting: bool) -> Motion:
    """Scale regions and channels around rest; see `controlled`."""
    expression = motion.expression.clone()
    for column, name in enumerate(motion.expression_names):
        gain = gains.get(name, gains.get(region_of(name) or "", 1.0))
        if gain != 1:
            expression[:, column] = bounded(gain * expression[:, column], name)
    changes: dict[str, Tensor] = {}
    for region, gain in gains.items():
        if region not in REGIONS or gain == 1:
            continue
        for pose in _ROTATIONS[region]:
            changes[pose] = _turned(getattr(motion, pose), gain, _MOST_TURNED[region])
        if region == "head":
            center = torch.zeros(3) if resting else motion.transl.mean(0)
            changes["transl"] = center + gain * (motion.transl - center)
            turned = partial(_turned, most=_MOST_TURNED["head"]) if resting else _turned_around_mean
            changes["global_orient"] = turned(motion.global_orient, gain)
    return motion.replace(expression=expression, **changes)


def _turned(rotations: Float[Tensor, "frames 3"], gain: float, most: float) -> Float[Tensor, "frames 3"]:
    """Rotations about the same axes by other angles, of at most so many degrees where they were not larger before."""
    shortest = quaternion_to_axis_angle(axis_angle_to_quaternion(rotations))
    angle = shortest.norm(dim=1, keepdim=True)
    limit = angle.clamp_min(math.radians(most))
    return shortest * torch.minimum(gain * angle, limit) / angle.clamp_min(1e-9)


def _turned_around_mean(rotations: Float[Tensor, "frames 3"], gain: float) -> Float[Tensor, "frames 3"]:
    """Rotations that lie by another factor from their mean."""
    quaternions = axis_angle_to_quaternion(rotations)
    same_side = torch.where((quaternions @ quaternions[0])[:, None] < 0, -quaternions, quaternions)
    mean = axis_angle_to_matrix(quaternion_to_axis_angle(torch.nn.functional.normalize(same_side.mean(0), dim=0)))
    away = matrix_to_axis_angle(mean.T @ axis_angle_to_matrix(rotations))
    return matrix_to_axis_angle(mean @ axis_angle_to_matrix(_turned(away, gain, _MOST_TURNED["head"])))
