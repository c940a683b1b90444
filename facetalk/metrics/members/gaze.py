"""Gaze: how long the eyes rest, how often and how far they jump, and how much of the time they are on the viewer.

Fixations and saccades are separated by speed (Salvucci and Goldberg 2000). People who look at scenes fixate for 0.33 s
in the mean and jump by four to five degrees (Rayner 1998); most natural saccades are smaller than 15 degrees (Bahill et
al. 1975). People who talk look at the listener for 77 % of the time (Lee et al. 2002); both look at each other's faces
for 60 % of a conversation (Rogers et al. 2018). The Wasserstein distances are those of the distributions of fixations
and of saccades.
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured
from facetalk.metrics.distributions import wasserstein
from facetalk.metrics.glances import Glances, find_glances


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    angles = clips.gaze()
    ours, theirs = (find_glances(rows, clips.fps) for rows in angles)
    distances = {
        "gaze_fixation_distance_s": wasserstein(ours.fixations, theirs.fixations),
        "gaze_saccade_distance_deg": wasserstein(ours.amplitudes, theirs.amplitudes),
    }
    return Measured(
        _figures("gaze", ours) | _figures("gaze_reference", theirs) | distances,
        {
            f"{name}_{axis}_deg": rows[:, column]
            for name, rows in zip(("gaze", "gaze_reference"), angles, strict=True)
            for column, axis in enumerate(("yaw", "pitch"))
        },
    )


def _figures(name: str, glances: Glances) -> dict[str, float]:
    return {
        f"{name}_fixation_s": float(glances.fixations.mean()),  # NaN for none
        f"{name}_saccade_rate_hz": glances.rate,
        f"{name}_saccade_deg": float(glances.amplitudes.mean()),
        f"{name}_contact": glances.contact,
    }
