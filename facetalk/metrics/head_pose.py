"""How a head moves: range, speed, spectrum, and whether it follows the speech."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.rotations import axis_angle_to_matrix, yaw_pitch_roll
from facetalk.metrics.curve_differences import angles_between

AXES = ("yaw", "pitch", "roll")
"""Columns of the angles. Positive yaw turns the face to its own left, pitch lowers it, roll raises its left side."""

RANGE = (0.05, 0.95)
"""Quantiles between which a head moves: a single outlier does not count."""

SEGMENT_S = 4.0
"""Length of the segments whose spectra are averaged; the lowest frequency is its inverse."""
HIGHEST_HZ = 6.0
"""Heads hardly move faster; beyond is the noise of trackers."""
FLOOR_DEG2 = 1e-4
"""Added to the power: below is the noise of trackers, and a still head would be infinitely far from all others."""

SHIFTS = 31
"""Moves of the speech against the head that make the baseline of `speech_correlation`."""


def head_angles(turns: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames 3"]:
    """Angles of a head over time in degrees, in the order of `AXES`; see `yaw_pitch_roll`.

    Args:
        turns: axis-angle, radians, in the frame of a motion.
    """
    return yaw_pitch_roll(axis_angle_to_matrix(turns)).rad2deg()


def angular_speed(turns: Float[Tensor, "frames 3"], fps: float) -> Float[Tensor, " steps"]:
    """Degrees a second from each frame to the next one; `turns` as in `head_angles`."""
    return angles_between(turns[:-1], turns[1:]) * fps


def pose_spread(angles: Float[Tensor, "frames 3"]) -> Float[Tensor, "3"]:
    """Standard deviation of each angle over time, degrees."""
    return angles.std(0, correction=0)


def pose_range(angles: Float[Tensor, "frames 3"]) -> Float[Tensor, "3"]:
    """How far the head moves around each axis, degrees: from the 5th to the 95th percentile."""
    low, high = (angles.quantile(share, dim=0) for share in RANGE)
    return high - low


def power_spectrum(
    angles: Float[Tensor, "frames curves"], fps: float
) -> tuple[Float[Tensor, " bins"], Float[Tensor, "bins curves"]]:
    """Power spectral density by Welch's method (1967): overlapping segments of four seconds with a Hann window.

    Shorter clips are padded with zeros after their mean is removed.

    Args:
        angles: at least two frames.
        fps: frames a second; at least twice `HIGHEST_HZ` for a whole spectrum.

    Returns:
        Frequencies of the bins in Hz, from 1 / `SEGMENT_S` to `HIGHEST_HZ`, and the density in square degrees per Hz.
    """
    from scipy.signal import welch

    moving = (angles - angles.mean(0)).double().cpu().numpy()
    size = round(SEGMENT_S * fps)
    hertz, power = welch(moving, fps, nperseg=min(size, len(moving)), nfft=size, axis=0, detrend="constant")
    kept = (hertz > 0) & (hertz <= HIGHEST_HZ + 1e-6)
    return torch.from_numpy(hertz[kept].astype(np.float64)), torch.from_numpy(power[kept].astype(np.float64))


def spectral_distance_db(
    first: Float[Tensor, "frames curves"], second: Float[Tensor, "others curves"], fps: float
) -> float:
    """Log-spectral distance (Gray and Markel 1976): root mean square of the difference of power in decibels.

    Two heads that move independently but alike are close: times do not count. Over all bins and curves, with the floor
    of a tracker.

    Args:
        first: angles in degrees, at least two frames.
        second: the same curves, of any length.
        fps: frames a second of both.
    """
    levels = [10 * (power_spectrum(angles, fps)[1] + FLOOR_DEG2).log10() for angles in (first, second)]
    return float((levels[0] - levels[1]).square().mean().sqrt())


def multiple_correlation(target: Float[Tensor, " frames"], curves: Float[Tensor, "frames curves"]) -> float:
    """Correlation of a curve with the best linear combination of others, 0 to 1; 0 where nothing moves.

    With a single target this is the canonical correlation by which Busso et al. (2007) compare head and speech.
    """
    centered = (curves - curves.mean(0)).double()
    wanted = (target - target.mean()).double()
    total = float(wanted.square().sum())
    if total < 1e-12 or float(centered.square().sum()) < 1e-12:
        return 0.0
    weights = torch.linalg.lstsq(centered, wanted[:, None], driver="gelsd").solution
    explained = (centered @ weights)[:, 0]
    return float((explained.square().sum() / total).clamp(0, 1).sqrt())


def speech_correlation(
    angles: Float[Tensor, "frames 3"], loudness: Float[Tensor, " frames"], fps: float
) -> tuple[float, float]:
    """How well the loudness follows from the speed of the head, and how well by chance.

    Args:
        angles: degrees.
        loudness: of the speech, decibels, one value per frame.
        fps: frames a second.

    Returns:
        The multiple correlation of the loudness with the three angles and their speeds, and its mean over `SHIFTS`
        circular shifts of the loudness: longer clips and slower curves agree less and more by chance.
    """
    speed = torch.gradient(angles.double(), dim=0)[0] * fps if len(angles) > 1 else torch.zeros_like(angles.double())
    curves = torch.cat([angles.double(), speed, speed.abs()], 1)
    actual = multiple_correlation(loudness, curves)
    shifts = torch.linspace(0, len(loudness), SHIFTS + 2)[1:-1].long().tolist()
    chance = [multiple_correlation(loudness.roll(shift), curves) for shift in shifts]
    return actual, sum(chance) / len(chance)
