"""CPBD: sharpness of the predicted frames and of the reference's (Narvekar and Karam 2011); see `sharpness.cpbd`."""

from __future__ import annotations

import torch

from facetalk.metrics.base import Evidence, Measured
from facetalk.metrics.sharpness import cpbd


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    curves = torch.tensor([[cpbd(image) for image in pair] for pair in clips.images()], dtype=torch.float64)
    predicted, reference = curves.unbind(1)
    figures = {"cpbd": float(predicted.nanmean()), "cpbd_reference": float(reference.nanmean())}
    return Measured(figures, {"cpbd": predicted, "cpbd_reference": reference})
