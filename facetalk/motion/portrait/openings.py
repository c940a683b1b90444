"""What of a photo lies in the open mouth and the open eyes: no lip and no lid may take its color from there."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.core.landmarks import MESH_INNER_LIPS, MESH_LEFT_LIDS, MESH_RIGHT_LIDS

OPENINGS = ((MESH_INNER_LIPS, 2.0), (MESH_RIGHT_LIDS, 3.0), (MESH_LEFT_LIDS, 3.0))
"""Contours of the openings, as MediaPipe's points, and the width of the edge that shows both, pixels of the crop; half
of the opening's mean height if that is less."""


def outside_openings(places: Float[Tensor, "points 2"], detected: Float[Tensor, "478 2"]) -> Float[Tensor, " points"]:
    """1 for points well outside of mouth and eyes, 0 inside and at the edge, and between them next to it.

    Args:
        places: pixels.
        detected: MediaPipe's points in the same pixels; rows of NaN are not used.
    """
    share = torch.ones(len(places))
    for numbers, most in OPENINGS:
        contour = detected[list(numbers)]
        if not bool(contour.isfinite().all()):
            continue
        following = contour.roll(-1, 0)
        area = (contour[:, 0] * following[:, 1] - contour[:, 1] * following[:, 0]).sum().abs() / 2
        width = (contour[:, None] - contour[None]).norm(dim=2).max()
        margin = min(most, float(area / width.clamp_min(1e-6)) / 2)
        distance = _distance(places, contour, following)
        outward = torch.where(_inside(places, contour, following), -distance, distance)
        share = torch.minimum(share, ((outward - margin) / max(margin, 1e-3)).clamp(0, 1))
    return share


def _distance(places: Tensor, starts: Tensor, stops: Tensor) -> Float[Tensor, " points"]:
    """To the nearest edge of a polygon."""
    along = stops - starts
    reached = ((places[:, None] - starts) * along).sum(2) / along.square().sum(1).clamp_min(1e-9)
    nearest = starts + reached.clamp(0, 1)[..., None] * along
    return (places[:, None] - nearest).norm(dim=2).amin(1)


def _inside(places: Tensor, starts: Tensor, stops: Tensor) -> Bool[Tensor, " points"]:
    """By the number of edges that a ray to the right crosses."""
    x, y = places[:, :1], places[:, 1:]
    crosses = (starts[:, 1] > y) != (stops[:, 1] > y)
    slope = (stops[:, 0] - starts[:, 0]) / (stops[:, 1] - starts[:, 1]).where(
        stops[:, 1] != starts[:, 1], torch.tensor(1e-9)
    )
    return (crosses & (x < starts[:, 0] + (y - starts[:, 1]) * slope)).sum(1) % 2 == 1
