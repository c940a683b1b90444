"""A motion at another frame rate, with its contacts: lips that close and lids that shut.

A closure may last two frames of 30 a second, or one. Sampled at 24 or 25 frames a second it would fall between two
frames, and interpolation would leave the lips ajar on a P. Where that happens, the mouth (or the eyes) of the nearest
frame is taken at the moment of the contact instead, at most half a frame away.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from facetalk.core.motion import Motion, resampled_frames
from facetalk.core.timing import exact_rate, frame_times
from facetalk.head.channels import BLINK_NAMES, LOWER_NAMES

PARTING = {
    "jawOpen": 1.0,
    "mouthClose": -1.0,
    "mouthFunnel": 0.28,
    "mouthLowerDownLeft": 0.15,
    "mouthLowerDownRight": 0.15,
    "mouthUpperUpLeft": 0.12,
    "mouthUpperUpRight": 0.12,
}
"""How far each channel parts the lips, relative to `jawOpen`: measured on the bundled head, where `jawOpen` parts them
by 36 mm."""

CLOSED_LIPS = 0.06
"""Lips that are parted by less than this count as closed: 2 mm on the bundled head, the error of a fit."""

CLOSED_LIDS = 0.3
"""Lids that are open by less than this share count as closed."""

NEGLIGIBLE = 0.004
"""Differences of the opening that nobody sees, 0.15 mm: noise must not move frames about."""


def at_frame_rate(motion: Motion, fps: float) -> Motion:
    """Return the motion at another frame rate, with every contact of lips and lids.

    Rotations follow the shortest arc. The duration stays the same to half a frame, and the last frame is held where the
    new rate has a later one.

    Args:
        motion: for any head; contacts are known for motions with ARKit's channels.
        fps: frames a second; 29.97 stands for 30000/1001, like 23.976 and 59.94 for their neighbors.
    """
    rate, own = exact_rate(fps), exact_rate(motion.fps)
    if rate == own:
        return motion
    times = frame_times(resampled_frames(motion, fps), rate)
    result = motion.at_times(times, float(rate))
    moments = motion.replace(events=())
    for contact in _contacts(motion):
        frames, source = missed_contacts(contact.opening, contact.closed, own, rate, len(times))
        at_contact = moments.at_times(source / float(own), float(rate))
        for column in contact.columns:
            result.expression[frames, column] = at_contact.expression[:, column]
        if contact.moves_jaw:
            result.jaw_pose[frames] = at_contact.jaw_pose
    return result


class _Contact(NamedTuple):
    opening: Float[Tensor, " frames"]
    closed: float
    """Opening below which there is contact."""
    columns: list[int]
    """Expression columns that take part."""
    moves_jaw: bool


def _contacts(motion: Motion) -> Iterator[_Contact]:
    names = motion.expression_names
    if "jawOpen" in names:
        columns = [names.index(name) for name in LOWER_NAMES if name in names]
        yield _Contact(lip_opening(motion), CLOSED_LIPS, columns, moves_jaw=True)
    for name in BLINK_NAMES:
        if name in names:
            yield _Contact(1 - motion.channel(name), CLOSED_LIDS, [names.index(name)], moves_jaw=False)


def missed_contacts(
    opening: Float[Tensor, " frames"], closed: float, own: Fraction, rate: Fraction, num_frames: int
) -> tuple[Int[Tensor, " missed"], Float[Tensor, " missed"]]:
    """Find the frames of another rate next to which a contact would be lost.

    Args:
        opening: at the own rate.
        closed: opening below which there is contact.
        own: frame rate of the opening.
        rate: the other frame rate.
        num_frames: number of frames at the other rate.

    Returns:
        These frames, and the own frame of the contact that each of them is to show.
    """
    before, after = torch.cat([opening[:1], opening[:-1]]), torch.cat([opening[1:], opening[-1:]])
    tightest = ((opening <= closed) & (opening <= before) & (opening <= after)).nonzero()[:, 0]
    ratio = rate / own
    nearest = (tightest.double() * float(ratio)).round().long().clamp(max=num_frames - 1)
    # Of several contacts next to one frame, the tightest one.
    order = np.lexsort((opening[tightest].numpy(), nearest.numpy()))
    _, first = np.unique(nearest.numpy()[order], return_index=True)
    chosen = torch.from_numpy(order[first])
    frames, source = nearest[chosen], tightest[chosen]
    place = (frames.double() / float(ratio)).clamp(max=len(opening) - 1)
    left = place.long()
    right = (left + 1).clamp(max=len(opening) - 1)
    sampled = torch.lerp(opening[left], opening[right], (place - left).to(opening))
    missed = sampled > opening[source] + NEGLIGIBLE
    return frames[missed], source[missed].double()


def lip_opening(motion: Motion) -> Float[Tensor, " frames"]:
    """How far ARKit's channels part the lips, in units of `jawOpen`."""
    parts = [weight * motion.channel(name) for name, weight in PARTING.items() if name in motion.expression_names]
    return torch.stack(parts).sum(0)
