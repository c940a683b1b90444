"""Laughter without video, paired with the tracked motion of other laughter by their rhythm.

Laughing faces with their audio are rare, recordings of laughter are not. Each recording gets the stretch of tracked
motion whose mouth opens and closes most like the recording's loudness rises and falls, warped in time so that the
bursts coincide: dynamic time warping (Sakoe and Chiba 1978), with any beginning and end in the tracked motion. What is
left of the difference in rhythm is then drawn out of the motion: the mouth of the pair opens with every burst that is
heard, and with no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from facetalk.audio.activity import loudness_db

_STEPS = ((1, 1), (1, 2), (2, 1))
"""Allowed steps in the recording and in the tracked motion: at most twice or half as fast."""
_SMOOTHING = 3
"""Frames over which a curve is averaged; bursts are four to six a second, and five frames would average them out."""
_SLOW = 31
"""Frames over which the slow course of a curve is averaged, which is taken out."""
_QUIETEST_DB = 30.0
"""Below the loudest frame; how silent a pause between two bursts is makes no difference to the mouth."""


class Pairing(NamedTuple):
    """The motion that a recording of laughter got."""

    rows: Float[Tensor, "frames controls"]
    similarity: float
    """Correlation of the mouth's opening with the loudness, before the opening was drawn after the loudness."""


class TrackedLaughter(NamedTuple):
    """A stretch of tracked laughter."""

    rows: Float[Tensor, "frames controls"]
    opening: Float[Tensor, " frames"]
    """Gap between the lips, in any unit."""


def paired(waveform: Float[Tensor, " samples"], tracked: Sequence[TrackedLaughter]) -> Pairing | None:
    """The motion for a recording of laughter; None where all stretches are too short for it.

    Args:
        waveform: 16 kHz, nothing but laughter.
        tracked: what there is to choose from.
    """
    level = loudness_db(waveform)
    bursts = rhythm(level.clamp_min(float(level.max()) - _QUIETEST_DB))
    best: Pairing | None = None
    for laugh in tracked:
        opening = rhythm(laugh.opening)
        path = warped(bursts, opening)
        if path is None:
            continue
        similarity = float(torch.corrcoef(torch.stack([bursts, opening[path]]))[0, 1])
        if best is None or similarity > best.similarity:
            best = Pairing(laugh.rows[path] + (bursts - opening[path])[:, None] * with_opening(laugh), similarity)
    return best


def with_opening(laugh: TrackedLaughter) -> Float[Tensor, " controls"]:
    """How far each control goes along with the fast opening of the mouth, for one standard deviation of it."""
    fast = torch.stack([column - _averaged(column, _SLOW) for column in laugh.rows.T], 1)
    return (fast * rhythm(laugh.opening)[:, None]).mean(0)


def rhythm(curve: Float[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """The fast course of a curve, with zero mean and unit variance."""
    fast = _averaged(curve, _SMOOTHING) - _averaged(curve, _SLOW)
    return (fast - fast.mean()) / fast.std(correction=0).clamp_min(1e-6)


def warped(wanted: Float[Tensor, " frames"], given: Float[Tensor, " rows"]) -> Int64[Tensor, " frames"] | None:
    """For every frame of a curve the row of another that it is most like, in order and without large jumps.

    The path may begin and end anywhere in the other curve; None where that is too short.
    """
    size, rows = len(wanted), len(given)
    cost = (wanted[:, None] - given).square()
    total = torch.full((size, rows), torch.inf)
    came = torch.zeros(size, rows, dtype=torch.long)
    total[0] = cost[0]
    for frame in range(1, size):
        for index, (back, over) in enumerate(_STEPS):
            if frame < back or rows <= over:
                continue
            # A step over a frame costs what the skipped frame would have cost too.
            skipped = cost[frame - 1, over:] if back == 2 else torch.zeros(rows - over)
            before = total[frame - back, : rows - over] + skipped + cost[frame, over:]
            better = before < total[frame, over:]
            total[frame, over:] = torch.where(better, before, total[frame, over:])
            came[frame, over:] = torch.where(better, index, came[frame, over:])
    if not torch.isfinite(total[-1]).any():
        return None
    frame, row = size - 1, int(total[-1].argmin())
    path = torch.zeros(size, dtype=torch.long)
    path[frame] = row
    while frame > 0:
        back, over = _STEPS[int(came[frame, row])]
        path[frame - back : frame] = row - over
        if back == 2:
            path[frame - 1] = row
        frame, row = frame - back, row - over
        path[frame] = row
    return path


def _averaged(curve: Tensor, size: int) -> Tensor:
    padded = torch.nn.functional.pad(curve[None], (size // 2, size // 2), mode="replicate")
    return padded.unfold(1, size, 1).mean(2)[0]
