"""A list of edits applied to a motion."""

from __future__ import annotations

from itertools import combinations

import torch

from facetalk.core.edit_list import Edit, EditList
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.core.timing import exact_rate, frame_times
from facetalk.head.channels import BLINK_NAMES
from facetalk.motion.contacts import keep_contacts
from facetalk.motion.curves import Curves, resolved


def edited(motion: Motion, edits: EditList) -> Motion:
    """Return a motion with all edits of a list.

    They act in their order. Then lips that were closed in the motion close again, lids too unless an edit is about
    `eyeBlink`, and last of all every locked curve gets its value. Times are seconds, so that a list fits the same
    motion at any frame rate.

    Args:
        motion: for any head.
        edits: what to change.

    Raises:
        FacetalkError: a channel is unknown, or two locks contradict each other; says which edit it is.
    """
    if motion.laughter is not None:
        return motion.keeping_laughter(lambda part: edited(part, edits))
    named = [(edit, _names(number, edit, motion)) for number, edit in enumerate(edits.edits, 1)]
    _check_locks(named)
    curves = Curves(motion)
    for edit, names in named:
        for name in names:
            _change(curves, motion, edit, name)
    about_lids = {name for _, names in named for name in names} & set(BLINK_NAMES)
    changed = keep_contacts(motion, curves.motion(), about_lids)
    locks = [(edit, names) for edit, names in named if edit.lock]
    if not locks:
        return changed
    curves = Curves(changed)
    for edit, names in locks:
        for name in names:
            _hold(curves, motion, edit, name)
    return curves.motion()


def _names(number: int, edit: Edit, motion: Motion) -> tuple[str, ...]:
    try:
        return resolved(edit.channel, motion.expression_names)
    except UsageError as error:  # it comes from a file
        raise FacetalkError(f"edit {number}: {error}") from None


def _check_locks(named: list[tuple[Edit, tuple[str, ...]]]) -> None:
    locks = [(number, edit, set(names)) for number, (edit, names) in enumerate(named, 1) if edit.lock]
    for (first, one, names), (second, other, others) in combinations(locks, 2):
        if names & others and one.value != other.value and _overlap(one, other):
            channel = sorted(names & others)[0]
            raise FacetalkError(f"edits {first} and {second} lock {channel} to different values at the same time")


def _overlap(one: Edit, other: Edit) -> bool:
    if one.span is None or other.span is None:
        return True
    return one.span[0] <= other.span[1] and other.span[0] <= one.span[1]


def _change(curves: Curves, motion: Motion, edit: Edit, name: str) -> None:
    frames, weight = _weighted(motion, edit)
    before = curves.read(name, frames)
    if edit.value is not None:
        after = torch.lerp(before, torch.full_like(before, edit.value), weight)
    elif edit.offset is not None:
        after = before + weight * edit.offset
    else:
        after = before * (1 + weight * ((edit.gain or 0.0) - 1))
    curves.write(name, torch.where(weight > 0, after, before), frames)


def _hold(curves: Curves, motion: Motion, edit: Edit, name: str) -> None:
    frames, weight = _weighted(motion, edit)
    before = curves.read(name, frames)
    curves.write(name, torch.where(weight == 1, torch.full_like(before, edit.value or 0.0), before), frames)


def _weighted(motion: Motion, edit: Edit) -> tuple[slice, torch.Tensor]:
    """The frames that an edit changes, and how much of its effect there is in each of them."""
    rate = exact_rate(motion.fps)
    frames = edit.frames(motion.num_frames, float(rate))
    times = frame_times(frames.stop, rate)[frames]
    return frames, edit.weight(times).to(motion.expression)
