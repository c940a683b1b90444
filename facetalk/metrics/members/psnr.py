"""PSNR: peak signal-to-noise ratio of the frames in decibels; see `image_similarity.psnr_db`."""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured
from facetalk.metrics.image_similarity import mean_over_images, psnr_db


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    return mean_over_images("psnr_db", clips.images(), psnr_db)
