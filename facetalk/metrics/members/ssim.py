"""SSIM: structural similarity of the frames, 1 for equal ones (Wang et al. 2004); see `image_similarity.ssim`."""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured
from facetalk.metrics.image_similarity import mean_over_images, ssim


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    return mean_over_images("ssim", clips.images(), ssim)
