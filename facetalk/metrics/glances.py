"""How eyes look around: fixations, saccades between them, and how much of the time they are on the viewer."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.spans import runs

SACCADE_DEG_S = 50.0
"""Speed above which the line of sight jumps, the velocity threshold of Salvucci and Goldberg (2000). At 30 frames a
second a saccade of three degrees is this fast, and so is hardly any noise of our tracker."""
LEAST_SACCADE_DEG = 2.0
"""Smaller jumps are noise of trackers, or microsaccades that nobody sees."""
LEAST_FIXATION_S = 0.1
"""Rests that are shorter are none (Salvucci and Goldberg 2000)."""
CONTACT_DEG = 5.0
"""Looks so close to the viewer's eyes are on their face, and viewers take them for looks into their eyes (Gamer and
Hecht 2007: a cone of about four degrees to each side), plus the error of a tracker."""


class Glances(NamedTuple):
    """How the eyes of a clip look around."""

    fixations: Float[Tensor, " fixations"]
    """How long the line of sight rests, seconds; without what the clip cuts off, if that is not all."""
    amplitudes: Float[Tensor, " saccades"]
    """By how much it jumps, degrees."""
    contact: float
    """Share of the frames that look at the viewer."""
    length_s: float
    """Of the clip."""

    @property
    def rate(self) -> float:
        """Saccades a second."""
        return len(self.amplitudes) / self.length_s


def find_glances(angles: Float[Tensor, "frames 2"], fps: float) -> Glances:
    """Separate fixations and saccades by the speed of the line of sight (I-VT, Salvucci and Goldberg 2000).

    Args:
        angles: yaw and pitch of the line of sight relative to the line to the viewer, degrees.
        fps: frames a second.
    """
    rows = angles.double()
    saccades = _saccades(rows, fps)
    rests = [(after.start - before.stop) / fps for (before, _), (after, _) in pairwise(saccades)]
    if not saccades:
        rests = [len(rows) / fps]
    return Glances(
        torch.tensor([rest for rest in rests if rest >= LEAST_FIXATION_S - 1e-6], dtype=torch.float64),
        torch.tensor([size for _, size in saccades], dtype=torch.float64),
        float((rows.norm(dim=1) <= CONTACT_DEG).double().mean()),
        len(rows) / fps,
    )


def rested_sight(angles: Float[Tensor, "frames 2"], fps: float) -> Float[Tensor, "frames 2"]:
    """The line of sight between saccades as its median over each fixation: what is left without a tracker's noise.

    Args:
        angles: see `find_glances`.
        fps: frames a second.
    """
    rested = angles.clone()
    jumps = [span for span, _ in _saccades(angles.double(), fps)]
    starts, stops = [0, *(span.stop for span in jumps)], [*(span.start + 1 for span in jumps), len(angles)]
    for start, stop in zip(starts, stops, strict=True):
        rested[start:stop] = angles[start:stop].median(0).values
    return rested


def _saccades(rows: Float[Tensor, "frames 2"], fps: float) -> list[tuple[slice, float]]:
    """Steps between frames in which the line of sight jumps, and by how many degrees."""
    steps = rows.diff(dim=0) * torch.stack([rows[1:, 1].deg2rad().cos(), torch.ones(len(rows) - 1).double()], 1)
    jumps = [slice(span.start, span.stop) for span in runs(steps.norm(dim=1) * fps > SACCADE_DEG_S)]
    sizes = [float(steps[span].sum(0).norm()) for span in jumps]
    return [(span, size) for span, size in zip(jumps, sizes, strict=True) if size >= LEAST_SACCADE_DEG]
