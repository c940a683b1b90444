"""How often and how long the lids close."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

LEAST_RISE = 0.3
"""By how much the closure of the lids rises in a blink: as much as counts as closed, less the noise of a tracker."""

SHORTEST_S, LONGEST_S = 0.03, 0.6
"""Widths that a blink may have at half its height: what is shorter is noise, eyes that stay closed longer are closed on
purpose. Spontaneous blinks last 0.1 to 0.4 s (Caffier et al. 2003)."""


class Blinks(NamedTuple):
    """The blinks of a clip."""

    times: Float[Tensor, " blinks"]
    """When the lids are closed most, seconds."""
    durations: Float[Tensor, " blinks"]
    """Width at half height, seconds."""
    length_s: float
    """Of the clip."""

    @property
    def rate(self) -> float:
        """Blinks a second. People blink 0.28 times at rest and 0.43 times in conversation (Bentivoglio et al. 1997)."""
        return len(self.times) / self.length_s

    @property
    def intervals(self) -> Float[Tensor, " gaps"]:
        """Seconds from each blink to the next one."""
        return self.times.diff()


def find_blinks(closure: Float[Tensor, " frames"], fps: float) -> Blinks:
    """Find the blinks in a curve: peaks that rise by at least `LEAST_RISE` from both sides.

    Eyes that are narrow all the time do not count, and neither do blinks that the clip cuts off before their peak.

    Args:
        closure: of the lids, 0 open and 1 closed; the mean of both eyes.
        fps: frames a second.
    """
    from scipy.signal import find_peaks

    # Half a frame less and more, because widths are interpolated between frames.
    limits = (SHORTEST_S * fps - 0.5, LONGEST_S * fps + 0.5)
    curve = closure.detach().double().cpu().numpy()
    peaks, found = find_peaks(curve, prominence=LEAST_RISE, width=limits, rel_height=0.5)
    times = torch.from_numpy(peaks.astype(np.float64)) / fps
    return Blinks(times, torch.from_numpy(np.asarray(found["widths"], np.float64)) / fps, len(closure) / fps)
