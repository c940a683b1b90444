"""The pulls that make up the expression channels: where on the face, how wide, which way.

Each pull is a smooth hill on the map times a displacement in millimeters for the subject's left side: x outwards to the
left, y up, z forward. Anchors are MediaPipe points of the right side, read mirrored. Directions follow the muscles of
facial anatomy (Ekman and Friesen's action units); amplitudes are set against displacements that we measured on clips.
"""

from __future__ import annotations

from typing import NamedTuple


class Pull(NamedTuple):
    """One pull on the skin."""

    anchor: int
    size: tuple[float, float]
    """Standard deviations of the hill across and along, mm."""
    move: tuple[float, float, float]
    only: str = ""
    """`upper` or `lower`: act on that lip's side of the mouth only."""


SIDED: dict[str, tuple[Pull, ...]] = {
    "mouthSmile": (
        Pull(61, (11, 10), (7.0, 6.8, -4.6)),
        Pull(186, (9, 9), (1.0, 2.0, 0.2)),
        Pull(205, (13, 12), (1.2, 4.4, 3.8)),
        Pull(118, (14, 8), (0.0, 1.6, 1.2)),
        # The fold from nose to mouth is drawn in between the lifted cheek and the lips.
        Pull(206, (5, 8), (0.6, 0.8, -1.5)),
        Pull(91, (8, 6), (1.4, 1.4, -0.8), "lower"),
        Pull(40, (8, 6), (1.2, 1.0, -1.0), "upper"),
        Pull(0, (11, 6), (0.0, 0.3, -0.8), "upper"),
        Pull(17, (11, 6), (0.0, 0.3, -0.7), "lower"),
    ),
    "mouthFrown": (
        Pull(61, (10, 9), (-0.4, -6.4, -1.0)),
        Pull(43, (10, 9), (0.0, -2.0, 0.2)),
        Pull(216, (12, 12), (0.0, -1.6, -0.6)),
        Pull(91, (8, 6), (0.2, -1.2, 0.4), "lower"),
    ),
    "mouthDimple": (
        Pull(61, (10, 9), (5.0, 0.8, -5.0)),
        Pull(57, (7, 7), (0.5, 0.0, -1.6)),
        Pull(214, (9, 14), (0.8, 0.0, 1.0)),
    ),
    "mouthStretch": (
        Pull(61, (12, 12), (4.8, -2.6, -4.2)),
        Pull(43, (12, 11), (1.6, -2.4, -1.4)),
        Pull(91, (8, 7), (1.2, -0.8, -1.2), "lower"),
        Pull(210, (18, 16), (1.2, -1.2, -0.6)),
    ),
    "mouthPress": (
        Pull(37, (12, 4.5), (0.0, -1.7, -1.8), "upper"),
        Pull(84, (12, 4.5), (0.0, 2.1, -1.8), "lower"),
        Pull(61, (9, 8), (1.8, 0.2, -1.8)),
        Pull(43, (9, 9), (0.2, 0.6, 1.4)),
        Pull(199, (13, 9), (0.0, 0.8, 0.8)),
    ),
    "mouthLowerDown": (
        Pull(87, (9, 7), (0.3, -4.4, -0.4), "lower"),
        Pull(180, (10, 9), (0.8, -4.2, -0.6), "lower"),
        Pull(182, (11, 10), (0.4, -2.2, 0.2), "lower"),
    ),
    "mouthUpperUp": (
        Pull(82, (9, 7), (0.2, 3.4, 0.2), "upper"),
        Pull(73, (10, 8), (0.8, 3.8, 0.0), "upper"),
        Pull(165, (10, 9), (0.4, 2.0, 0.6), "upper"),
        Pull(206, (12, 12), (0.4, 2.0, 1.2)),
        Pull(129, (6, 6), (0.6, 0.9, 0.2)),
    ),
    "browDown": (
        Pull(55, (11, 6.8), (-1.8, -5.4, 1.6)),
        Pull(65, (11, 6.8), (-1.4, -3.9, 1.0)),
        Pull(52, (12, 6.8), (-0.5, -3.0, 0.5)),
        Pull(53, (11, 6.8), (0.0, -2.2, 0.2)),
        Pull(8, (7, 9), (0.0, -1.4, 0.9)),
    ),
    "browOuterUp": (
        Pull(105, (14, 11), (0.0, 5.6, -0.6)),
        Pull(70, (15, 12), (0.4, 5.6, -1.1)),
        Pull(104, (20, 16), (0.0, 3.4, -0.8)),
        Pull(224, (13, 7), (0.0, 1.5, 0.0)),
    ),
    "cheekSquint": (
        Pull(118, (16, 10), (0.2, 4.4, 2.6)),
        Pull(229, (13, 6), (0.0, 2.2, 0.8)),
        Pull(226, (9, 8), (0.8, 1.2, 0.2)),
        Pull(205, (15, 12), (0.2, 2.0, 1.0)),
        Pull(206, (7, 9), (0.0, 0.8, -0.4)),
    ),
    "noseSneer": (
        Pull(129, (7, 7), (1.4, 5.6, 1.2)),
        Pull(198, (7, 9), (0.8, 4.4, 2.2)),
        Pull(206, (9, 10), (0.4, 3.4, 1.6)),
        Pull(40, (11, 8), (0.3, 3.4, 0.4), "upper"),
        Pull(193, (8, 9), (0.0, 3.0, 2.6)),
        Pull(55, (9, 8), (-1.2, -2.8, 0.8)),
        Pull(118, (12, 8), (0.0, 1.4, 1.0)),
    ),
}
"""Channels with a left and a right form."""

