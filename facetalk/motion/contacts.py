"""Contacts in a motion with ARKit's channels: lips that close, lids that shut, and how a change keeps them closed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.motion import Motion
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

CLOSED_LIPS, PARTED_LIPS = 0.06, 0.18
"""Lips that are parted by less than the first count as closed: 2 mm on the bundled head, the error of a fit. From the
second on, nothing of a closure is left."""

CLOSED_LIDS, PARTED_LIDS = 0.3, 0.6
"""The same for lids, as the share by which they are open."""

NEGLIGIBLE = 0.004
"""Differences of the opening that nobody sees, 0.15 mm: noise must not move frames about."""


class Contact(NamedTuple):
    """One pair of lips or lids."""

    opening: Float[Tensor, " frames"]
    closed: float
    """Opening below which there is contact."""
    parted: float
    """Opening from which on nothing is left of a contact."""
    columns: list[int]
    """Expression columns that move with it."""
    parting: list[int]
    """Those of them that decide the opening."""
    moves_jaw: bool


def contacts(motion: Motion) -> Iterator[Contact]:
    """The lips and both lids of a motion, as far as it has their channels."""
    names = motion.expression_names
    if "jawOpen" in names:
        columns, parting = ([names.index(name) for name in some if name in names] for some in (LOWER_NAMES, PARTING))
        yield Contact(lip_opening(motion), CLOSED_LIPS, PARTED_LIPS, columns, parting, moves_jaw=True)
    for name in BLINK_NAMES:
        if name in names:
            column = [names.index(name)]
            yield Contact(1 - motion.channel(name), CLOSED_LIDS, PARTED_LIDS, column, column, moves_jaw=False)


def lip_opening(motion: Motion) -> Float[Tensor, " frames"]:
    """How far ARKit's channels part the lips, in units of `jawOpen`."""
    parts = [weight * motion.channel(name) for name, weight in PARTING.items() if name in motion.expression_names]
    return torch.stack(parts).sum(0)


def keep_contacts(before: Motion, after: Motion, free: Collection[str] = ()) -> Motion:
    """Return a changed motion with the contacts that it had before.

    Where the lips or lids were closed and now are open, the channels that part them go back by as much as it takes, at
    most to what they were. Toward `parted` less and less is taken back, so that nothing jumps.

    Args:
        before: the motion before the change.
        after: the same frames and channels after it.
        free: channels that may open a contact, because the change is about them.
    """
    expression, jaw = after.expression.clone(), after.jaw_pose
    for was, now in zip(contacts(before), contacts(after), strict=True):
        if any(before.expression_names[column] in free for column in was.parting):
            continue
        allowed = was.opening.clamp_min(0)
        needed = (now.opening - allowed).clamp_min(0) / (now.opening - was.opening).clamp_min(1e-9)
        held = ((was.parted - was.opening) / (was.parted - was.closed)).clamp(0, 1)
        share = (needed.clamp(max=1) * held)[:, None]
        for column in was.parting:
            expression[:, column] = torch.lerp(after.expression[:, column], before.expression[:, column], share[:, 0])
        if was.moves_jaw:
            jaw = torch.lerp(jaw, before.jaw_pose, share)
    return after.replace(expression=expression, jaw_pose=jaw)
