"""Emotion distance: how far the features of an expression network are apart.

1/T sum_t |e(x_t) - e(y_t)|, with the features e of the frames, as the perceptual emotion loss of EMOCA (Danecek et al.
2022) and SPECTRE (Filntisis et al. 2023) compares them and LaughTalk (Sung-Bin et al. 2024) evaluates. The network is
facetalk's own. Videos are cut to the face; motions are rendered.
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured, frame_mean


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    predicted, reference = clips.expression_features()
    return frame_mean("emotion_distance", (predicted - reference).norm(dim=1))