BOTH: dict[str, tuple[Pull, ...]] = {
    "mouthShrugLower": (
        Pull(199, (17, 12), (0.0, 4.4, 1.8)),
        Pull(17, (15, 7), (0.0, 2.8, 3.6), "lower"),
        Pull(18, (15, 6), (0.0, 3.2, -0.8)),
        Pull(14, (16, 4), (0.0, 1.2, 2.6), "lower"),
        Pull(43, (9, 9), (0.0, -0.8, 0.4)),
    ),
    "mouthShrugUpper": (
        Pull(0, (15, 6), (0.0, 2.0, 3.2), "upper"),
        Pull(13, (15, 4), (0.0, 0.4, 2.0), "upper"),
        Pull(164, (13, 7), (0.0, 1.4, 1.0)),
        Pull(2, (9, 5), (0.0, 0.8, 0.0)),
    ),
    "browInnerUp": (
        Pull(55, (12, 11), (0.3, 5.8, -0.4)),
        Pull(65, (12, 10), (0.3, 3.8, -0.3)),
        Pull(9, (14, 12), (0.0, 3.0, -0.2)),
        Pull(108, (18, 15), (0.0, 3.2, -0.4)),
        Pull(221, (10, 7), (0.0, 1.2, 0.0)),
    ),
    "cheekPuff": (
        Pull(207, (14, 14), (5.0, 0.4, 6.4)),
        Pull(214, (14, 13), (5.0, 0.0, 5.0)),
        Pull(187, (15, 14), (3.6, 0.0, 1.8)),
        Pull(164, (13, 7), (0.0, 0.4, 3.2), "upper"),
        Pull(18, (14, 7), (0.0, -0.4, 3.2), "lower"),
        Pull(61, (8, 8), (-1.6, 0.0, 2.2)),
    ),
}
"""Channels that move both sides alike: pulls are given for the left and mirrored."""

SIDEWAYS: tuple[Pull, ...] = (
    Pull(61, (11, 10), (5.8, 0.9, -3.4)),
    Pull(0, (14, 8), (5.6, 0.0, -0.2)),
    Pull(17, (14, 8), (5.6, 0.0, -0.2)),
    Pull(18, (15, 12), (2.0, 0.0, 0.0)),
    Pull(2, (10, 6), (0.6, 0.0, 0.0)),
    Pull(57, (12, 12), (1.2, 0.2, 1.0)),
)
"""mouthLeft on the left side of the face."""
SIDEWAYS_FAR: tuple[Pull, ...] = (
    Pull(61, (11, 10), (5.4, 0.4, 3.0)),
    Pull(57, (12, 12), (2.0, 0.0, 0.6)),
)
"""mouthLeft on the right side: anchors on the right, displacements in world directions."""

TOGETHER: dict[tuple[str, str], tuple[Pull, ...]] = {
    ("jawOpen", "mouthSmileLeft"): (
        # A laughing mouth is wide: the upper lip tightens over its teeth, the corner of the lower one is drawn up.
        Pull(61, (10, 9), (2.2, 1.6, -1.2)),
        Pull(40, (11, 6), (0.6, 1.6, -1.2), "upper"),
        Pull(91, (9, 7), (2.6, 2.8, 0.2), "lower"),
        Pull(205, (14, 12), (0.8, 1.4, 1.0)),
    ),
    ("mouthSmileLeft", "mouthSmileRight"): (
        # Lips stretched to both sides get thinner.
        Pull(0, (13, 3.2), (0.0, -0.7, -0.9), "upper"),
        Pull(17, (13, 3.2), (0.0, 0.9, -0.9), "lower"),
    ),
    ("jawOpen", "mouthFunnel"): (Pull(61, (9, 10), (-2.0, 0.0, 1.2)),),
    ("jawOpen", "mouthPucker"): (Pull(61, (9, 10), (0.6, 0.0, 1.4)),),
}
"""What two channels need together beyond their sum; a pair of no side and the left is mirrored for the right."""
