"""The ear: an outline that rolls over into the helix, and a relief of antihelix, tragus and concha inside it.

Everything is drawn on the ear's own plane, p backwards and q upwards in millimeters, h out of it; the plane is then
swung off the head about the line where the ear grows from the cheek.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from facetalk.workshop.head.domain import closed_curve, smoothstep
from facetalk.workshop.head.topology import inside

# fmt: off
OUTLINE = (
    (18.6, 3), (19.6, 11), (18.6, 19), (15.2, 26), (9.5, 30.8), (2.5, 32), (-4, 29.5), (-8.4, 24), (-10, 16.5),
    (-10.6, 9.5), (-10.8, 3), (-11, -4), (-10.8, -10), (-10.2, -16), (-9, -22), (-6, -28), (-1, -31), (4.6, -29.2),
    (8.6, -24), (11.6, -17), (14.4, -10), (16.8, -3.5),
)
"""From the back over the top."""

CONCHA = ((-8.6, -5), (-8.6, 3), (-7.4, 9), (-2.5, 11), (3, 9.5), (6.4, 4), (6.8, -3), (4.6, -9), (0.6, -12.2),
          (-4.6, -15.5), (-7.6, -12))
ANTIHELIX = (((-0.5, -14.6), (4.6, -12), (8.4, -5.6), (9.6, 2), (8.2, 9), (5.2, 15.5), (2.4, 22)),
             ((8.2, 8), (3.5, 11.8), (-2, 13.4), (-7.2, 12.6)))
"""The ridge around the concha with its upper and its lower leg."""
CRUS = ((-9.5, 8.0), (-6, 4.0), (-2, 1.2), (2, 0.2))
"""End of the helix on the floor of the concha."""

ROLL = ((0.55, -9.5), (0.80, -5.0), (0.94, -3.3), (0.985, -2.2), (1.0, -0.4), (0.99, 1.0), (0.965, 1.7),
        (0.935, 1.55), (0.905, 0.5), (0.875, -0.9))
"""Back of the ear, over its edge, to the groove inside the helix: share of the outline, height."""
RELIEF = (0.83, 0.775, 0.715, 0.655, 0.59, 0.525, 0.455, 0.38, 0.30, 0.21, 0.11)
# fmt: on

MIDDLE = np.array([-2.2, -3.5])
"""Center toward which the rings shrink."""
SWING = np.deg2rad(36.0)
TILT = 0.17
"""Backward tilt of the ear, radians."""
HINGE = -10.5
"""Position on p at which the ear joins the cheek."""
ROOT_AT = -3.0
"""Position on p of the center of the hole in the skin."""


def ridge(at: np.ndarray, path: tuple, width: float) -> np.ndarray:
    """1 along a line through points, falling off as a Gaussian across it."""
    nearest = np.full(at.shape[:-1], np.inf)
    for start, end in pairwise(np.array(path, float)):
        along = np.clip((at - start) @ (end - start) / ((end - start) @ (end - start)), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(at - start - along[..., None] * (end - start), axis=-1))
    return np.exp(-((nearest / width) ** 2))


def hill(at: np.ndarray, center: tuple[float, float], size: tuple[float, float]) -> np.ndarray:
    """A Gaussian hill."""
    return np.exp(-(((at - np.array(center)) / np.array(size)) ** 2).sum(-1))


def hollow(at: np.ndarray) -> np.ndarray:
    """Depth of the concha, 0 outside to 1 on its floor."""
    border = closed_curve(np.array(CONCHA, float), np.linspace(0, len(CONCHA), 120, endpoint=False))
    gap = np.linalg.norm(at[..., None, :] - border, axis=-1).min(-1)
    within = inside(at.reshape(-1, 2), border).reshape(at.shape[:-1])
    return smoothstep(-2.5, 5.5, np.where(within, gap, -gap))


def relief(at: np.ndarray) -> np.ndarray:
    """Height of the ear's face inside the helix, mm."""
    lobe = smoothstep(-14, -21, at[..., 1])
    legs = [ridge(at, path, width) for path, width in zip(ANTIHELIX, (3.0, 2.2), strict=True)]
    antihelix = np.maximum(legs[0], 0.75 * legs[1])
    deep = hollow(at)
    height = -1.6 * (1 - lobe) + 0.6 * lobe + 3.6 * antihelix * (1 - lobe) - 7.2 * deep
    height += 4.6 * ridge(at, CRUS, 2.1) * smoothstep(4, -6, at[..., 0]) * np.maximum(deep, 0.25)
    height += 2.6 * hill(at, (0.6, -14.4), (3.2, 2.6))
    return height + 5.2 * hill(at, (-8.4, -5.2), (2.9, 4.6)) * (1 - 0.5 * deep)


