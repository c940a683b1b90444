"""Beats of movement and of speech, and how well they coincide."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

SIGMA_S = 0.05
"""Distance at which beats coincide by 61 %: three frames of 60 a second, as in AIST++ (Li et al. 2021)."""

SMOOTHING_S = 0.08
"""Standard deviation of the Gaussian that smooths curves before beats are found."""
LEAST_GAP_S = 0.2
"""Between beats of speech; syllables are no faster."""
LEAST_RISE_DB = 3.0
"""By which the loudness rises at a beat of speech within a tenth of a second."""

SHIFTS = 31
"""Moves of one set of beats against the other that make the baseline of `chance_alignment`."""


def movement_beats(speed: Float[Tensor, " frames"], fps: float) -> Float[Tensor, " beats"]:
    """Times at which a movement turns, seconds: local minima of its smoothed speed (Li et al. 2021).

    Args:
        speed: not negative, in any unit.
        fps: frames a second.

    Returns:
        None for a still curve.
    """
    if len(speed) < 3 or float(speed.max()) <= 0:
        return torch.zeros(0, dtype=torch.float64)
    curve = _smoothed(speed, fps)
    lowest = (curve[1:-1] < curve[:-2]) & (curve[1:-1] <= curve[2:])
    return (lowest.nonzero()[:, 0] + 1).double() / fps


def speech_beats(loudness: Float[Tensor, " frames"], fps: float) -> Float[Tensor, " beats"]:
    """Onsets of syllables, seconds: where the loudness rises fastest.

    Args:
        loudness: decibels.
        fps: frames a second.
    """
    from scipy.signal import find_peaks

    if len(loudness) < 3:
        return torch.zeros(0, dtype=torch.float64)
    rise = torch.gradient(_smoothed(loudness, fps))[0] * fps * 0.1
    peaks, _ = find_peaks(rise.numpy(), height=LEAST_RISE_DB, distance=max(1, round(LEAST_GAP_S * fps)))
    return torch.from_numpy(peaks.astype("float64")) / fps


def beat_alignment(beats: Float[Tensor, " beats"], others: Float[Tensor, " others"], sigma_s: float = SIGMA_S) -> float:
    """Beat alignment score (AIST++, Li et al. 2021): mean of exp(-d^2 / 2 sigma^2) over the beats.

    `d` is the distance of a beat from the nearest one of the others.

    Returns:
        0 to 1; NaN where there are no beats on one side.
    """
    if not len(beats) or not len(others):
        return float("nan")
    distance = (beats[:, None] - others[None]).abs().amin(1)
    return float((-0.5 * (distance / sigma_s).square()).exp().mean())


def chance_alignment(
    beats: Float[Tensor, " beats"], others: Float[Tensor, " others"], length_s: float, sigma_s: float = SIGMA_S
) -> float:
    """Beat alignment by chance: its mean over `SHIFTS` circular shifts of the others within the clip.

    Denser beats coincide more often whatever they belong to.
    """
    shifts = torch.linspace(0, length_s, SHIFTS + 2, dtype=torch.float64)[1:-1]
    found = [beat_alignment(beats, (others + shift) % length_s, sigma_s) for shift in shifts]
    return sum(found) / len(found)


def _smoothed(curve: Float[Tensor, " frames"], fps: float) -> Float[Tensor, " frames"]:
    from scipy.ndimage import gaussian_filter1d

    return torch.from_numpy(gaussian_filter1d(curve.detach().double().cpu().numpy(), SMOOTHING_S * fps, mode="nearest"))
