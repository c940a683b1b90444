"""A motion at another frame rate, with its contacts: lips that close and lids that shut.

A closure may last two frames of 30 a second, or one. Sampled at 24 or 25 frames a second it would fall between two
frames, and interpolation would leave the lips ajar on a P. Where that happens, the mouth (or the eyes) of the nearest
frame is taken at the moment of the contact instead, at most half a frame away.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from facetalk.core.motion import Motion, resampled_frames
from facetalk.core.timing import exact_rate, frame_times
from facetalk.motion.contacts import NEGLIGIBLE, contacts


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
    for contact in contacts(motion):
        frames, source = missed_contacts(contact.opening, contact.closed, own, rate, len(times))
        at_contact = moments.at_times(source / float(own), float(rate))
        for column in contact.columns:
            result.expression[frames, column] = at_contact.expression[:, column]
        if contact.moves_jaw:
            result.jaw_pose[frames] = at_contact.jaw_pose
    return result


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
