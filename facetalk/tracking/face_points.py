"""What the points of MediaPipe's face mesh are, how far each can be trusted, and which distances matter.

Numbers are those of the detector (478 points: 468 of the skin, 5 of each iris).
"""

from __future__ import annotations

NUM_POINTS = 478
EYE_CORNERS = (33, 263)
"""Outer corners of the right and left eye; their distance is the inter-ocular unit."""

LID_CENTRES = ((386, 374), (159, 145))
"""Upper and lower lid of the left and of the right eye."""

RIGHT_IRIS = 468
"""Centre of the right iris; four points of its rim follow."""
LEFT_IRIS = 473

# fmt: off
OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
BETWEEN_LIPS = (62, 76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 292, 408, 304, 303, 302, 11, 72, 73, 74, 184, 183,
                96, 89, 179, 86, 15, 316, 403, 319, 325, 407, 272, 271, 268, 12, 38, 41, 42)
RIGHT_LIDS = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
LEFT_LIDS = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
NOSE = (1, 2, 4, 5, 6, 19, 94, 97, 98, 129, 168, 195, 197, 326, 327, 358, 48, 278, 64, 294, 45, 275, 220, 440)
CONTOUR = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
           150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
TEMPLES = (127, 234, 93, 162, 21, 356, 454, 323, 389, 251, 34, 264, 227, 447, 139, 368, 71, 301, 143, 372)
# fmt: on

POINT_WEIGHTS: tuple[tuple[tuple[int, ...], float], ...] = (
    (CONTOUR, 0.35),
    (TEMPLES, 0.15),
    (NOSE, 1.5),
    (BROWS, 2.5),
    (RIGHT_LIDS + LEFT_LIDS, 2.5),
    (BETWEEN_LIPS, 1.5),
    (OUTER_LIPS, 4.0),
    (INNER_LIPS, 4.0),
)
"""Squared-error weight of point groups, later rows over earlier ones; other skin points have 1.

The contour slides along the silhouette when the head turns, and temples lie under hair.
"""
DEFAULT_WEIGHT = 1.0

LIP_GAPS = ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402), (80, 88), (310, 318), (191, 95), (415, 324))
LIP_SHAPE = ((0, 17), (37, 84), (267, 314), (61, 291), (78, 308), (0, 13), (14, 17), (40, 270), (91, 321))
LID_GAPS = (
    (159, 145), (158, 153), (160, 144), (157, 154), (161, 163),
    (386, 374), (385, 380), (387, 373), (384, 381), (388, 390),
)  # fmt: skip
BROW_GAPS = ((105, 159), (66, 158), (107, 133), (70, 33), (334, 386), (296, 385), (336, 362), (300, 263))
JAW_GAPS = ((2, 0), (168, 152), (17, 200), (61, 129), (291, 358), (61, 133), (291, 362))

PAIRS: tuple[tuple[tuple[tuple[int, int], ...], float], ...] = (
    (LIP_GAPS, 12.0),
    (LIP_SHAPE, 4.0),
    (LID_GAPS, 12.0),
    (BROW_GAPS, 3.0),
    (JAW_GAPS, 3.0),
)
"""Pairs of points whose distance vector is compared as well, with its weight (the relative terms of METHODS 4.3).

Closed lips and lids are closed whatever the error of their place.
"""
