"""Audio-video offset: how much later than its audio a mouth moves.

The mouth that a speech encoder expects is compared with the tracked one at every offset. The correlations become a
likelihood, so that each estimate comes with its uncertainty, and clips of one source can support each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.timing import FPS

SEARCH_MS = 400.0
"""Largest offset that is looked for, in both directions."""

STEP_MS = 5.0
"""Offsets are estimated in these steps."""

MIN_FRAMES = 45
"""Clips shorter than 1.5 s are not measured: by chance they fit at many offsets."""

_LEAST_ROWS = 6
"""The same at few frames per second: a spline needs four correlations."""

_BAND_HZ = (0.6, 7.0)
"""Rate of syllables: faster than changes of loudness between sentences, slower than the noise of the tracker."""

_FRAMES_PER_SAMPLE = 4.0
"""Curves of this band have about one independent value per four frames."""

_OUTLIERS = 0.1
"""Share of clips whose estimate says nothing about the other clips of their source, and the other way round."""

_SOURCE_SD_MS = 100.0
"""Spread of the offsets of sources."""


@dataclass(frozen=True)
class AvOffset:
    """How much later than the audio the mouth moves, in milliseconds; negative where it moves too early."""

    ms: float
    sd_ms: float
    """Standard deviation of the estimate; above about 50 it says little."""
    corr: float
    """Correlation of the first curve at this offset."""

    @property
    def is_certain(self) -> bool:
        """Whether the clip alone tells the offset."""
        return self.sd_ms <= 25.0 and self.corr >= 0.3


def syllable_band(curves: Float[Tensor, "frames *curves"], fps: float = FPS) -> Float[Tensor, "frames *curves"]:
    """The part of each curve between 0.6 and 7 Hz."""
    padded = torch.cat([curves.flip(0), curves, curves.flip(0)])  # mirrored, so that the ends make no step
    spectrum = torch.fft.rfft(padded - padded.mean(0), dim=0)
    hertz = torch.fft.rfftfreq(len(padded), 1 / fps, device=curves.device)
    low, high = _BAND_HZ
    gain = (1 - torch.exp(-0.5 * (hertz / low) ** 4)) * torch.exp(-0.5 * (hertz / high) ** 8)
    gain = gain.reshape(-1, *[1] * (curves.ndim - 1))
    return torch.fft.irfft(spectrum * gain, len(padded), dim=0)[len(curves) : 2 * len(curves)]


def lagged_correlations(
    expected: Float[Tensor, "frames curves"], actual: Float[Tensor, "frames curves"], reach: int
) -> Float[Tensor, "lags curves"]:
    """Pearson correlations of two sets of curves, the second read `-reach` to `reach` frames later."""
    num_frames = len(actual)
    rows = []
    for lag in range(-reach, reach + 1):
        late = actual[max(lag, 0) : num_frames + min(lag, 0)]
        early = expected[max(-lag, 0) : num_frames - max(lag, 0)]
        late, early = late - late.mean(0), early - early.mean(0)
        rows.append((late * early).sum(0) / (late.norm(dim=0) * early.norm(dim=0)).clamp_min(1e-9))
    return torch.stack(rows)


def estimate_av_offset(
    expected: Float[Tensor, "frames curves"],
    actual: Float[Tensor, "frames curves"],
    fps: float = FPS,
) -> AvOffset | None:
    """Estimate the offset of one clip.

    For a correlation r of n independent values, the residual of the best linear map has 1 - r^2 of the variance, and
    the log-likelihood is -n/2 log(1 - r^2), up to a constant. Between whole frames the correlations are interpolated by
    a cubic spline, which suits curves without high frequencies.

    Args:
        expected: mouth that the audio makes one expect, such as opening and width, in any unit.
        actual: the same curves as tracked.
        fps: frames per second of both.

    Returns:
        Mode and spread of the likelihood; None for clips under 1.5 s and for curves that do not move.
    """
    if len(actual) * FPS < MIN_FRAMES * fps or len(actual) < _LEAST_ROWS:
        return None
    expected, actual = syllable_band(expected, fps), syllable_band(actual, fps)
    if float(expected.std(0).amax()) < 1e-6 or float(actual.std(0).amax()) < 1e-6:
        return None
    reach = min(math.ceil(SEARCH_MS / 1000 * fps) + 1, len(actual) // 3)
    corr = lagged_correlations(expected, actual, reach).double().numpy()
    lags_ms = np.arange(-reach, reach + 1) / fps * 1000
    limit = min(SEARCH_MS, STEP_MS * math.floor(lags_ms[-1] / STEP_MS))
    offsets_ms = np.arange(-limit, limit + STEP_MS / 2, STEP_MS)
    fine = spline_through(corr, (offsets_ms - lags_ms[0]) / (lags_ms[1] - lags_ms[0])).clip(-0.99, 0.99)
    independent = len(actual) / fps * FPS / _FRAMES_PER_SAMPLE
    evidence = -independent / 2 * np.log(1 - fine.clip(0) ** 2).sum(1)
    weight = np.exp(evidence - evidence.max())
    weight /= weight.sum()
    best = int(evidence.argmax())
    spread = float(np.sqrt((weight * (offsets_ms - offsets_ms[best]) ** 2).sum()))
    return AvOffset(float(offsets_ms[best]), max(spread, STEP_MS), float(fine[best, 0]))


def spline_through(
    values: Float[np.ndarray, "knots curves"], places: Float[np.ndarray, " places"]
) -> Float[np.ndarray, "places curves"]:
    """Cubic splines through values at 0, 1, 2 and so on, at other places between the first and the last.

    The first two pieces are one polynomial, and so are the last two ("not-a-knot"). SciPy has this too, but takes a
    third of a second to import.

    Args:
        values: at least four.
        places: in units of a knot.
    """
    count = len(values)
    # Slopes at the knots, for which neighboring pieces have the same curvature.
    matrix = 4 * np.eye(count) + np.eye(count, k=1) + np.eye(count, k=-1)
    right = np.zeros_like(values)
    right[1:-1] = 3 * (values[2:] - values[:-2])
    matrix[0, :2] = matrix[-1, :-3:-1] = 1, 2
    right[0] = (4 * values[1] + values[2] - 5 * values[0]) / 2
    right[-1] = (5 * values[-1] - 4 * values[-2] - values[-3]) / 2
    slopes = np.linalg.solve(matrix, right)
    left = np.clip(places.astype(int), 0, count - 2)
    t = (places - left)[:, None]
    start, stop = values[left], values[left + 1]
    bend = slopes[left] + slopes[left + 1] - 2 * (stop - start)
    return start + t * (slopes[left] + t * ((stop - start) - slopes[left] - bend + t * bend))


def pooled_offsets_ms(estimates: Sequence[AvOffset | None]) -> list[float]:
    """Offsets of clips of one source, such as the videos of one camera, each supported by the others.

    The offsets of a source are taken to be normal around its own; its center and spread are those under which the
    estimates are most likely, while a tenth of them may be anywhere (empirical Bayes). A clip that is certain by itself
    keeps its own offset.

    Args:
        estimates: of the clips; a clip without one gets the offset of the source.

    Returns:
        Milliseconds for each clip; 0 where nothing is known.
    """
    grid = np.arange(-SEARCH_MS, SEARCH_MS + STEP_MS / 2, STEP_MS)
    anywhere = _OUTLIERS / (2 * SEARCH_MS)
    known = [estimate for estimate in estimates if estimate is not None]
    best, center, spread = -math.inf, 0.0, 10.0
    for candidate in (10.0, 20.0, 40.0, 80.0):
        total = -0.5 * (grid / _SOURCE_SD_MS) ** 2
        for estimate in known:
            total = total + np.log((1 - _OUTLIERS) * _normal(grid, estimate.ms, estimate.sd_ms, candidate) + anywhere)
        if total.max() > best:
            best, center, spread = float(total.max()), float(grid[total.argmax()]), candidate
    prior = np.log((1 - _OUTLIERS) * _normal(grid, center, spread) + anywhere)
    offsets = []
    for estimate in estimates:
        posterior = prior
        if estimate is not None:
            posterior = prior + np.log((1 - _OUTLIERS) * _normal(grid, estimate.ms, estimate.sd_ms) + anywhere)
        offsets.append(float(grid[posterior.argmax()]))
    return offsets


def _normal(x: np.ndarray, mean: float, *sds: float) -> np.ndarray:
    """Density of a normal distribution whose variance is the sum of several."""
    sd = math.hypot(*sds)
    return np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * math.sqrt(2 * math.pi))