def ear_rings(base: np.ndarray) -> np.ndarray:
    """Rings of the left ear from the head outwards, over the rim and into the concha, (rings, n, 3).

    Args:
        base: the loop on the head that the ear grows from, (n, 3), counter-clockwise seen from outside, starting at
            the back.
    """
    outline = np.array(OUTLINE, float)
    rim = closed_curve(outline, len(outline) * np.arange(len(base)) / len(base))
    p, q = rim.T
    # The helix is rolled from its root over the top and down the back; lobe and cheek have no rolled edge.
    front = smoothstep(-5.0, -9.5, p) * smoothstep(15, 7, q) * smoothstep(-31, -24, q)
    lobe = smoothstep(-12, -22, q)
    free = 0.12 + 0.88 * smoothstep(-8.5, 6, p)
    rolled = (1 - lobe) * (1 - front)
    rows = []
    for share, height in ROLL:
        at = MIDDLE + (share * (rim - MIDDLE))
        if height > -0.5 or share == ROLL[-1][0]:
            fleshy = 0.6 * smoothstep(1.01, 0.9, share)
            high = height * rolled + (fleshy + 0.2) * (1 - rolled)
        else:
            # Only behind, where the ear stands free, is there room for its back.
            high = height * free * (1 - 0.25 * lobe)
            at = rim - ((1 - share) * free)[:, None] * (rim - MIDDLE)
        rows.append((at, high))
    for share in RELIEF:
        at = MIDDLE + share * (rim - MIDDLE)
        rows.append((at, relief(at)))
    tragus_lean = np.array([3.0, 0.0])
    points = []
    for index, (at, high) in enumerate(rows):
        lean = hill(at, (-8.4, -5.2), (2.6, 4.6))[:, None] * tragus_lean if index >= len(ROLL) else 0.0
        placed = on_head(at + lean, high, base, index < len(ROLL))
        # In front the ear is skin of the cheek: its rolled rows lie together on the loop's edge.
        if index < len(ROLL):
            inwards = base + 0.10 * (index + 1) * (base.mean(0) - base) / 4 + [0.12 * (index + 1), 0, 0]
            placed += front[:, None] * (inwards - placed)
        points.append(placed)
    return np.stack(points)


def on_head(at: np.ndarray, height: np.ndarray, base: np.ndarray, over_skin: bool) -> np.ndarray:
    """Map the ear's plane into space; points above the head's skin stay above it."""
    back, out = at[:, 0] - HINGE, height
    behind = back * np.cos(SWING) - out * np.sin(SWING) + HINGE - ROOT_AT
    outwards = back * np.sin(SWING) + out * np.cos(SWING)
    if over_skin:
        outwards = 0.5 * np.log1p(np.exp((outwards - 0.6) / 0.5)) + 0.6
    up = np.array([0.0, np.cos(TILT), -np.sin(TILT)])
    rear = np.array([0.0, -np.sin(TILT), -np.cos(TILT)])
    # The ear follows the head's slope from temple to jaw.
    slope = np.polyfit(base[:, 1] - base[:, 1].mean(), base[:, 0], 1)[0]
    place = base.mean(0) + behind[:, None] * rear + at[:, 1:] * up
    place[:, 0] += outwards + 0.7 * slope * at[:, 1]
    return place
